//! What happens to connections.

use std::time::{Duration, Instant};

use jni::Env;
use jni::objects::{JClass, JLongArray, JObject};
use jni::sys::{jint, jlong};
use subflows::Events;

use crate::error::Failure;
use crate::jdk::descriptor;
use crate::packed::Packed;
use crate::wait::handle::{self, Held};
use crate::wait::{self, Step};

/// Follows one connection, and returns the number of the handle.
pub(crate) fn events(
    env: &mut Env<'_>,
    _: JClass<'_>,
    sock: JObject<'_>,
    fd: jint,
) -> Result<jlong, Failure> {
    let events = descriptor::act(env, &sock, fd, "events", subflows::events)?;
    Ok(handle::keep(Held::Events(events)))
}

/// Follows every connection of the network namespace.
pub(crate) fn events_of_namespace(_: &mut Env<'_>, _: JClass<'_>) -> Result<jlong, Failure> {
    Ok(handle::keep(Held::Events(Events::of_namespace()?)))
}

/// Returns the next event if one has come, or null. Never waits.
pub(crate) fn events_poll<'local>(
    env: &mut Env<'local>,
    _: JClass<'_>,
    number: jlong,
) -> Result<JLongArray<'local>, Failure> {
    let event = handle::with(number, |held| Ok(stream(held)?.try_next()?))?;
    Packed::to_java_or_null(env, event.as_ref().map(Packed::only))
}

/// Waits for the next event. Returns null if the time is up or the wait is woken.
pub(crate) fn events_next<'local>(
    env: &mut Env<'local>,
    _: JClass<'_>,
    number: jlong,
    wait: jlong,
    nanos: jlong,
) -> Result<JLongArray<'local>, Failure> {
    let span = Duration::from_nanos(nanos.try_into().unwrap_or(0));
    let end = Instant::now().checked_add(span);
    let event = wait::until(number, wait, |held| {
        let event = stream(held)?.try_next()?;
        let is_over = event.is_some() || end.is_some_and(|end| end <= Instant::now());
        Ok(if is_over { Step::Done(event) } else { Step::Pending(end) })
    })?;
    Packed::to_java_or_null(env, event.flatten().as_ref().map(Packed::only))
}

/// Sets how many bytes of events the kernel keeps.
pub(crate) fn events_set_buffer(
    _: &mut Env<'_>,
    _: JClass<'_>,
    number: jlong,
    bytes: jint,
) -> Result<(), Failure> {
    handle::with(number, |held| {
        stream(held)?.set_buffer(bytes.try_into().unwrap_or(0));
        Ok(())
    })
}

fn stream(held: &mut Held) -> Result<&mut Events, Failure> {
    match held {
        Held::Events(events) => Ok(events),
        _ => Err(Failure::HandleClosed),
    }
}
