//! Every stream socket that the JDK makes, as Multipath TCP.
//!
//! `Socket`, `ServerSocket` and all channels get their descriptors from one native function of the
//! JDK's. HotSpot lets another one take its place, which is how tools have always traced the JDK.

use std::ffi::c_void;
use std::fs;
use std::mem::transmute;
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::sync::OnceLock;

use jni::objects::{JClass, JLongArray, JObject, JString};
use jni::sys::{JNIEnv, jboolean, jclass, jint, jlong};
use jni::{Env, NativeMethod};
use nix::errno::Errno;
use subflows::{Family, Open};

use crate::error::{Failure, Throw};
use crate::words::Given;
use crate::{connect, jdk, open};

/// `sun.nio.ch.Net.socket0(preferIPv6, stream, reuse, fastLoopback)`.
type Socket0 =
    unsafe extern "system" fn(*mut JNIEnv, jclass, jboolean, jboolean, jboolean, jboolean) -> jint;

struct Agent {
    /// Makes datagram sockets still.
    jdk: Socket0,
    is_controlled: bool,
}

static AGENT: OnceLock<Agent> = OnceLock::new();

/// Finds the JDK's function, in its library of that path, and tells whether it is there.
pub(crate) fn find_jdks(
    _: &mut Env<'_>,
    _: JClass<'_>,
    library: JString<'_>,
    is_controlled: bool,
) -> Result<bool, Failure> {
    let Some(jdk) = jdk::function(&library.to_string(), c"Java_sun_nio_ch_Net_socket0") else {
        return Ok(false);
    };
    // SAFETY: the JVM would call it by this type: the name stands for the method whose signature
    // `replace` registers, and it is not called unless that succeeds.
    let jdk = unsafe { transmute::<*mut c_void, Socket0>(jdk) };
    AGENT.get_or_init(|| Agent { jdk, is_controlled });
    Ok(true)
}

/// Takes the function's place.
pub(crate) fn replace(env: &mut Env<'_>, _: JObject<'_>) -> Result<(), Failure> {
    const SOCKET0: NativeMethod = jni::native_method! {
        error_policy = Throw,
        fn = socket0,
        static fn socket0(prefer_v6: jboolean, stream: jboolean, reuse: jboolean, fast: jboolean) -> jint,
    };
    // SAFETY: `socket0` is made for this signature, as a static function.
    unsafe { jdk::replace_in_net(env, SOCKET0) }
}

fn socket0<'local>(
    env: &mut Env<'local>,
    class: JClass<'local>,
    prefer_v6: bool,
    stream: bool,
    reuse: bool,
    fast: bool,
) -> Result<jint, Failure> {
    let agent = AGENT.get().ok_or(Failure::Words)?;
    if !stream {
        // SAFETY: the JDK's own function, with what the JVM called us with.
        let made =
            unsafe { (agent.jdk)(env.get_raw(), class.as_raw(), prefer_v6, stream, reuse, fast) };
        return Ok(made);
    }
    let family = if prefer_v6 { Family::V6 } else { Family::V4 };
    let sock = subflows::socket(family)?;
    // The JDK wants it for listeners alone. Control of what they accept is the namespace's matter.
    if reuse {
        connect::reuse_address(sock.as_fd())?;
    } else if agent.is_controlled {
        subflows::take_control(&sock)?;
    }
    connect::speak_both(sock.as_fd(), family)?;
    Ok(sock.into_raw_fd())
}

/// Starts to open a subflow of a connection of this process, by its token, as `open::begin`. Gives 0
/// where the connection is another process's.
pub(crate) fn opening_begin_of(
    env: &mut Env<'_>,
    _: JClass<'_>,
    token: jint,
    options: JLongArray<'_>,
) -> Result<jlong, Failure> {
    let options = Given::options::<Open>(env, &options)?;
    let found = descriptor(token as u32);
    match found.map_err(|e| Failure::Os("open", e.raw_os_error().unwrap_or(0)))? {
        Some(sock) => open::keep(sock, &options),
        None => Ok(0),
    }
}

fn has_token(sock: &impl AsFd, token: u32) -> bool {
    subflows::status(sock).is_ok_and(|status| status.token == Some(token))
}

/// A duplicate of the descriptor that has the token.
fn descriptor(token: u32) -> std::io::Result<Option<OwnedFd>> {
    for entry in fs::read_dir("/proc/self/fd")? {
        let Some(number) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // SAFETY: it is not -1. It may be closed meanwhile, or be another file: it is only asked
        // what it is, and its duplicate is asked again.
        let found = unsafe { BorrowedFd::borrow_raw(number) };
        if !has_token(&found, token) {
            continue;
        }
        match found.try_clone_to_owned() {
            Ok(duplicate) if has_token(&duplicate, token) => return Ok(Some(duplicate)),
            // The application closes it at this moment.
            Ok(_) => {}
            Err(error) if error.raw_os_error() == Some(Errno::EBADF as i32) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
