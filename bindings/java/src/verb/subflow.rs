//! The subflows of a connection: listing, describing and closing them.

use jni::Env;
use jni::objects::{JClass, JLongArray, JObject};
use jni::sys::{jint, jlong};
use subflows::ErrorKind;

use crate::error::Failure;
use crate::jdk::descriptor;
use crate::packed::Packed;

/// An id as core has it. What does not fit is no subflow's.
pub(crate) fn id(given: jlong, operation: &'static str) -> Result<u32, Failure> {
    u32::try_from(given).map_err(|_| {
        let text = format!("this connection has no live subflow with id {given}");
        Failure::BadArgument(operation, ErrorKind::NoSuchSubflow, None, text)
    })
}

pub(crate) fn list<'local>(
    env: &mut Env<'local>,
    _: JClass<'_>,
    sock: JObject<'_>,
    fd: jint,
) -> Result<JLongArray<'local>, Failure> {
    let subflows = descriptor::read(env, &sock, fd, "list", |sock| subflows::list(sock))?;
    Packed::all(&subflows).to_java(env)
}

pub(crate) fn details<'local>(
    env: &mut Env<'local>,
    _: JClass<'_>,
    sock: JObject<'_>,
    fd: jint,
    subflow: jlong,
) -> Result<JLongArray<'local>, Failure> {
    let id = id(subflow, "details")?;
    let details = descriptor::read(env, &sock, fd, "details", |sock| subflows::details(sock, id))?;
    Packed::only(&details).to_java(env)
}

pub(crate) fn close(
    env: &mut Env<'_>,
    _: JClass<'_>,
    sock: JObject<'_>,
    fd: jint,
    subflow: jlong,
    force: bool,
) -> Result<(), Failure> {
    let id = id(subflow, "close")?;
    descriptor::act(env, &sock, fd, "close", |sock| match force {
        true => subflows::force_close(sock, id),
        false => subflows::close(sock, id),
    })
}
