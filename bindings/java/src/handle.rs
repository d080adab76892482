//! What lives longer than a call: known to Java by a number, so that a wrong one is an error and not
//! somebody else's memory.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jni::Env;
use jni::objects::JClass;
use jni::sys::jlong;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::error::Failure;
use crate::open::Begun;

/// What a handle holds.
pub(crate) enum Held {
    Connecting(subflows::Connecting),
    Opening(Begun),
    Events(subflows::Events),
    Announced(subflows::Announced),
}

/// A handle, with the bell that ends a wait for it.
pub(crate) struct Handle {
    held: Mutex<Option<Held>>,
    bell: EventFd,
    is_over: AtomicBool,
}

static HANDLES: LazyLock<Mutex<HashMap<jlong, Arc<Handle>>>> = LazyLock::new(Mutex::default);

/// What was locked stays whole when a thread panics: the lock is held for lookups only, or around a
/// step of core's, which undoes itself.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps it, and gives its number.
pub(crate) fn keep(held: Held) -> Result<jlong, Failure> {
    static NEXT: AtomicI64 = AtomicI64::new(1);
    let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
    let bell = EventFd::from_value_and_flags(0, flags).map_err(std::io::Error::from)?;
    let handle = Handle { held: Mutex::new(Some(held)), bell, is_over: AtomicBool::new(false) };
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    lock(&HANDLES).insert(number, Arc::new(handle));
    Ok(number)
}

fn get(number: jlong) -> Result<Arc<Handle>, Failure> {
    lock(&HANDLES).get(&number).cloned().ok_or(Failure::Over)
}

/// Does something with what a handle holds.
pub(crate) fn with<T>(
    number: jlong,
    step: impl FnOnce(&mut Held) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let handle = get(number)?;
    let mut held = lock(&handle.held);
    step(held.as_mut().ok_or(Failure::Over)?)
}

/// Takes what it holds; whoever waits for it is told.
pub(crate) fn take(number: jlong) -> Option<Held> {
    let handle = lock(&HANDLES).remove(&number)?;
    handle.is_over.store(true, Ordering::Release);
    handle.ring();
    lock(&handle.held).take()
}

/// Forgets it: what it holds is undone.
pub(crate) fn forget(_: &mut Env<'_>, _: JClass<'_>, number: jlong) -> Result<(), Failure> {
    drop(take(number));
    Ok(())
}

/// Ends the wait of whoever waits for it.
pub(crate) fn ring(_: &mut Env<'_>, _: JClass<'_>, number: jlong) -> Result<(), Failure> {
    if let Ok(handle) = get(number) {
        handle.ring();
    }
    Ok(())
}

/// Waits until there is something to look at, the bell rings or the time is up.
pub(crate) fn wait(
    _: &mut Env<'_>,
    _: JClass<'_>,
    number: jlong,
    nanos: jlong,
) -> Result<(), Failure> {
    let handle = get(number)?;
    // The descriptor is taken out under the lock; the wait itself holds none.
    let (watched, flags) = match lock(&handle.held).as_mut().ok_or(Failure::Over)? {
        Held::Connecting(connecting) => (connecting.fd().try_clone_to_owned()?, PollFlags::POLLOUT),
        Held::Opening(begun) => (begun.get().fd()?.try_clone_to_owned()?, PollFlags::POLLIN),
        Held::Events(events) => (events.fd().try_clone_to_owned()?, PollFlags::POLLIN),
        Held::Announced(_) => return Err(Failure::Over),
    };
    handle.wait(watched.as_fd(), flags, Duration::from_nanos(nanos.try_into().unwrap_or(0)))
}

/// How long to wait at most, in nanoseconds.
pub(crate) fn time_left(_: &mut Env<'_>, _: JClass<'_>, number: jlong) -> Result<jlong, Failure> {
    with(number, |held| match held {
        Held::Opening(begun) => Ok(nanos_until(begun.get().deadline())),
        Held::Connecting(connecting) => Ok(connecting.deadline().map_or(jlong::MAX, nanos_until)),
        _ => Err(Failure::Over),
    })
}

fn nanos_until(deadline: Instant) -> jlong {
    let left = deadline.saturating_duration_since(Instant::now());
    left.as_nanos().try_into().unwrap_or(jlong::MAX)
}

impl Handle {
    fn ring(&self) {
        // It can only fail where it has rung already.
        let _ = self.bell.write(1);
    }

    fn wait(
        &self,
        watched: BorrowedFd<'_>,
        flags: PollFlags,
        span: Duration,
    ) -> Result<(), Failure> {
        // Never woken before the time is up, only to find that it is not.
        let millis = span.as_nanos().div_ceil(1_000_000).try_into().unwrap_or(i32::MAX);
        let timeout = PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX);
        let bell = self.bell.as_fd();
        let mut fds = [PollFd::new(watched, flags), PollFd::new(bell, PollFlags::POLLIN)];
        match poll(&mut fds, timeout) {
            // A signal of the JVM's own.
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(Failure::Os("wait", error as i32)),
        }
        // One that is over rings for everybody.
        if !self.is_over.load(Ordering::Acquire) {
            let _ = self.bell.read();
        }
        Ok(())
    }
}
