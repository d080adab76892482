//! Waiting for what a handle holds.
//!
//! Java prepares a wait with [`begin`], calls one native function, which steps core's wait in
//! [`until`], and releases the wait with [`end`]. Between [`begin`] and [`end`], another thread can
//! end the wait with [`wake`].

pub(crate) mod handle;
mod lock;
pub(crate) mod stepped;
mod wake_fds;

use std::os::fd::AsFd;
use std::time::Instant;

use jni::Env;
use jni::objects::JClass;
use jni::sys::jlong;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::error::Failure;
use handle::Held;

/// The result of one step of a wait.
pub(crate) enum Step<T> {
    Done(T),
    /// The next step is due when the descriptor is ready, or at this time.
    Pending(Option<Instant>),
}

/// Makes the descriptor that ends a wait for the handle, and returns the number of the wait.
pub(crate) fn begin(_: &mut Env<'_>, _: JClass<'_>, number: jlong) -> Result<jlong, Failure> {
    let handle = handle::get(number)?;
    handle.wake_fds.add().map_err(|error| handle.failed(error))
}

/// Calls `step` until it is done, and waits for the handle between two steps. Returns `None` if
/// [`wake`] ends the wait first.
pub(crate) fn until<T>(
    number: jlong,
    wait: jlong,
    mut step: impl FnMut(&mut Held) -> Result<Step<T>, Failure>,
) -> Result<Option<T>, Failure> {
    let handle = handle::get(number)?;
    let wake_fd = handle.wake_fds.get(wait).ok_or(Failure::HandleClosed)?;
    loop {
        let due = match handle.with(&mut step)? {
            Step::Done(value) => return Ok(Some(value)),
            Step::Pending(due) => due,
        };
        let (watched, flags) = handle.with(|held| held.watched())?;
        let wake_fd = PollFd::new(wake_fd.as_fd(), PollFlags::POLLIN);
        let mut polled = [PollFd::new(watched.as_fd(), flags), wake_fd];
        match poll(&mut polled, due.map_or(PollTimeout::NONE, timeout)) {
            // The JVM itself uses signals.
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(handle.failed(error)),
        }
        if polled[1].any() == Some(true) {
            // Closing the handle wakes as well, and is reported.
            return handle.with(|_| Ok(None));
        }
    }
}

/// Rounded up, so that a wait does not end before its time.
pub(crate) fn timeout(due: Instant) -> PollTimeout {
    let millis = due.saturating_duration_since(Instant::now()).as_nanos().div_ceil(1_000_000);
    PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
}

/// Ends one wait, even if it has not started to wait yet, and no other.
pub(crate) fn wake(
    _: &mut Env<'_>,
    _: JClass<'_>,
    number: jlong,
    wait: jlong,
) -> Result<(), Failure> {
    if let Ok(handle) = handle::get(number) {
        handle.wake_fds.wake(wait);
    }
    Ok(())
}

/// Releases a wait that is over. A closed handle has released it already.
pub(crate) fn end(
    _: &mut Env<'_>,
    _: JClass<'_>,
    number: jlong,
    wait: jlong,
) -> Result<(), Failure> {
    if let Ok(handle) = handle::get(number) {
        handle.wake_fds.remove(wait);
    }
    Ok(())
}
