//! Opening one more subflow.

use jni::Env;
use jni::objects::{JClass, JLongArray, JObject};
use jni::sys::{jint, jlong};
use subflows::{Open, Opening};

use crate::error::Failure;
use crate::jdk::descriptor;
use crate::packed::PackedOptions;
use crate::wait::handle::{self, Held};

/// Starts to open a subflow, and returns the number of the handle.
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
