//! Connecting.

use std::os::fd::OwnedFd;

use jni::Env;
use jni::objects::{JClass, JLongArray, JObject};
use jni::sys::jlong;
use subflows::{Connect, Connecting};

use crate::error::Failure;
use crate::jdk::new_channel;
use crate::packed::PackedOptions;
use crate::wait::handle::{self, Held};

/// Starts to connect to the first of these addresses, and returns the number of the handle.
pub(crate) fn begin(
    env: &mut Env<'_>,
    _: JClass<'_>,
    remotes: JLongArray<'_>,
    options: JLongArray<'_>,
) -> Result<jlong, Failure> {
    let remotes = PackedOptions::addresses(env, &remotes)?;
    let options = PackedOptions::options::<Connect>(env, &options)?;
    Ok(handle::keep(Held::Connecting(Connecting::begin(&remotes, &options)?)))
}

/// Returns the connection as a `SocketChannel`.
pub(crate) fn finish<'local>(
    env: &mut Env<'local>,
    _: JClass<'_>,
    number: jlong,
    provider: JObject<'_>,
    remote: JObject<'_>,
) -> Result<JObject<'local>, Failure> {
    let Some(Held::Connecting(connecting)) = handle::take(number) else {
        return Err(Failure::HandleClosed);
    };
    let family = connecting.remote().into();
    let fd = OwnedFd::from(connecting.finish()?);
    new_channel::client(env, (fd, family), &provider, &remote)
}
