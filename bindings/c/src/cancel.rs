//! Threads that another thread cancels (`pthread_cancel`).
//!
//! A thread that is cancelled unwinds its stack. Rust's frames do not survive that: the C library
//! ends the process. So a thread is not cancelled while it runs code of this library. The one wait
//! without an end, in `subflows_events_next`, is done outside of that code: the frames between the
//! caller and poll(2) are those of [`wait`] and of the entry, which own nothing that would have to
//! be dropped.

use std::ffi::c_int;
use std::io;

/// `PTHREAD_CANCEL_DISABLE`, in glibc and in musl.
const DISABLE: c_int = 1;

// The function is POSIX, and the same in glibc and musl; the libc crate does not declare it for
// Linux.
unsafe extern "C" {
    fn pthread_setcancelstate(state: c_int, before: *mut c_int) -> c_int;
}

// A cancelled thread leaves these functions by unwinding, which the libc crate's declaration of
// poll excludes; the crate does not declare the other.
unsafe extern "C-unwind" {
    fn poll(entries: *mut libc::pollfd, count: libc::nfds_t, timeout_ms: c_int) -> c_int;
    fn pthread_testcancel();
}

/// Runs `act`, during which the calling thread is not cancelled. A cancellation that arrives in the
/// meantime stays pending, and the thread acts on it at its next cancellation point.
pub(crate) fn uncancelled<T>(act: impl FnOnce() -> T) -> T {
    let (mut before, mut disabled) = (0, 0);
    // SAFETY: the pointer is that of `before`, and the state is valid: the call cannot fail.
    unsafe { pthread_setcancelstate(DISABLE, &mut before) };
    let done = act();
    // SAFETY: the pointer is that of `disabled`, and `before` is a state that the function
    // returned.
    unsafe { pthread_setcancelstate(before, &mut disabled) };
    done
}

/// How a wait ended.
pub(crate) enum Waited {
    /// The descriptor is readable, or the time is up.
    Over,
    /// A signal arrived.
    Signal,
    /// poll(2) failed.
    Failed,
}

/// Waits until the descriptor is readable, for at most `timeout_ms`; -1 waits without a limit. A
/// cancellation point.
pub(crate) fn wait(fd: c_int, timeout_ms: c_int) -> Waited {
    let mut entry = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one entry, on this stack. A cancelled thread never returns to it.
    let ready = unsafe { poll(&mut entry, 1, timeout_ms) };
    match ready {
        0.. => Waited::Over,
        _ if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => Waited::Signal,
        _ => Waited::Failed,
    }
}

/// A cancellation point that does not wait.
pub(crate) fn test() {
    // SAFETY: the frames that a cancelled thread leaves own nothing.
    unsafe { pthread_testcancel() };
}
