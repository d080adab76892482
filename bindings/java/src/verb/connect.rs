//! Connecting, stepped by Java.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use jni::Env;
use jni::objects::{JClass, JLongArray, JObject};
use jni::sys::jlong;
use subflows::Connect;

use crate::error::Failure;
use crate::jdk::new_channel;
use crate::packed::PackedOptions;
use crate::wait::handle::{self, Held};

/// Starts to connect, and returns the number of the handle.
pub(crate) fn connecting_begin(
    env: &mut Env<'_>,
    _: JClass<'_>,
    remote: JLongArray<'_>,
    options: JLongArray<'_>,
) -> Result<jlong, Failure> {
    let remote: SocketAddr = PackedOptions::value(env, &remote)?;
    let options = PackedOptions::options::<Connect>(env, &options)?;
    Ok(handle::keep(Held::Connecting(subflows::Connecting::begin(&[remote], &options)?)))
}

/// Returns whether the connection is established.
pub(crate) fn connecting_advance(
    _: &mut Env<'_>,
    _: JClass<'_>,
    number: jlong,
) -> Result<bool, Failure> {
    handle::with(number, |held| match held {
        Held::Connecting(connecting) => Ok(connecting.advance()?),
        _ => Err(Failure::HandleClosed),
    })
}

/// The connection as a `SocketChannel`.
pub(crate) fn connecting_finish<'local>(
    env: &mut Env<'local>,
    _: JClass<'_>,
    number: jlong,
    provider: JObject<'_>,
    family: JObject<'_>,
    remote: JObject<'_>,
) -> Result<JObject<'local>, Failure> {
    let Some(Held::Connecting(connecting)) = handle::take(number) else {
        return Err(Failure::HandleClosed);
    };
    let fd = OwnedFd::from(connecting.finish()?);
    new_channel::client(env, fd, &provider, &family, &remote)
}
