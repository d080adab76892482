//! Every stream socket that the JDK makes, as Multipath TCP.
//!
//! `Socket`, `ServerSocket` and all channels get their descriptors from one native function of the
//! JDK's. HotSpot lets another one take its place, which is how tools have always traced the JDK.

use std::ffi::c_void;
use std::mem::transmute;
use std::os::fd::{AsFd, IntoRawFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use jni::objects::{JClass, JObject};
use jni::sys::{JNIEnv, jboolean, jclass, jint};
use jni::{Env, NativeMethod};
use subflows::Family;

use crate::error::{Failure, Throw};
use crate::extra_paths;
use crate::jdk::{net, new_socket};

/// `sun.nio.ch.Net.socket0(preferIPv6, stream, reuse, fastLoopback)`.
type Socket0 =
    unsafe extern "system" fn(*mut JNIEnv, jclass, jboolean, jboolean, jboolean, jboolean) -> jint;

/// It makes datagram sockets still.
static JDKS: OnceLock<Socket0> = OnceLock::new();

/// Whether the application is to have control of its connections.
static IS_CONTROLLED: AtomicBool = AtomicBool::new(false);

/// Replaces the JDK's function by [`socket0`].
pub(crate) fn hook_socket0(env: &mut Env<'_>, _: JObject<'_>) -> Result<(), Failure> {
    const SOCKET0: NativeMethod = jni::native_method! {
        error_policy = Throw,
        fn = socket0,
        static fn socket0(prefer_v6: jboolean, stream: jboolean, reuse: jboolean, fast: jboolean) -> jint,
    };
    let jdks = net::function(env, c"Java_sun_nio_ch_Net_socket0")?;
    // SAFETY: the JVM would call it by this type: the name stands for the method whose signature is
    // registered here, and it is not called unless that succeeds.
    JDKS.get_or_init(|| unsafe { transmute::<*mut c_void, Socket0>(jdks) });
    // SAFETY: `socket0` is made for this signature, as a static function.
    unsafe { net::replace(env, SOCKET0) }
}

/// From now on the connections that are made are under control.
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
        let jdks = JDKS.get().ok_or(Failure::Words)?;
        // SAFETY: the JDK's own function, with what the JVM called us with.
        let made = unsafe { jdks(env.get_raw(), class.as_raw(), prefer_v6, stream, reuse, fast) };
        return Ok(made);
    }
    let family = if prefer_v6 { Family::V6 } else { Family::V4 };
    let sock = subflows::socket(family)?;
    // The JDK wants it for listeners alone. Control of what they accept is the namespace's matter.
    if reuse {
        new_socket::reuse_address(sock.as_fd())?;
    } else if IS_CONTROLLED.load(Ordering::Relaxed) {
        subflows::take_control(&sock)?;
        extra_paths::remember(&sock);
    }
    new_socket::accept_ipv4(sock.as_fd(), family)?;
    Ok(sock.into_raw_fd())
}
