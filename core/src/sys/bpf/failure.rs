//! Why a program was not run, or found nothing.

use std::io;

/// Why nothing was done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The kernel has no description of its types (`/sys/kernel/btf/vmlinux`), or it cannot be read.
    Types(io::Error),
    /// The kernel does not describe an iterator over TCP sockets.
    NoIterator,
    /// bpf(2) denied the map.
    Map(io::Error),
    /// bpf(2) denied the program.
    Program(io::Error),
    /// bpf(2) denied the iterator.
    Iterator(io::Error),
    /// The map could not be written or read.
    Request(io::Error),
    /// The child process could not be made.
    Child(io::Error),
    /// Too many earlier walks are waiting for locks of other programs.
    Stuck,
    /// The walk waited for a lock of another program until the deadline.
    TimedOut,
    /// The iterator could not be read.
    Walk(io::Error),
    /// No socket of the namespace has this cookie.
    NotFound,
}
