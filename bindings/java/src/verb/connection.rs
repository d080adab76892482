//! The Multipath TCP connections of the network namespace.

use jni::Env;
use jni::objects::{JClass, JLongArray};
use jni::sys::jlong;
use subflows::{ConnectionsOptions, ErrorKind};

use crate::error::Failure;
use crate::packed::{Packed, PackedOptions};

pub(crate) fn connections<'local>(
    env: &mut Env<'local>,
    _: JClass<'_>,
    options: JLongArray<'_>,
) -> Result<JLongArray<'local>, Failure> {
    let options = PackedOptions::options::<ConnectionsOptions>(env, &options)?;
    Packed::all(&subflows::connections(&options)?).to_java(env)
}

pub(crate) fn connection<'local>(
    env: &mut Env<'local>,
    _: JClass<'_>,
    token: jlong,
) -> Result<JLongArray<'local>, Failure> {
    // Who has it as an `int` may have made a negative number of it.
    let token = u32::try_from(token).map_err(|_| {
        let text = format!("a token is a number from 0 to {}, not {token}", u32::MAX);
        Failure::BadArgument("connection", ErrorKind::InvalidArgument, None, text)
    })?;
    Packed::only(&subflows::connection(token)?).to_java(env)
}
