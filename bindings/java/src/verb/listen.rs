//! Listening.

use std::os::fd::OwnedFd;

use jni::Env;
use jni::objects::{JClass, JLongArray, JObject};
use subflows::Listen;

use crate::error::Failure;
use crate::jdk::new_channel;
use crate::packed::PackedOptions;

/// Listens on the first of these addresses that can be used, or on every local address, and returns
/// the listener as a `ServerSocketChannel`.
pub(crate) fn listen<'local>(
    env: &mut Env<'local>,
    _: JClass<'_>,
    locals: JLongArray<'_>,
    is_any: bool,
    options: JLongArray<'_>,
    provider: JObject<'_>,
) -> Result<JObject<'local>, Failure> {
    let locals = PackedOptions::addresses(env, &locals)?;
    let options = PackedOptions::options::<Listen>(env, &options)?;
    let listener = match (is_any, &locals[..]) {
        (true, [first, ..]) => subflows::listen_any(first.port(), &options)?,
        _ => subflows::listen(&locals[..], &options)?,
    };
    let local = listener.local_addr().map_err(|error| Failure::io("listen", &error))?;
    new_channel::server(env, (OwnedFd::from(listener), local.into()), &provider)
}
