//! Handles: values that live longer than a call. Java knows each by a number, so that a wrong
//! number is an error and not an access to other memory.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use jni::Env;
use jni::objects::JClass;
use jni::sys::jlong;
use nix::errno::Errno;
use nix::poll::PollFlags;
use subflows::Opening;

use super::lock::lock;
use super::wake_fds::WakeFds;
use crate::error::Failure;

/// What a handle holds.
pub(crate) enum Held {
    Connecting(subflows::Connecting),
    Opening(Opening<OwnedFd>),
    Probing(subflows::Probing),
    Examining(subflows::Examining),
    Events(subflows::Events),
    Announced(subflows::Announced),
}

impl Held {
    /// The verb that made it.
    fn operation(&self) -> &'static str {
        match self {
            Held::Connecting(_) => "connect",
            Held::Opening(_) => "open",
            Held::Probing(_) => "probe",
            Held::Examining(_) => "doctor",
            Held::Events(_) => "events",
            Held::Announced(_) => "announce",
        }
    }

    /// The descriptor to poll, and for which events. It is a duplicate, because the wait for it holds
    /// no lock.
    pub(super) fn watched(&mut self) -> Result<(OwnedFd, PollFlags), Failure> {
        let operation = self.operation();
        let (watched, flags) = match self {
            Held::Connecting(connecting) => (connecting.fd(), PollFlags::POLLOUT),
            Held::Opening(opening) => (opening.fd()?, PollFlags::POLLIN),
            Held::Probing(probing) => (probing.fd(), PollFlags::POLLIN),
            Held::Examining(examining) => (examining.fd(), PollFlags::POLLIN),
            Held::Events(events) => (events.fd(), PollFlags::POLLIN),
            Held::Announced(_) => return Err(Failure::HandleClosed),
        };
        let duplicate = watched.try_clone_to_owned();
        Ok((duplicate.map_err(|error| Failure::io(operation, &error))?, flags))
    }
}

/// A handle, with the wake descriptors of the waits for it.
pub(super) struct Handle {
    held: Mutex<Option<Held>>,
    pub(super) wake_fds: WakeFds,
}

static HANDLES: LazyLock<Mutex<HashMap<jlong, Arc<Handle>>>> = LazyLock::new(Mutex::default);

/// Keeps a value, and returns the number of its handle.
pub(crate) fn keep(held: Held) -> jlong {
    static NEXT: AtomicI64 = AtomicI64::new(1);
    let handle = Handle { held: Mutex::new(Some(held)), wake_fds: WakeFds::default() };
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

/// Takes out what a handle holds, and ends the waits for it.
pub(crate) fn take(number: jlong) -> Option<Held> {
    let handle = lock(&HANDLES).remove(&number)?;
    let held = lock(&handle.held).take();
    // After it was taken out: a wait that ends finds the handle closed.
    handle.wake_fds.wake_all();
    held
}

/// Closes a handle, which undoes what it holds.
pub(crate) fn close(_: &mut Env<'_>, _: JClass<'_>, number: jlong) -> Result<(), Failure> {
    drop(take(number));
    Ok(())
}

impl Handle {
    pub(super) fn with<T>(
        &self,
        step: impl FnOnce(&mut Held) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        step(lock(&self.held).as_mut().ok_or(Failure::HandleClosed)?)
    }

    /// The failure of a system call, reported as one of the verb that made what the handle holds.
    pub(super) fn failed(&self, error: Errno) -> Failure {
        match self.with(|held| Ok(held.operation())) {
            Ok(operation) => Failure::Os(operation, error as i32),
            Err(closed) => closed,
        }
    }
}
