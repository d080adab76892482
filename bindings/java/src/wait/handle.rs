//! Handles: values that live longer than a call. Java knows each by a number, so that a wrong
//! number is an error and not an access to other memory.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Instant;

use jni::Env;
use jni::objects::JClass;
use jni::sys::jlong;
use nix::errno::Errno;
use nix::poll::PollFlags;
use subflows::Opening;

use super::bells::Bells;
use super::lock::lock;
use crate::error::Failure;

/// What a handle holds.
pub(crate) enum Held {
    Connecting(subflows::Connecting),
    Opening(Opening<OwnedFd>),
    Events(subflows::Events),
    Announced(subflows::Announced),
}

impl Held {
    /// The verb that made it.
    fn operation(&self) -> &'static str {
        match self {
            Held::Connecting(_) => "connect",
            Held::Opening(_) => "open",
            Held::Events(_) => "events",
            Held::Announced(_) => "announce",
        }
    }

    /// The descriptor to poll, and for what: a duplicate, for a wait that holds no lock.
    fn watched(&mut self) -> Result<(OwnedFd, PollFlags), Failure> {
        let operation = self.operation();
        let (watched, flags) = match self {
            Held::Connecting(connecting) => (connecting.fd(), PollFlags::POLLOUT),
            Held::Opening(opening) => (opening.fd()?, PollFlags::POLLIN),
            Held::Events(events) => (events.fd(), PollFlags::POLLIN),
            Held::Announced(_) => return Err(Failure::HandleClosed),
        };
        let duplicate = watched.try_clone_to_owned();
        Ok((duplicate.map_err(|error| Failure::io(operation, &error))?, flags))
    }
}

/// A handle, with the bells of the waits for it.
pub(super) struct Handle {
    held: Mutex<Option<Held>>,
    pub(super) bells: Bells,
}

static HANDLES: LazyLock<Mutex<HashMap<jlong, Arc<Handle>>>> = LazyLock::new(Mutex::default);

/// Keeps a value, and returns the number of its handle.
pub(crate) fn keep(held: Held) -> jlong {
    static NEXT: AtomicI64 = AtomicI64::new(1);
    let handle = Handle { held: Mutex::new(Some(held)), bells: Bells::default() };
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    lock(&HANDLES).insert(number, Arc::new(handle));
    number
}

pub(super) fn get(number: jlong) -> Result<Arc<Handle>, Failure> {
    lock(&HANDLES).get(&number).cloned().ok_or(Failure::HandleClosed)
}

/// Calls `step` with what a handle holds.
pub(crate) fn with<T>(
    number: jlong,
    step: impl FnOnce(&mut Held) -> Result<T, Failure>,
) -> Result<T, Failure> {
    get(number)?.with(step)
}

/// Takes what a handle holds. The waits for it end.
pub(crate) fn take(number: jlong) -> Option<Held> {
    let handle = lock(&HANDLES).remove(&number)?;
    handle.bells.ring_all();
    lock(&handle.held).take()
}

/// Closes a handle: what it holds is undone.
pub(crate) fn forget(_: &mut Env<'_>, _: JClass<'_>, number: jlong) -> Result<(), Failure> {
    drop(take(number));
    Ok(())
}

/// How long to wait at most, in nanoseconds.
pub(crate) fn time_left(_: &mut Env<'_>, _: JClass<'_>, number: jlong) -> Result<jlong, Failure> {
    with(number, |held| match held {
        Held::Opening(opening) => Ok(nanos_until(opening.deadline())),
        Held::Connecting(connecting) => Ok(connecting.deadline().map_or(jlong::MAX, nanos_until)),
        _ => Err(Failure::HandleClosed),
    })
}

fn nanos_until(deadline: Instant) -> jlong {
    let left = deadline.saturating_duration_since(Instant::now());
    left.as_nanos().try_into().unwrap_or(jlong::MAX)
}

impl Handle {
    fn with<T>(&self, step: impl FnOnce(&mut Held) -> Result<T, Failure>) -> Result<T, Failure> {
        step(lock(&self.held).as_mut().ok_or(Failure::HandleClosed)?)
    }

    /// The failure of a system call, reported as one of the verb that made what the handle holds.
    pub(super) fn failed(&self, error: Errno) -> Failure {
        match self.with(|held| Ok(held.operation())) {
            Ok(operation) => Failure::Os(operation, error as i32),
            Err(over) => over,
        }
    }

    /// The descriptor to poll, and for what, as a duplicate.
    pub(super) fn watched(&self) -> Result<(OwnedFd, PollFlags), Failure> {
        self.with(Held::watched)
    }
}
