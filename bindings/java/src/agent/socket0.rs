//! Makes every stream socket of the JDK's a Multipath TCP socket.
//!
//! `Socket`, `ServerSocket` and all channels get their descriptors from one native function of the
//! JDK's, `sun.nio.ch.Net.socket0`. HotSpot lets an agent replace it, as tools that trace the JDK
//! do.

use std::ffi::c_void;
use std::mem::transmute;
use std::os::fd::{AsFd, IntoRawFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use jni::objects::{JClass, JObject};
use jni::sys::{JNIEnv, jboolean, jclass, jint};
use jni::{Env, NativeMethod};
use subflows::Family;

use super::extra_paths;
use crate::error::{Failure, Throw};
use crate::jdk::{net, new_socket};

/// `sun.nio.ch.Net.socket0(preferIPv6, stream, reuse, fastLoopback)`.
type Socket0 =
    unsafe extern "system" fn(*mut JNIEnv, jclass, jboolean, jboolean, jboolean, jboolean) -> jint;

/// The JDK's own function, which still makes datagram sockets.
static JDKS: OnceLock<Socket0> = OnceLock::new();

/// Whether new connections are put under the application's control.
static IS_CONTROLLED: AtomicBool = AtomicBool::new(false);

/// Replaces the JDK's function by [`socket0`].
pub(crate) fn hook_socket0(env: &mut Env<'_>, _: JObject<'_>) -> Result<(), Failure> {
    const SOCKET0: NativeMethod = jni::native_method! {
        error_policy = Throw,
        fn = socket0,
        static fn socket0(prefer_v6: jboolean, stream: jboolean, reuse: jboolean, fast: jboolean) -> jint,
    };
    let jdks = net::function(env, c"Java_sun_nio_ch_Net_socket0")?;
    // SAFETY: the JVM calls it by this type: the symbol belongs to the method whose signature is
    // registered here, and it is not called unless registering succeeds.
    JDKS.get_or_init(|| unsafe { transmute::<*mut c_void, Socket0>(jdks) });
    // SAFETY: `socket0` is made for this signature, as a static function.
    unsafe { net::replace(env, SOCKET0) }
}

/// Puts the connections of sockets that are made from now on under control.
pub(crate) fn control(_: &mut Env<'_>, _: JClass<'_>) -> Result<(), Failure> {
    IS_CONTROLLED.store(true, Ordering::Relaxed);
    Ok(())
}

fn socket0<'local>(
    env: &mut Env<'local>,
    class: JClass<'local>,
    prefer_v6: bool,
    stream: bool,
    reuse: bool,
    fast: bool,
) -> Result<jint, Failure> {
    if !stream {
        let jdks = JDKS.get().ok_or(Failure::Corrupt)?;
        // SAFETY: the JDK's own function, with the arguments that the JVM passed.
        let made = unsafe { jdks(env.get_raw(), class.as_raw(), prefer_v6, stream, reuse, fast) };
        return Ok(made);
    }
    let family = if prefer_v6 { Family::V6 } else { Family::V4 };
    let sock = subflows::socket(family)?;
    // The JDK asks for `reuse` for listeners only. The namespace decides who controls the
    // connections that they accept.
    if reuse {
        new_socket::reuse_address(sock.as_fd())?;
    } else if IS_CONTROLLED.load(Ordering::Relaxed) {
        subflows::take_control(&sock)?;
        extra_paths::remember(&sock);
    }
    new_socket::accept_ipv4(sock.as_fd(), family)?;
    Ok(sock.into_raw_fd())
}
