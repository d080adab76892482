//! Every stream socket that the JDK makes, as Multipath TCP.
//!
//! `Socket`, `ServerSocket` and all channels get their descriptors from one native function of the
//! JDK's. HotSpot lets another one take its place, which is how tools have always traced the JDK.

use std::ffi::c_void;
use std::fs;
use std::mem::transmute;
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use jni::objects::{JClass, JLongArray, JObject};
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

/// It makes datagram sockets still.
static JDKS: OnceLock<Socket0> = OnceLock::new();

/// Whether the application is to have control of its connections.
static IS_CONTROLLED: AtomicBool = AtomicBool::new(false);

/// Takes the function's place.
pub(crate) fn replace(env: &mut Env<'_>, _: JObject<'_>) -> Result<(), Failure> {
    const SOCKET0: NativeMethod = jni::native_method! {
        error_policy = Throw,
        fn = socket0,
        static fn socket0(prefer_v6: jboolean, stream: jboolean, reuse: jboolean, fast: jboolean) -> jint,
    };
    let jdks = jdk::behind_net(env, c"Java_sun_nio_ch_Net_socket0")?;
    // SAFETY: the JVM would call it by this type: the name stands for the method whose signature is
    // registered here, and it is not called unless that succeeds.
    JDKS.get_or_init(|| unsafe { transmute::<*mut c_void, Socket0>(jdks) });
    // SAFETY: `socket0` is made for this signature, as a static function.
    unsafe { jdk::replace_in_net(env, SOCKET0) }
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
        connect::reuse_address(sock.as_fd())?;
    } else if IS_CONTROLLED.load(Ordering::Relaxed) {
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
