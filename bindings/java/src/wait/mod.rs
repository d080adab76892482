//! Waiting for what a handle holds, as Java calls it: `begin`, then `run` any number of times, then
//! `end`.

mod bells;
pub(crate) mod handle;
mod lock;

use std::os::fd::AsFd;
use std::time::Duration;

use jni::Env;
use jni::objects::JClass;
use jni::sys::jlong;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::error::Failure;

/// Makes the bell that can end a wait for the handle from now on, and returns the number of the
/// wait.
pub(crate) fn begin(_: &mut Env<'_>, _: JClass<'_>, number: jlong) -> Result<jlong, Failure> {
    let handle = handle::get(number)?;
    handle.bells.add().map_err(|error| handle.failed(error))
}

/// Waits until the handle may have made progress, the bell rings or the time is up.
pub(crate) fn run(
    _: &mut Env<'_>,
    _: JClass<'_>,
    number: jlong,
    wait: jlong,
    nanos: jlong,
) -> Result<(), Failure> {
    let handle = handle::get(number)?;
    let bell = handle.bells.get(wait).ok_or(Failure::HandleClosed)?;
    let (watched, flags) = handle.watched()?;
    // Rounded up, so that the wait does not end before the time is up.
    let span = Duration::from_nanos(nanos.try_into().unwrap_or(0));
    let millis = span.as_nanos().div_ceil(1_000_000).try_into().unwrap_or(i32::MAX);
    let timeout = PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX);
    let bell = PollFd::new(bell.as_fd(), PollFlags::POLLIN);
    match poll(&mut [PollFd::new(watched.as_fd(), flags), bell], timeout) {
        // A signal of the JVM's own.
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(handle.failed(error)),
    }
}

/// Ends one wait, even if it has not started to wait yet, and no other.
pub(crate) fn ring(
    _: &mut Env<'_>,
    _: JClass<'_>,
    number: jlong,
    wait: jlong,
) -> Result<(), Failure> {
    if let Ok(handle) = handle::get(number) {
        handle.bells.ring(wait);
    }
    Ok(())
}

/// Forgets a wait that is over. A closed handle has forgotten it already.
pub(crate) fn end(
    _: &mut Env<'_>,
    _: JClass<'_>,
    number: jlong,
    wait: jlong,
) -> Result<(), Failure> {
    if let Ok(handle) = handle::get(number) {
        handle.bells.remove(wait);
    }
    Ok(())
}
