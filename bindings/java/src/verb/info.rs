//! The counters of a connection.

use jni::Env;
use jni::objects::{JClass, JLongArray, JObject};
use jni::sys::jint;

use crate::error::Failure;
use crate::jdk::descriptor;
use crate::packed::Packed;

pub(crate) fn info<'local>(
    env: &mut Env<'local>,
    _: JClass<'_>,
    sock: JObject<'_>,
    fd: jint,
) -> Result<JLongArray<'local>, Failure> {
    let info = descriptor::read(env, &sock, fd, "info", |sock| subflows::info(sock))?;
    Packed::only(&info).to_java(env)
}
