//! How much can be read without waiting, as TCP reports it.
//!
//! After the peer's last byte, the kernel reports one byte too many for a Multipath TCP socket: 1
//! when all is read. When it closes, the JDK's TLS reads until nothing is available, and would never
//! end. So the native function that it calls is replaced by one that checks.

use std::ffi::c_void;
use std::mem::transmute;
use std::os::fd::BorrowedFd;
use std::sync::OnceLock;

use jni::objects::{JClass, JObject};
use jni::sys::{JNIEnv, jclass, jint, jobject};
use jni::{Env, NativeMethod};
use subflows::bare;

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
    Ok(bare::unread(unsafe { BorrowedFd::borrow_raw(number) }, reported))
}
