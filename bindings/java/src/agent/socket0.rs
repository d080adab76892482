//! Makes every stream socket of the JDK's a Multipath TCP socket.
//!
//! `Socket`, `ServerSocket` and all channels get their descriptors from one native function of the
//! JDK's, `sun.nio.ch.Net.socket0`. HotSpot lets an agent replace it, as tools that trace the JDK
//! do.

use std::ffi::c_void;
use std::mem::transmute;
use std::os::fd::IntoRawFd;
use std::sync::OnceLock;

use jni::objects::{JClass, JObject, JString};
use jni::sys::{JNIEnv, jboolean, jclass, jint};
use jni::{Env, NativeMethod};
use nix::net::if_::if_nametoindex;
use subflows::Family;

use super::new_stream::{self, new_stream};
use crate::error::{Failure, Throw};
use crate::jdk::net;

/// `sun.nio.ch.Net.socket0(preferIPv6, stream, reuse, fastLoopback)`.
type Socket0 =
    unsafe extern "system" fn(*mut JNIEnv, jclass, jboolean, jboolean, jboolean, jboolean) -> jint;

/// The JDK's own function, which still makes datagram sockets.
static JDKS: OnceLock<Socket0> = OnceLock::new();

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
    unsafe { net::replace(env, net::NET, &[SOCKET0]) }
}

/// Puts the connections of sockets that are made from now on under control.
pub(crate) fn control(_: &mut Env<'_>, _: JClass<'_>) -> Result<(), Failure> {
    new_stream::control();
    Ok(())
}

/// Whether there is an interface of this name, in the namespace of the calling thread.
pub(crate) fn has_interface(
    env: &mut Env<'_>,
    _: JClass<'_>,
    name: JString<'_>,
) -> Result<bool, Failure> {
    let name = name.try_to_string(env)?;
    // The C library takes `eth0:1` for `eth0`.
    Ok(!name.contains(':') && if_nametoindex(name.as_str()).is_ok())
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
    // The JDK asks for `reuse` for listeners only.
    Ok(new_stream(family, reuse)?.into_raw_fd())
}
