//! Probing an address.

use jni::Env;
use jni::objects::{JClass, JLongArray};
use jni::sys::jlong;
use subflows::{Probe, Probing};

use crate::error::Failure;
use crate::packed::PackedOptions;
use crate::wait::handle::{self, Held};

/// Sends the first segment, and returns the number of the handle.
pub(crate) fn begin(
    env: &mut Env<'_>,
    _: JClass<'_>,
    address: JLongArray<'_>,
    options: JLongArray<'_>,
) -> Result<jlong, Failure> {
    let addresses = PackedOptions::addresses(env, &address)?;
    let address = addresses.first().ok_or(Failure::Corrupt)?;
    let options = PackedOptions::options::<Probe>(env, &options)?;
    Ok(handle::keep(Held::Probing(Probing::begin(*address, &options)?)))
}
