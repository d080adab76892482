//! What happens to connections, stepped by Java.

use jni::Env;
use jni::objects::{JClass, JLongArray, JObject};
use jni::sys::{jint, jlong};

use crate::error::Failure;
use crate::jdk::descriptor;
use crate::packed::Packed;
use crate::wait::handle::{self, Held};

/// Follows one connection; gives the handle's number.
pub(crate) fn events(
    env: &mut Env<'_>,
    _: JClass<'_>,
    sock: JObject<'_>,
    fd: jint,
) -> Result<jlong, Failure> {
    let events = descriptor::act(env, &sock, fd, "events", subflows::events)?;
    Ok(handle::keep(Held::Events(events)))
}

/// Follows every connection of the namespace.
pub(crate) fn events_of_namespace(_: &mut Env<'_>, _: JClass<'_>) -> Result<jlong, Failure> {
    Ok(handle::keep(Held::Events(subflows::Events::of_namespace()?)))
}

/// The next event that is there now; null where none is.
pub(crate) fn events_next<'local>(
    env: &mut Env<'local>,
    _: JClass<'_>,
    number: jlong,
) -> Result<JLongArray<'local>, Failure> {
    let event = with(number, |events| Ok(events.try_next()?))?;
    event.map_or_else(|| Ok(JLongArray::null()), |event| Packed::only(&event).to_java(env))
}

/// How many bytes of events the kernel is to keep.
pub(crate) fn events_set_buffer(
    _: &mut Env<'_>,
    _: JClass<'_>,
    number: jlong,
    bytes: jint,
) -> Result<(), Failure> {
    with(number, |events| {
        events.set_buffer(bytes.try_into().unwrap_or(0));
        Ok(())
    })
}

fn with<T>(
    number: jlong,
    step: impl FnOnce(&mut subflows::Events) -> Result<T, Failure>,
) -> Result<T, Failure> {
    handle::with(number, |held| match held {
        Held::Events(events) => step(events),
        _ => Err(Failure::HandleClosed),
    })
}
