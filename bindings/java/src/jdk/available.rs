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
    // SAFETY: the JVM calls it by this type: the symbol belongs to the method whose signature is
    // registered here, and it is not called unless registering succeeds.
    JDKS.get_or_init(|| unsafe { transmute::<*mut c_void, Available>(jdks) });
    // SAFETY: `available` is made for this signature, as a static function.
    unsafe { net::replace(env, net::NET, &[AVAILABLE]) }
}

fn available<'local>(
    env: &mut Env<'local>,
    class: JClass<'local>,
    descriptor: JObject<'local>,
) -> Result<jint, Failure> {
    let jdks = JDKS.get().ok_or(Failure::Corrupt)?;
    // SAFETY: the JDK's own function, with the arguments that the JVM passed.
    let reported = unsafe { jdks(env.get_raw(), class.as_raw(), descriptor.as_raw()) };
    if reported <= 0 {
        return Ok(reported);
    }
    let Some(number) = fields(env)?.in_descriptor(env, &descriptor) else { return Ok(reported) };
    // SAFETY: the JDK keeps it open during this call.
    Ok(without_end(unsafe { BorrowedFd::borrow_raw(number) }, reported))
}

/// How many bytes can be read: as many as were reported, or one less. A pending error of the socket
/// stays for the next read.
fn without_end(sock: BorrowedFd<'_>, reported: jint) -> jint {
    // libc's poll, because nix does not have POLLRDHUP.
    let mut polled = pollfd { fd: sock.as_raw_fd(), events: POLLRDHUP, revents: 0 };
    // SAFETY: the array has one element, and the kernel writes only to it.
    if unsafe { poll(&raw mut polled, 1, 0) } != 1 {
        return reported;
    }
    if reported == 1 && polled.revents & POLLERR != 0 {
        // If no byte is left, peeking would take the error.
        return 0;
    }
    let peek = MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT;
    // SAFETY: with MSG_TRUNC it counts the bytes and writes none.
    let bytes = unsafe { recv(sock.as_raw_fd(), null_mut(), reported as usize, peek) };
    bytes.max(0) as jint
}
