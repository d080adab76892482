//! Examining why there is no second subflow.

use jni::Env;
use jni::objects::{JClass, JLongArray};
use jni::sys::jlong;
use subflows::{Doctor, Examining};

use crate::error::Failure;
use crate::packed::PackedOptions;
use crate::wait::handle::{self, Held};

/// Examines this host and sends the first segment, and returns the number of the handle.
pub(crate) fn begin(
    env: &mut Env<'_>,
    _: JClass<'_>,
    options: JLongArray<'_>,
) -> Result<jlong, Failure> {
    let options = PackedOptions::options::<Doctor>(env, &options)?;
    Ok(handle::keep(Held::Examining(Examining::begin(&options)?)))
}
