//! The local addresses that a connection knows.

use jni::Env;
use jni::objects::{JClass, JLongArray, JObject};
use jni::sys::jint;

use crate::error::Failure;
use crate::jdk::descriptor;
use crate::packed::Packed;

pub(crate) fn addresses<'local>(
    env: &mut Env<'local>,
    _: JClass<'_>,
    sock: JObject<'_>,
    fd: jint,
) -> Result<JLongArray<'local>, Failure> {
    let addresses =
        descriptor::read(env, &sock, fd, "addresses", |sock| subflows::addresses(sock))?;
    Packed::all(&addresses).to_java(env)
}
