//! What `subflows run --via` adds: a program's sockets are controlled, and `subflows run` opens further paths.

use std::ffi::c_int;
use std::sync::atomic::{AtomicU64, Ordering};

use subflows_run::Request;

use crate::agent::{self, ask};
use crate::{next, settings, soften};

/// A bit for each descriptor of which the agent was told. Those beyond are never closed at the agent by the program:
/// it notices the end of the process.
static TOLD: [AtomicU64; 1024] = [const { AtomicU64::new(0) }; 1024];

/// A controlled socket of the agent's. `None` if it makes none: the program then has one that the kernel controls.
pub(crate) fn socket(domain: c_int, kind: c_int) -> Option<c_int> {
    let (answer, fd) = ask(settings::agent()?, Request::Socket { domain }, None)?;
    let fd = fd?;
    if answer.error != 0 {
        // SAFETY: the kernel has made this descriptor for this function.
        unsafe { next::close(fd) };
        return None;
    }
    if kind & libc::SOCK_CLOEXEC == 0 {
        // SAFETY: no pointer is passed.
        unsafe { libc::fcntl(fd, libc::F_SETFD, 0) };
    }
    if kind & libc::SOCK_NONBLOCK != 0 {
        // SAFETY: no pointer is passed.
        unsafe { libc::fcntl(fd, libc::F_SETFL, libc::O_RDWR | libc::O_NONBLOCK) };
    }
    Some(fd)
}

/// A socket of the program is connected, or will be.
pub(crate) fn connected(fd: c_int) {
    let Some(agent) = settings::agent() else { return };
    if soften::is_mptcp(fd) {
        tell(fd);
        let _ = ask(agent, Request::Connected, Some(fd));
    }
}

/// The agent gets this descriptor.
pub(crate) fn tell(fd: c_int) {
    if let Some((word, bit)) = place(fd) {
        word.fetch_or(bit, Ordering::Relaxed);
    }
}

/// The program closes a descriptor.
pub(crate) fn closing(fd: c_int) {
    let (Some(agent), Some((word, bit))) = (settings::agent(), place(fd)) else { return };
    if word.load(Ordering::Relaxed) & bit != 0 {
        word.fetch_and(!bit, Ordering::Relaxed);
        agent::closing(agent, fd);
    }
}

fn place(fd: c_int) -> Option<(&'static AtomicU64, u64)> {
    let fd = usize::try_from(fd).ok()?;
    Some((TOLD.get(fd / 64)?, 1 << (fd % 64)))
}
