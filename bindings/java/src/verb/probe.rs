//! Probing an address, in steps.

use jni::Env;
use jni::objects::{JClass, JLongArray};
use jni::sys::jlong;
use subflows::{Probe, ProbeReport, Probing};

use crate::error::Failure;
use crate::packed::{Packed, PackedOptions};
use crate::wait::handle::{self, Held};
use crate::wait::{self, Step};

/// Sends the first segment, and returns the number of the handle.
pub(crate) fn begin(
    env: &mut Env<'_>,
    _: JClass<'_>,
    address: JLongArray<'_>,
    options: JLongArray<'_>,
) -> Result<jlong, Failure> {
    let addresses = PackedOptions::addresses(env, &address)?;
    let address = addresses.first().ok_or(Failure::Corrupt)?;
    let options = PackedOptions::options::<Probe>(env, &options)?;
    Ok(handle::keep(Held::Probing(Probing::begin(*address, &options)?)))
}

/// Returns the report if the probe has ended, or null. Never waits.
pub(crate) fn advance<'local>(
    env: &mut Env<'local>,
    _: JClass<'_>,
    number: jlong,
) -> Result<JLongArray<'local>, Failure> {
    let step = handle::with(number, step)?;
    let report = if let Step::Done(report) = step { Some(report) } else { None };
    Packed::to_java_or_null(env, report.as_ref().map(Packed::only))
}

/// Waits until the probe has ended. Returns null if the wait is woken.
pub(crate) fn finish<'local>(
    env: &mut Env<'local>,
    _: JClass<'_>,
    number: jlong,
    wait: jlong,
) -> Result<JLongArray<'local>, Failure> {
    let report = wait::until(number, wait, step)?;
    Packed::to_java_or_null(env, report.as_ref().map(Packed::only))
}

fn step(held: &mut Held) -> Result<Step<ProbeReport>, Failure> {
    let Held::Probing(probing) = held else { return Err(Failure::HandleClosed) };
    Ok(match probing.advance()? {
        Some(report) => Step::Done(report),
        None => Step::Pending(Some(probing.deadline())),
    })
}
