//! Waiting for one descriptor, until a deadline.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use super::socket::check;
use crate::error::{Error, Result};

/// Waits for `events` until the deadline, or without end. Returns the events that have occurred, 0
/// at the deadline.
///
/// # Errors
/// `Interrupted` if a signal arrived: the caller decides whether to go on waiting.
pub(crate) fn until(fd: BorrowedFd<'_>, events: i16, deadline: Option<Instant>) -> io::Result<i16> {
    let mut entry = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
    let timeout = deadline.map(|deadline| {
        let left = deadline.saturating_duration_since(Instant::now());
        libc::timespec {
            tv_sec: left.as_secs().min(i32::MAX as u64) as libc::time_t,
            // Below a thousand million, which fits in 32 bits.
            tv_nsec: left.subsec_nanos() as libc::c_long,
        }
    });
    let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: one entry and at most one time, both on this stack; no signal mask.
    check(unsafe { libc::ppoll(&mut entry, 1, timeout, std::ptr::null()) })?;
    Ok(entry.revents)
}

/// As [`until`], for a wait that the caller steps: a signal ends it too.
pub(crate) fn wait(
    fd: BorrowedFd<'_>,
    events: i16,
    deadline: Option<Instant>,
    operation: &'static str,
) -> Result<()> {
    match until(fd, events, deadline) {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => {
            Err(Error::from_io(operation, &error))
        }
        _ => Ok(()),
    }
}

/// Returns which of `events` have occurred by now, without waiting.
pub(crate) fn now(fd: BorrowedFd<'_>, events: i16) -> io::Result<i16> {
    loop {
        match until(fd, events, Some(Instant::now())) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Returns the moment that far from now. A timeout that does not fit in an `Instant` ends in a
/// century.
pub(crate) fn deadline_in(timeout: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(timeout).unwrap_or_else(|| now + Duration::from_secs(3_155_760_000))
}
