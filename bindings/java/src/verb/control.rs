//! Taking control of a connection's paths.

use jni::Env;
use jni::objects::{JClass, JObject};
use jni::sys::jint;

use crate::error::Failure;
use crate::jdk::descriptor;

pub(crate) fn take_control(
    env: &mut Env<'_>,
    _: JClass<'_>,
    sock: JObject<'_>,
    fd: jint,
) -> Result<(), Failure> {
    descriptor::act(env, &sock, fd, "take_control", subflows::take_control)
}
