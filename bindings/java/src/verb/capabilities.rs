//! What this kernel and this process can do.

use jni::Env;
use jni::objects::{JClass, JLongArray};

use crate::error::Failure;
use crate::packed::Packed;

pub(crate) fn capabilities<'local>(
    env: &mut Env<'local>,
    _: JClass<'_>,
) -> Result<JLongArray<'local>, Failure> {
    Packed::all(&subflows::capabilities()?).to_java(env)
}
