//! Announcing a local address to the peer.

use std::net::IpAddr;

use jni::Env;
use jni::objects::{JClass, JLongArray, JObject};
use jni::sys::{jint, jlong};
use subflows::{Announce, Announced};

use crate::error::Failure;
use crate::jdk::descriptor;
use crate::packed::{Packed, PackedOptions};
use crate::wait::handle::{self, Held};

/// Announces the address, and returns the number of the handle.
pub(crate) fn announce(
    env: &mut Env<'_>,
    _: JClass<'_>,
    sock: JObject<'_>,
    fd: jint,
    address: JLongArray<'_>,
    options: JLongArray<'_>,
) -> Result<jlong, Failure> {
    let address: IpAddr = PackedOptions::value(env, &address)?;
    let options = PackedOptions::options::<Announce>(env, &options)?;
    let verb = |sock: &_| subflows::announce(sock, address, &options);
    Ok(handle::keep(Held::Announced(descriptor::act(env, &sock, fd, "announce", verb)?)))
}

/// Returns the address id by which the peer knows the address.
pub(crate) fn announced_id(_: &mut Env<'_>, _: JClass<'_>, number: jlong) -> Result<jint, Failure> {
    with(number, |announced| Ok(announced.id().into()))
}

/// Returns the address. Its port is 0 if no port was announced.
pub(crate) fn announced_address<'local>(
    env: &mut Env<'local>,
    _: JClass<'_>,
    number: jlong,
) -> Result<JLongArray<'local>, Failure> {
    let address = with(number, |announced| Ok(announced.address()))?;
    Packed::address(address).to_java(env)
}

/// Resets the foreign connections that wait at the listener, and returns how many.
pub(crate) fn announced_turn_away(
    _: &mut Env<'_>,
    _: JClass<'_>,
    number: jlong,
) -> Result<jint, Failure> {
    let rejected = with(number, |announced| Ok(announced.turn_away()?))?;
    Ok(rejected.try_into().unwrap_or(jint::MAX))
}

/// Withdraws the address and closes its subflows. A second call does nothing.
pub(crate) fn announced_withdraw(
    _: &mut Env<'_>,
    _: JClass<'_>,
    number: jlong,
) -> Result<(), Failure> {
    match handle::take(number) {
        Some(Held::Announced(announced)) => Ok(announced.withdraw()?),
        _ => Ok(()),
    }
}

fn with<T>(
    number: jlong,
    step: impl FnOnce(&Announced) -> Result<T, Failure>,
) -> Result<T, Failure> {
    handle::with(number, |held| match held {
        Held::Announced(announced) => step(announced),
        _ => Err(Failure::HandleClosed),
    })
}
