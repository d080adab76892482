//! Options of one TCP socket that has no descriptor, such as a subflow, by a BPF program.
//!
//! An iterator over the TCP sockets of a network namespace (`iter/tcp`, Linux 5.15) runs the program of
//! `subflow_option.bpf.c` on each socket, with the socket locked. The program acts on the one whose cookie
//! the request names, and stops the walk.
//!
//! - The iterator walks the namespace of the thread that creates it. A cookie is unique on the host, so
//!   that a socket of another namespace is never changed.
//! - Nothing is pinned, and no link is left: the iterator ends with the call. The process keeps the program
//!   and its map, because the kernel takes milliseconds to verify a program.
//! - The walk locks every socket that it passes, and cannot be interrupted while another program holds one
//!   of these locks. So a child process walks, and the caller waits for it until a deadline (`walk.rs`).

mod engine;
pub(super) mod program;
mod request;
mod walk;

use std::io;
use std::time::Instant;

use engine::Engine;
#[cfg(test)]
pub(crate) use request::MAX_STEPS;
pub(crate) use request::{ROOM, Step};

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

/// Makes each step on the TCP socket with that cookie, in the calling thread's network namespace.
pub(crate) fn run(cookie: u64, steps: &mut [Step], deadline: Instant) -> Result<(), Failure> {
    Engine::take()?.run(cookie, steps, deadline)
}

/// Checks that this process can run the program, by loading it.
pub(crate) fn prove() -> Result<(), Failure> {
    Engine::prove()
}
