//! Reports of options that do not work, once for each.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};

use jni::objects::{JObject, JValue};
use jni::refs::Weak;
use jni::{Env, jni_sig, jni_str};
use nix::errno::Errno;
use nix::libc::{IP_MULTICAST_LOOP, IP_MULTICAST_TTL, IPPROTO_IP};

use super::{
    BROADCAST, OOB_INLINE, QUICK_ACK, REUSE_ADDRESS, REUSE_PORT, SocketOption, TRAFFIC_CLASS,
    TYPE_OF_SERVICE, USER_TIMEOUT, option,
};
use crate::error::Failure;

/// A `Consumer<String>`. The reference does not keep its class loader, for example that of a web
/// application, from being unloaded.
static LISTENER: OnceLock<Weak<JObject<'static>>> = OnceLock::new();

/// Passes each report to this consumer.
pub(crate) fn report_to(env: &mut Env<'_>, listener: &JObject<'_>) -> Result<(), Failure> {
    let listener = env.new_weak_ref(listener)?;
    LISTENER.get_or_init(|| listener);
    Ok(())
}

/// Reports that setting an option failed, as the application learns from the exception.
pub(crate) fn refused(env: &Env<'_>, option: SocketOption, value: i32, error: Errno) {
    report(env, option, || {
        format!(
            "setsockopt: {} cannot be set to {value} on a Multipath TCP socket ({}). \
             Configure the application not to set it.",
            name(option),
            error.desc()
        )
    });
}

/// Reports that an option was accepted, and has no effect.
pub(crate) fn accepted_without_effect(env: &Env<'_>, option: SocketOption) {
    report(env, option, || {
        format!(
            "setsockopt: {} has no effect on a Multipath TCP socket, because the kernel does not \
             have it. If the application relies on it, let it use a timeout of its own.",
            name(option)
        )
    });
}

/// At most once for each option. No exception is pending.
fn report(env: &Env<'_>, option: SocketOption, text: impl FnOnce() -> String) {
    static REPORTED: LazyLock<Mutex<HashSet<SocketOption>>> = LazyLock::new(Mutex::default);
    let is_new = REPORTED.lock().unwrap_or_else(PoisonError::into_inner).insert(option);
    if let Some(listener) = LISTENER.get().filter(|_| is_new) {
        let called = env.with_local_frame(2, |env| -> jni::errors::Result<()> {
            if let Some(listener) = listener.upgrade_local(env)? {
                call(env, &listener, &text());
            }
            Ok(())
        });
        if called.is_err() {
            env.exception_clear();
        }
    }
}

/// Calls the listener, which may throw; this thread goes on.
pub(crate) fn call(env: &Env<'_>, listener: &JObject<'_>, what: &str) {
    let called = env.with_local_frame(4, |env| -> jni::errors::Result<()> {
        let what = JObject::from(env.new_string(what)?);
        let signature = jni_sig!((what: java.lang.Object));
        env.call_method(listener, jni_str!("accept"), signature, &[JValue::Object(&what)])?;
        Ok(())
    });
    if called.is_err() {
        env.exception_clear();
    }
}

/// The names of options that a program can set on a stream socket by the JDK or by Netty.
fn name(which: SocketOption) -> String {
    const MULTICAST_TTL: SocketOption = option(IPPROTO_IP, IP_MULTICAST_TTL);
    const MULTICAST_LOOP: SocketOption = option(IPPROTO_IP, IP_MULTICAST_LOOP);
    let known = match which {
        REUSE_ADDRESS => "SO_REUSEADDR",
        REUSE_PORT => "SO_REUSEPORT",
        OOB_INLINE => "SO_OOBINLINE",
        BROADCAST => "SO_BROADCAST",
        QUICK_ACK => "TCP_QUICKACK",
        USER_TIMEOUT => "TCP_USER_TIMEOUT",
        TYPE_OF_SERVICE => "IP_TOS",
        TRAFFIC_CLASS => "IPV6_TCLASS",
        MULTICAST_TTL => "IP_MULTICAST_TTL",
        MULTICAST_LOOP => "IP_MULTICAST_LOOP",
        SocketOption { level, number } => return format!("option {number} of level {level}"),
    };
    known.to_owned()
}
