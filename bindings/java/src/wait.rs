//! Waiting for what a handle holds.
//!
//! Each wait has a bell of its own. One that all who wait for a handle shared would be heard by
//! whoever wakes first, who need not be the one that it was rung for.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jni::Env;
use jni::objects::JClass;
use jni::sys::jlong;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::error::Failure;
use crate::handle::{self, lock};

/// The waits for one handle, by their numbers.
#[derive(Default)]
pub(crate) struct Waits(Mutex<HashMap<jlong, Arc<EventFd>>>);

impl Waits {
    /// Ends all of them.
    pub(crate) fn ring_all(&self) {
        for bell in lock(&self.0).values() {
            ring_bell(bell);
        }
    }
}

fn ring_bell(bell: &EventFd) {
    // It can only fail where it has rung already.
    let _ = bell.write(1);
}

/// Makes the bell that can end a wait for the handle from now on, and gives its number.
pub(crate) fn begin(_: &mut Env<'_>, _: JClass<'_>, number: jlong) -> Result<jlong, Failure> {
    static NEXT: AtomicI64 = AtomicI64::new(1);
    let handle = handle::get(number)?;
    let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
    let bell = EventFd::from_value_and_flags(0, flags).map_err(|error| handle.failed(error))?;
    let wait = NEXT.fetch_add(1, Ordering::Relaxed);
    lock(&handle.waits.0).insert(wait, Arc::new(bell));
    Ok(wait)
}

/// Waits until there is something to look at, the bell rings or the time is up.
pub(crate) fn run(
    _: &mut Env<'_>,
    _: JClass<'_>,
    number: jlong,
    wait: jlong,
    nanos: jlong,
) -> Result<(), Failure> {
    let handle = handle::get(number)?;
    let bell = lock(&handle.waits.0).get(&wait).cloned().ok_or(Failure::Over)?;
    let (watched, flags) = handle.watched()?;
    // Never woken before the time is up, only to find that it is not.
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

/// Ends one wait, also when it has not come so far; no other hears of it.
pub(crate) fn ring(
    _: &mut Env<'_>,
    _: JClass<'_>,
    number: jlong,
    wait: jlong,
) -> Result<(), Failure> {
    if let Ok(handle) = handle::get(number) {
        if let Some(bell) = lock(&handle.waits.0).get(&wait) {
            ring_bell(bell);
        }
    }
    Ok(())
}

/// Forgets a wait that is over. A handle that is closed has forgotten it already.
pub(crate) fn end(
    _: &mut Env<'_>,
    _: JClass<'_>,
    number: jlong,
    wait: jlong,
) -> Result<(), Failure> {
    if let Ok(handle) = handle::get(number) {
        lock(&handle.waits.0).remove(&wait);
    }
    Ok(())
}
