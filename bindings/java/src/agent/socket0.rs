//! Makes every stream socket of the JDK's a Multipath TCP socket.
//!
//! `Socket`, `ServerSocket` and all channels get their descriptors from one native function of the
//! JDK's, `sun.nio.ch.Net.socket0`. HotSpot lets an agent replace it, as tools that trace the JDK
//! do.

use std::os::fd::IntoRawFd;

use jni::Env;
use jni::objects::{JClass, JObject, JString};
use jni::sys::{JNIEnv, jboolean, jclass, jint};
use nix::net::if_::if_nametoindex;
use subflows::Family;

use super::new_stream::{self, new_stream};
use crate::error::{Failure, Throw};
use crate::jdk::net::{self, Original};

/// `sun.nio.ch.Net.socket0(preferIPv6, stream, reuse, fastLoopback)`.
type Socket0 =
    unsafe extern "system" fn(*mut JNIEnv, jclass, jboolean, jboolean, jboolean, jboolean) -> jint;

/// The JDK's own function, which still makes datagram sockets.
// SAFETY: the JVM calls the function by this type: it belongs to the method whose signature `hook_socket0`
// registers, and is not called unless that succeeds.
static JDKS: Original<Socket0> = unsafe { Original::named(c"Java_sun_nio_ch_Net_socket0") };

/// Replaces the JDK's function by [`socket0`].
pub(crate) fn hook_socket0(env: &mut Env<'_>, _: JObject<'_>) -> Result<(), Failure> {
    JDKS.find(env)?;
    let methods = replacements! {
        socket0 = (socket0(prefer_v6: jboolean, stream: jboolean, reuse: jboolean, fast: jboolean) -> jint);
    };
    // SAFETY: `socket0` is made for this signature, as a static function.
    unsafe { net::replace(env, net::NET, &methods) }
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
        let jdks = JDKS.get()?;
        // SAFETY: the JDK's own function, with the arguments that the JVM passed.
        let made = unsafe { jdks(env.get_raw(), class.as_raw(), prefer_v6, stream, reuse, fast) };
        return Ok(made);
    }
    let family = if prefer_v6 { Family::V6 } else { Family::V4 };
    // The JDK asks for `reuse` for listeners only.
    Ok(new_stream(family, reuse)?.into_raw_fd())
}
