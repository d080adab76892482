//! Takes control of a socket.

use jni::Env;
use jni::objects::{JClass, JObject};
use jni::sys::jint;

use crate::error::Failure;
use crate::jdk::descriptor;

/// A broker puts another socket under the descriptor, as `upgrade` does.
pub(crate) fn take_control(
    env: &mut Env<'_>,
    _: JClass<'_>,
    sock: JObject<'_>,
    fd: jint,
) -> Result<(), Failure> {
    descriptor::with_close_lock(env, &sock, fd, "take_control", |sock| {
        Ok(subflows::take_control(&sock)?)
    })
}
