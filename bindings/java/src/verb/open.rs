//! Opening one more subflow, stepped by Java.

use jni::Env;
use jni::objects::{JClass, JLongArray, JObject};
use jni::sys::{jint, jlong};
use subflows::{Open, Opening};

use crate::error::Failure;
use crate::jdk::descriptor;
use crate::packed::{Packed, PackedOptions};
use crate::wait::handle::{self, Held};

/// Begins; gives the handle's number.
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

/// Looks whether the subflow is usable; null where it is not yet.
pub(crate) fn advance<'local>(
    env: &mut Env<'local>,
    _: JClass<'_>,
    number: jlong,
    sock: JObject<'_>,
) -> Result<JLongArray<'local>, Failure> {
    descriptor::check_open(env, &sock, "open")?;
    let subflow = handle::with(number, |held| match held {
        Held::Opening(opening) => Ok(opening.advance()?),
        _ => Err(Failure::HandleClosed),
    })?;
    subflow.map_or_else(|| Ok(JLongArray::null()), |subflow| Packed::only(&subflow).to_java(env))
}
