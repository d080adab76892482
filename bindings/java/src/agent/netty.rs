//! Multipath TCP for Netty's native transports, epoll and io_uring, which make their own sockets.
//!
//! Both get their sockets from one native function, and set the options that the kernel does not have
//! for Multipath TCP by a few others. The JVM reports when a library binds them, and these functions
//! take their place: also in a copy of Netty that was moved to another package, as gRPC's.

use std::ffi::{CStr, c_void};
use std::os::fd::IntoRawFd;

use jni::objects::{JClass, JString};
use jni::sys::{JNINativeMethod, jint};
use jni::{Env, NativeMethod};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use subflows::Family;

use super::jvmti::{self, Method};
use super::new_stream::new_stream;
use crate::error::{Failure, Throw};
use crate::option::{
    self, QUICK_ACK, REUSE_ADDRESS, REUSE_PORT, SocketOption, TRAFFIC_CLASS, TYPE_OF_SERVICE,
    USER_TIMEOUT,
};

/// The class of sockets of all native transports, and those of the two transports.
const UNIX: &str = "io/netty/channel/unix/Socket;";
const EPOLL: &str = "io/netty/channel/epoll/LinuxSocket;";
const URING: &str = "io/netty/channel/uring/LinuxSocket;";

/// The methods of [`UNIX`]. The first one makes the sockets.
const SOCKET: [NativeMethod; 7] = replacements! {
    new_socket = (new_socket_stream_fd(is_v6: jboolean) -> jint);
    set_reuse_address = (set_reuse_address(number: jint, value: jint));
    set_reuse_port = (set_reuse_port(number: jint, value: jint));
    set_traffic_class = (set_traffic_class(number: jint, is_v6: jboolean, value: jint));
    get_traffic_class = (get_traffic_class(number: jint, is_v6: jboolean) -> jint);
    set_any = (set_int_opt(number: jint, level: jint, option: jint, value: jint));
    get_any = (get_int_opt(number: jint, level: jint, option: jint) -> jint);
};

/// The methods of [`EPOLL`] and [`URING`].
const LINUX_SOCKET: [NativeMethod; 4] = replacements! {
    set_quick_ack = (set_tcp_quick_ack(number: jint, value: jint));
    is_quick_ack = (is_tcp_quick_ack(number: jint) -> jint);
    set_user_timeout = (set_tcp_user_timeout(number: jint, value: jint));
    get_user_timeout = (get_tcp_user_timeout(number: jint) -> jint);
};

/// Reaches every copy of Netty that is loaded from now on. Returns whether this JVM allows that.
pub(crate) fn reach(env: &mut Env<'_>, _: JClass<'_>) -> Result<bool, Failure> {
    Ok(jvmti::on_native_method_bind(env, choose)?)
}

/// Reaches a class that has been loaded, in case it is one of Netty's. The name is that of class files.
/// Returns whether the class is another one, or its sockets are reached.
pub(crate) fn reach_loaded(
    env: &mut Env<'_>,
    _: JClass<'_>,
    class: JClass<'_>,
    name: JString<'_>,
) -> Result<bool, Failure> {
    let name = name.try_to_string(env)?;
    let mut is_reached = true;
    for (index, method) in methods(&name).iter().enumerate() {
        // SAFETY: the functions are made for these signatures, as static functions, and the JVM
        // rejects a signature that the class does not have. This library is never unloaded: see
        // build.rs.
        match unsafe { env.register_native_methods(&class, std::slice::from_ref(method)) } {
            // Releases of Netty differ in the options that they have.
            Err(jni::errors::Error::NoSuchMethod(_)) => {
                is_reached &= index != 0 || !name.ends_with(UNIX);
            }
            other => other?,
        }
    }
    Ok(is_reached)
}

/// The methods to replace in a class.
fn methods(class: &str) -> &'static [NativeMethod<'static>] {
    match class {
        _ if class.ends_with(UNIX) => &SOCKET,
        _ if class.ends_with(EPOLL) || class.ends_with(URING) => &LINUX_SOCKET,
        _ => &[],
    }
}

fn choose(method: &Method<'_>) -> Option<*mut c_void> {
    methods(method.class.to_str().ok()?).iter().map(raw).find_map(|own| {
        // SAFETY: a C string, a constant of `native_method!`.
        let name = unsafe { CStr::from_ptr(own.name) };
        // SAFETY: as above.
        let signature = unsafe { CStr::from_ptr(own.signature) };
        (name == method.name && signature == method.signature).then_some(own.fnPtr)
    })
}

