//! What `subflows run --via` and `--enhanced` add: a program's sockets are controlled, and `subflows run` opens further
//! paths.

use std::ffi::c_int;
use std::sync::atomic::{AtomicU64, Ordering};

use subflows_run::Request;

use crate::agent::{self, ask};
use crate::{next, settings, soften};

/// A bit for each descriptor.
type Bits = [AtomicU64; 1024];

/// The descriptors that the agent was notified of. Of larger descriptors, it finds out on its own that they were closed.
static NOTIFIED: Bits = [const { AtomicU64::new(0) }; 1024];
/// The descriptors that were connected.
static CONNECTED: Bits = [const { AtomicU64::new(0) }; 1024];

/// Puts a new socket under the control of the program. If that is not possible, for example because the program is in
/// another network namespace than the agent, the kernel keeps control.
pub(crate) fn made(fd: c_int) {
    let Some(agent) = settings::agent() else { return };
    // A broker makes another socket, which gets the same number. Nothing else refers to the old one yet.
    if let Some((answer, Some(other))) = ask(agent, Request::Control, Some(fd)) {
        if answer.error == 0 {
            // SAFETY: no pointer is passed.
            let descriptor = unsafe { libc::fcntl(fd, libc::F_GETFD) };
            // SAFETY: no pointer is passed.
            let status = unsafe { libc::fcntl(fd, libc::F_GETFL) };
            // SAFETY: no pointer is passed.
            unsafe { libc::fcntl(other, libc::F_SETFL, status) };
            let flags = if descriptor & libc::FD_CLOEXEC != 0 { libc::O_CLOEXEC } else { 0 };
            // SAFETY: no pointer is passed. The program does not know its descriptor yet.
            unsafe { libc::syscall(libc::SYS_dup3, other, fd, flags) };
        }
        // SAFETY: the kernel has made this descriptor for this function.
        unsafe { next::close_own(other) };
    }
}

/// A socket of the program is connected, or will be. Calling connect(2) again for the result changes nothing.
pub(crate) fn connected(fd: c_int) {
    let Some(agent) = settings::agent() else { return };
    if soften::is_mptcp(fd) && set(&CONNECTED, fd) {
        mark_notified(fd);
        let _ = ask(agent, Request::Connected, Some(fd));
    }
}

/// Remembers that the agent knows this descriptor.
pub(crate) fn mark_notified(fd: c_int) {
    set(&NOTIFIED, fd);
}

/// Call this before the program closes a descriptor. Returns the cookie of its socket if the agent knows it.
pub(crate) fn closing(fd: c_int) -> Option<u64> {
    settings::agent()?;
    clear(&CONNECTED, fd);
    if clear(&NOTIFIED, fd) { soften::cookie(fd) } else { None }
}

/// Notifies the agent that the program has closed the descriptor.
pub(crate) fn closed(cookie: u64) {
    if let Some(path) = settings::agent() {
        agent::notify(path, Request::Closed { cookie });
    }
}

/// Returns whether the bit was clear.
fn set(bits: &'static Bits, fd: c_int) -> bool {
    place(bits, fd).is_none_or(|(word, bit)| word.fetch_or(bit, Ordering::Relaxed) & bit == 0)
}

/// Returns whether the bit was set.
fn clear(bits: &'static Bits, fd: c_int) -> bool {
    place(bits, fd).is_some_and(|(word, bit)| {
        word.load(Ordering::Relaxed) & bit != 0
            && word.fetch_and(!bit, Ordering::Relaxed) & bit != 0
    })
}

fn place(bits: &'static Bits, fd: c_int) -> Option<(&'static AtomicU64, u64)> {
    let fd = usize::try_from(fd).ok()?;
    Some((bits.get(fd / 64)?, 1 << (fd % 64)))
}
