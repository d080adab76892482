//! Opening one more subflow, in steps.

use std::time::{Duration, Instant};

use jni::Env;
use jni::objects::{JClass, JLongArray, JObject};
use jni::sys::{jint, jlong};
use subflows::{Open, Opening, Subflow};

use crate::error::Failure;
use crate::jdk::descriptor;
use crate::packed::{Packed, PackedOptions};
use crate::wait::handle::{self, Held};
use crate::wait::{self, Step};

/// The JDK does not report that another thread closes a socket: it is checked at this interval.
const CLOSE_CHECK: Duration = Duration::from_millis(50);

/// Starts to open a subflow, and returns the number of the handle.
pub(crate) fn begin(
    env: &mut Env<'_>,
    _: JClass<'_>,
    sock: JObject<'_>,
    fd: jint,
    options: JLongArray<'_>,
) -> Result<jlong, Failure> {
    let options = PackedOptions::options::<Open>(env, &options)?;
    let sock = descriptor::duplicate(env, &sock, fd, "open")?;
    Ok(handle::keep(Held::Opening(Opening::begin(sock, &options)?)))
}

/// Returns the subflow if it is usable, or null. Never waits.
pub(crate) fn advance<'local>(
    env: &mut Env<'local>,
    _: JClass<'_>,
    number: jlong,
    sock: JObject<'_>,
) -> Result<JLongArray<'local>, Failure> {
    let step = handle::with(number, |held| step(env, &sock, held))?;
    let subflow = if let Step::Done(subflow) = step { Some(subflow) } else { None };
    Packed::to_java_or_null(env, subflow.as_ref().map(Packed::only))
}

/// Waits until the subflow is usable. Returns null if the wait is woken.
pub(crate) fn finish<'local>(
    env: &mut Env<'local>,
    _: JClass<'_>,
    number: jlong,
    wait: jlong,
    sock: JObject<'_>,
) -> Result<JLongArray<'local>, Failure> {
    let subflow = wait::until(number, wait, |held| {
        // The frame releases the references that this step makes.
        env.with_local_frame(8, |env| step(env, &sock, held))
    })?;
    Packed::to_java_or_null(env, subflow.as_ref().map(Packed::only))
}

fn step(env: &mut Env<'_>, sock: &JObject<'_>, held: &mut Held) -> Result<Step<Subflow>, Failure> {
    let Held::Opening(opening) = held else { return Err(Failure::HandleClosed) };
    descriptor::check_open(env, sock, "open")?;
    if let Some(subflow) = opening.advance()? {
        return Ok(Step::Done(subflow));
    }
    let deadline = opening.deadline();
    // A descriptor that was passed by its number has no object that could be closed.
    let is_number = sock.is_null();
    let due = if is_number { deadline } else { deadline.min(Instant::now() + CLOSE_CHECK) };
    Ok(Step::Pending(Some(due)))
}