fn raw(method: &NativeMethod<'_>) -> JNINativeMethod {
    // SAFETY: the type is a transparent wrapper around the other, as its documentation promises.
    unsafe { std::mem::transmute_copy::<NativeMethod<'_>, JNINativeMethod>(method) }
}

/// As Netty's own function: the descriptor, or an error number below 0.
fn new_socket(_: &mut Env<'_>, _: JClass<'_>, is_v6: bool) -> Result<jint, Failure> {
    let family = if is_v6 { Family::V6 } else { Family::V4 };
    // Netty asks for listeners in the same way. Control does not harm one.
    let made = new_stream(family, false).and_then(|sock| {
        fcntl(&sock, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
            .map_err(|error| Failure::Os("socket", error as jint))?;
        Ok(sock)
    });
    match made {
        Ok(sock) => Ok(sock.into_raw_fd()),
        Err(Failure::Os(_, number)) => Ok(-number),
        Err(Failure::Core(error)) if error.raw_os_error().is_some() => {
            Ok(-error.raw_os_error().unwrap_or(Errno::EINVAL as jint))
        }
        Err(other) => Err(other),
    }
}

/// Throws a `SubflowsException`, an `IOException`, if that fails.
fn set(number: jint, option: SocketOption, value: jint) -> Result<(), Failure> {
    option::with_number(number, |sock| option::set(sock, option, value)).map_err(failed)
}

fn get(number: jint, option: SocketOption) -> Result<jint, Failure> {
    option::with_number(number, |sock| option::get(sock, option)).map_err(failed)
}

fn failed(error: Errno) -> Failure {
    Failure::Os("setsockopt", error as jint)
}

/// Functions that set or read one option.
macro_rules! accessors {
    (set: $($set:ident = $to_set:expr),+; get: $($get:ident = $to_read:expr),+;) => {
        $(fn $set(_: &mut Env<'_>, _: JClass<'_>, fd: jint, value: jint) -> Result<(), Failure> {
            set(fd, $to_set, value)
        })+
        $(fn $get(_: &mut Env<'_>, _: JClass<'_>, fd: jint) -> Result<jint, Failure> {
            get(fd, $to_read)
        })+
    };
}

accessors! {
    set: set_reuse_address = REUSE_ADDRESS, set_reuse_port = REUSE_PORT, set_quick_ack = QUICK_ACK;
    get: is_quick_ack = QUICK_ACK, get_user_timeout = USER_TIMEOUT;
}

/// An IPv6 socket has one for IPv4 hosts, too.
fn set_traffic_class(
    _: &mut Env<'_>,
    _: JClass<'_>,
    number: jint,
    is_v6: bool,
    value: jint,
) -> Result<(), Failure> {
    if is_v6 {
        set(number, TRAFFIC_CLASS, value)?;
    }
    set(number, TYPE_OF_SERVICE, value)
}

fn get_traffic_class(
    _: &mut Env<'_>,
    _: JClass<'_>,
    number: jint,
    is_v6: bool,
) -> Result<jint, Failure> {
    get(number, if is_v6 { TRAFFIC_CLASS } else { TYPE_OF_SERVICE })
}

/// Any option, which the application names by its numbers.
fn set_any(
    _: &mut Env<'_>,
    _: JClass<'_>,
    number: jint,
    level: jint,
    option: jint,
    value: jint,
) -> Result<(), Failure> {
    set(number, SocketOption { level, number: option }, value)
}

fn get_any(
    _: &mut Env<'_>,
    _: JClass<'_>,
    number: jint,
    level: jint,
    option: jint,
) -> Result<jint, Failure> {
    get(number, SocketOption { level, number: option })
}

/// gRPC sets it if it is configured to keep connections alive.
fn set_user_timeout(
    env: &mut Env<'_>,
    _: JClass<'_>,
    number: jint,
    value: jint,
) -> Result<(), Failure> {
    set(number, USER_TIMEOUT, value)?;
    let is_mptcp =
        option::with_number(number, |sock| Ok(option::is_mptcp(sock))).map_err(failed)?;
    if is_mptcp && value != 0 {
        option::accepted_without_effect(env, USER_TIMEOUT);
    }
    Ok(())
}
