//! How much can be read without waiting, as TCP reports it.
//!
//! After the peer's last byte, the kernel reports one byte too many for a Multipath TCP socket: 1
//! when all is read. When it closes, the JDK's TLS reads until nothing is available, and would never
//! end. So the native function that it calls is replaced by one that checks.

use std::ffi::c_void;
use std::mem::transmute;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::null_mut;
use std::sync::OnceLock;

use jni::objects::{JClass, JObject};
use jni::sys::{JNIEnv, jclass, jint, jobject};
use jni::{Env, NativeMethod};
use nix::libc::{MSG_DONTWAIT, MSG_PEEK, MSG_TRUNC, POLLERR, POLLRDHUP, poll, pollfd, recv};

use super::fields::fields;
use super::net;
use crate::error::{Failure, Throw};

/// `sun.nio.ch.Net.available(descriptor)`.
type Available = unsafe extern "system" fn(*mut JNIEnv, jclass, jobject) -> jint;

static JDKS: OnceLock<Available> = OnceLock::new();

/// Replaces the JDK's function by [`available`].
pub(crate) fn hook_available(env: &mut Env<'_>, _: JObject<'_>) -> Result<(), Failure> {
    const AVAILABLE: NativeMethod = jni::native_method! {
        error_policy = Throw,
        fn = available,
        static fn available(descriptor: java.io.FileDescriptor) -> jint,
    };
    let jdks = net::function(env, c"Java_sun_nio_ch_Net_available")?;
    // SAFETY: the JVM would call it by this type: the name stands for the method whose signature is
    // registered here, and it is not called unless that succeeds.
    JDKS.get_or_init(|| unsafe { transmute::<*mut c_void, Available>(jdks) });
    // SAFETY: `available` is made for this signature, as a static function.
    unsafe { net::replace(env, AVAILABLE) }
}

fn available<'local>(
    env: &mut Env<'local>,
    class: JClass<'local>,
    descriptor: JObject<'local>,
) -> Result<jint, Failure> {
    let jdks = JDKS.get().ok_or(Failure::Corrupt)?;
    // SAFETY: the JDK's own function, with what the JVM called us with.
    let told = unsafe { jdks(env.get_raw(), class.as_raw(), descriptor.as_raw()) };
    if told <= 0 {
        return Ok(told);
    }
    let Some(number) = fields(env)?.in_descriptor(env, &descriptor) else { return Ok(told) };
    // SAFETY: the JDK holds it open as long as it asks of it.
    Ok(without_end(unsafe { BorrowedFd::borrow_raw(number) }, told))
}

/// How many bytes there are, of so many or one less. An error is left to who reads next.
fn without_end(sock: BorrowedFd<'_>, told: jint) -> jint {
    // Not by nix, which knows no POLLRDHUP.
    let mut asked = pollfd { fd: sock.as_raw_fd(), events: POLLRDHUP, revents: 0 };
    // SAFETY: it is one, and the kernel writes to it alone.
    if unsafe { poll(&raw mut asked, 1, 0) } != 1 {
        return told;
    }
    if told == 1 && asked.revents & POLLERR != 0 {
        // Without a byte to look at, a look would take the error.
        return 0;
    }
    let look = MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT;
    // SAFETY: asked to truncate, it counts and writes nothing.
    let bytes = unsafe { recv(sock.as_raw_fd(), null_mut(), told as usize, look) };
    bytes.max(0) as jint
}
