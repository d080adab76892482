//! What a socket is.

use jni::Env;
use jni::objects::{JClass, JLongArray, JObject};
use jni::sys::jint;

use crate::error::Failure;
use crate::jdk::descriptor;
use crate::packed::Packed;

pub(crate) fn status<'local>(
    env: &mut Env<'local>,
    _: JClass<'_>,
    sock: JObject<'_>,
    fd: jint,
) -> Result<JLongArray<'local>, Failure> {
    let status = descriptor::read(env, &sock, fd, "status", |sock| subflows::status(sock))?;
    Packed::only(&status).to_java(env)
}
