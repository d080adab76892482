//! Backup subflows.

use jni::Env;
use jni::objects::{JClass, JObject};
use jni::sys::{jint, jlong};

use super::subflow::id;
use crate::error::Failure;
use crate::jdk::descriptor;

pub(crate) fn set_backup(
    env: &mut Env<'_>,
    _: JClass<'_>,
    sock: JObject<'_>,
    fd: jint,
    subflow: jlong,
    backup: bool,
) -> Result<(), Failure> {
    let id = id(subflow, "set_backup")?;
    let verb = |sock: &_| subflows::set_backup(sock, id, backup);
    descriptor::act(env, &sock, fd, "set_backup", verb)
}
