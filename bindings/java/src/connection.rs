//! The Multipath TCP connections of the network namespace.

use jni::Env;
use jni::objects::{JClass, JLongArray};
use jni::sys::jlong;
use subflows::Connections;

use crate::error::Failure;
use crate::subflow::id;
use crate::words::{Given, Words};

pub(crate) fn connections<'local>(
    env: &mut Env<'local>,
    _: JClass<'_>,
    options: JLongArray<'_>,
) -> Result<JLongArray<'local>, Failure> {
    let options = Given::options::<Connections>(env, &options)?;
    Words::all(&subflows::connections(&options)?).to_java(env)
}

pub(crate) fn connection<'local>(
    env: &mut Env<'local>,
    _: JClass<'_>,
    token: jlong,
) -> Result<JLongArray<'local>, Failure> {
    Words::only(&subflows::connection(id(token))?).to_java(env)
}
