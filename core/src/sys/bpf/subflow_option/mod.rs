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
//!   of these locks. So a child process walks, and the caller waits for it until a deadline (`../walk.rs`).

mod engine;
mod program;
mod request;

use std::time::Instant;

use super::Failure;
use engine::Engine;
#[cfg(test)]
pub(crate) use request::MAX_STEPS;
pub(crate) use request::{ROOM, Step};

/// Makes each step on the TCP socket with that cookie, in the calling thread's network namespace.
pub(crate) fn run(cookie: u64, steps: &mut [Step], deadline: Instant) -> Result<(), Failure> {
    Engine::take()?.run(cookie, steps, deadline)
}

/// Checks that this process can run the program, by loading it.
pub(crate) fn prove() -> Result<(), Failure> {
    Engine::prove()
}
