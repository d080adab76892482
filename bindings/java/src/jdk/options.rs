//! Socket options, which the JDK sets and reads by a few native functions: these answer for Multipath
//! TCP sockets as for TCP sockets, as far as [`option`](crate::option) can.

use std::os::fd::BorrowedFd;

use jni::objects::{JClass, JObject};
use jni::sys::{JNIEnv, jboolean, jclass, jint, jobject};
use jni::{Env, jni_str};

use super::fields::fields;
use super::net::{self, NET, Original};
use crate::error::{Failure, Throw};
use crate::option::{self, QUICK_ACK, SocketOption};

/// `sun.nio.ch.Net.setIntOption0(descriptor, mayNeedConversion, level, option, value, isIPv6)`.
type SetIntOption =
    unsafe extern "system" fn(*mut JNIEnv, jclass, jobject, jboolean, jint, jint, jint, jboolean);

/// `sun.nio.ch.Net.getIntOption0(descriptor, mayNeedConversion, level, option)`.
type GetIntOption =
    unsafe extern "system" fn(*mut JNIEnv, jclass, jobject, jboolean, jint, jint) -> jint;

// SAFETY: the JVM calls the function by this type: it belongs to the method whose signature `hook_options`
// registers, and is not called unless that succeeds.
static JDKS_SET: Original<SetIntOption> =
    unsafe { Original::named(c"Java_sun_nio_ch_Net_setIntOption0") };

// SAFETY: as above.
static JDKS_GET: Original<GetIntOption> =
    unsafe { Original::named(c"Java_sun_nio_ch_Net_getIntOption0") };

/// Replaces the JDK's functions by those below. The object is a `Consumer` of reports.
pub(crate) fn hook_options(env: &mut Env<'_>, reports: JObject<'_>) -> Result<(), Failure> {
    option::report_to(env, &reports)?;
    JDKS_SET.find(env)?;
    JDKS_GET.find(env)?;
    let methods = replacements! {
        set_int_option = (set_int_option0(
            descriptor: java.io.FileDescriptor,
            may_need_conversion: jboolean,
            level: jint,
            number: jint,
            value: jint,
            is_v6: jboolean
        ));
        get_int_option = (get_int_option0(
            descriptor: java.io.FileDescriptor,
            may_need_conversion: jboolean,
            level: jint,
            number: jint
        ) -> jint);
    };
    // SAFETY: the functions are made for these signatures, as static functions.
    unsafe { net::replace(env, NET, &methods) }
}

/// Replaces the functions for TCP_QUICKACK in the module `jdk.net`.
pub(crate) fn hook_quick_ack(env: &mut Env<'_>, _: JObject<'_>) -> Result<(), Failure> {
    let methods = replacements! {
        set_quick_ack = (set_quick_ack0(number: jint, is_on: jboolean));
        get_quick_ack = (get_quick_ack0(number: jint) -> jboolean);
    };
    // SAFETY: the functions are made for these signatures, as static functions.
    unsafe { net::replace(env, jni_str!("jdk/net/LinuxSocketOptions"), &methods) }
}

#[expect(clippy::too_many_arguments, reason = "the JDK's function has them")]
fn set_int_option<'local>(
    env: &mut Env<'local>,
    class: JClass<'local>,
    descriptor: JObject<'local>,
    may_need_conversion: bool,
    level: jint,
    number: jint,
    value: jint,
    is_v6: bool,
) -> Result<(), Failure> {
    let option = SocketOption { level, number };
    if option.is_substituted() {
        if let Some(sock) = mptcp_socket(env, &descriptor) {
            if option::set(sock, option, value).is_ok() {
                return Ok(());
            }
        }
    }
    let set = JDKS_SET.get()?;
    let (raw, class) = (env.get_raw(), class.as_raw());
    // SAFETY: the JDK's own function, with the arguments that the JVM passed.
    unsafe {
        set(raw, class, descriptor.as_raw(), may_need_conversion, level, number, value, is_v6);
    }
    let Some(thrown) = env.exception_occurred() else { return Ok(()) };
    env.exception_clear();
    if let Some(sock) = mptcp_socket(env, &descriptor) {
        // The exception has no error number: the kernel is asked again.
        if let Err(error) = option::set(sock, option, value) {
            option::refused(env, option, value, error);
        }
    }
    Ok(env.throw(thrown)?)
}

fn get_int_option<'local>(
    env: &mut Env<'local>,
    class: JClass<'local>,
    descriptor: JObject<'local>,
    may_need_conversion: bool,
    level: jint,
    number: jint,
) -> Result<jint, Failure> {
    let option = SocketOption { level, number };
    if option.is_substituted() {
        if let Some(sock) = mptcp_socket(env, &descriptor) {
            if let Ok(value) = option::get(sock, option) {
                return Ok(value);
            }
        }
    }
    let get = JDKS_GET.get()?;
    let (raw, class) = (env.get_raw(), class.as_raw());
    // SAFETY: the JDK's own function, with the arguments that the JVM passed.
    Ok(unsafe { get(raw, class, descriptor.as_raw(), may_need_conversion, level, number) })
}

/// The Multipath TCP socket of a descriptor, or `None` for any other. The JDK's function then does what it
/// always does, also on a JDK that differs.
fn mptcp_socket<'fd>(env: &mut Env<'_>, descriptor: &JObject<'_>) -> Option<BorrowedFd<'fd>> {
    let Ok(fields) = fields(env) else {
        env.exception_clear();
        return None;
    };
    let number = fields.descriptor_number.get(env, descriptor).filter(|number| *number >= 0)?;
    // SAFETY: it is not -1, and the JDK keeps it open during its call.
    let sock = unsafe { BorrowedFd::borrow_raw(number) };
    option::is_mptcp(sock).then_some(sock)
}

fn set_quick_ack(
    env: &mut Env<'_>,
    _: JClass<'_>,
    number: jint,
    is_on: bool,
) -> Result<(), Failure> {
    let set = option::with_number(number, |sock| option::set(sock, QUICK_ACK, is_on.into()));
    or_socket_exception(env, set)
}

fn get_quick_ack(env: &mut Env<'_>, _: JClass<'_>, number: jint) -> Result<bool, Failure> {
    let value = option::with_number(number, |sock| option::get(sock, QUICK_ACK));
    or_socket_exception(env, value.map(|value| value != 0))
}

/// Throws a `SocketException` for an error, as the JDK does.
fn or_socket_exception<T: Default>(
    env: &mut Env<'_>,
    result: nix::Result<T>,
) -> Result<T, Failure> {
    result.or_else(|error| {
        let text = jni::strings::JNIString::new(error.desc());
        env.throw_new(jni_str!("java/net/SocketException"), text)?;
        Ok(T::default())
    })
}
