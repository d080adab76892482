//! Examining why there is no second subflow, in steps.

use jni::Env;
use jni::objects::{JClass, JLongArray};
use jni::sys::jlong;
use subflows::{Doctor, Examining, Finding};

use crate::error::Failure;
use crate::packed::{Packed, PackedOptions};
use crate::wait::handle::{self, Held};
use crate::wait::{self, Step};

/// Examines this host and sends the first segment, and returns the number of the handle.
pub(crate) fn begin(
    env: &mut Env<'_>,
    _: JClass<'_>,
    options: JLongArray<'_>,
) -> Result<jlong, Failure> {
    let options = PackedOptions::options::<Doctor>(env, &options)?;
    Ok(handle::keep(Held::Examining(Examining::begin(&options)?)))
}

/// Returns the findings if the examination has ended, or null. Never waits for an answer.
pub(crate) fn advance<'local>(
    env: &mut Env<'local>,
    _: JClass<'_>,
    number: jlong,
) -> Result<JLongArray<'local>, Failure> {
    let step = handle::with(number, step)?;
    let found = if let Step::Done(found) = step { Some(found) } else { None };
    Packed::to_java_or_null(env, found.as_deref().map(Packed::all))
}

/// Waits until the examination has ended. Returns null if the wait is woken.
pub(crate) fn finish<'local>(
    env: &mut Env<'local>,
    _: JClass<'_>,
    number: jlong,
    wait: jlong,
) -> Result<JLongArray<'local>, Failure> {
    let found = wait::until(number, wait, step)?;
    Packed::to_java_or_null(env, found.as_deref().map(Packed::all))
}

fn step(held: &mut Held) -> Result<Step<Vec<Finding>>, Failure> {
    let Held::Examining(examining) = held else { return Err(Failure::HandleClosed) };
    Ok(match examining.advance()? {
        Some(found) => Step::Done(found),
        None => Step::Pending(Some(examining.deadline())),
    })
}
