//! Listening.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use jni::Env;
use jni::objects::{JClass, JLongArray, JObject};
use subflows::Listen;

use crate::error::Failure;
use crate::jdk::new_channel;
use crate::packed::PackedOptions;

/// A listener as a `ServerSocketChannel`.
pub(crate) fn listen<'local>(
    env: &mut Env<'local>,
    _: JClass<'_>,
    local: JLongArray<'_>,
    options: JLongArray<'_>,
    provider: JObject<'_>,
    family: JObject<'_>,
) -> Result<JObject<'local>, Failure> {
    let local: SocketAddr = PackedOptions::value(env, &local)?;
    let options = PackedOptions::options::<Listen>(env, &options)?;
    let fd = OwnedFd::from(subflows::listen(local, &options)?);
    new_channel::server(env, fd, &provider, &family)
}
