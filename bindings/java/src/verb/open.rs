//! Opening one more subflow, stepped by Java.

use jni::Env;
use jni::objects::{JClass, JLongArray, JObject};
use jni::sys::{jint, jlong};
use subflows::{Open, Opening};

use crate::error::Failure;
use crate::jdk::descriptor;
use crate::wait::handle::{self, Held};
use crate::words::{Given, Words};

/// Begins; gives the handle's number.
pub(crate) fn begin(
    env: &mut Env<'_>,
    _: JClass<'_>,
    sock: JObject<'_>,
    fd: jint,
    options: JLongArray<'_>,
) -> Result<jlong, Failure> {
    let options = Given::options::<Open>(env, &options)?;
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
        _ => Err(Failure::Over),
    })?;
    subflow.map_or_else(|| Ok(JLongArray::null()), |subflow| Words::only(&subflow).to_java(env))
}
