//! How much can be read without waiting, as TCP reports it.
//!
//! After the peer's last byte, the kernel reports one byte too many for a Multipath TCP socket: 1
//! when all is read. When it closes, the JDK's TLS reads until nothing is available, and would never
//! end. So the native function that it calls is replaced by one that checks.

use std::os::fd::BorrowedFd;

use jni::Env;
use jni::objects::{JClass, JObject};
use jni::sys::{JNIEnv, jclass, jint, jobject};
use subflows::bare;

use super::fields::fields;
use super::net::{self, NET, Original};
use crate::error::{Failure, Throw};

/// `sun.nio.ch.Net.available(descriptor)`.
type Available = unsafe extern "system" fn(*mut JNIEnv, jclass, jobject) -> jint;

// SAFETY: the JVM calls the function by this type: it belongs to the method whose signature `hook_available`
// registers, and is not called unless that succeeds.
static JDKS: Original<Available> = unsafe { Original::named(c"Java_sun_nio_ch_Net_available") };

/// Replaces the JDK's function by [`available`].
pub(crate) fn hook_available(env: &mut Env<'_>, _: JObject<'_>) -> Result<(), Failure> {
    JDKS.find(env)?;
    let methods = replacements! {
        available = (available(descriptor: java.io.FileDescriptor) -> jint);
    };
    // SAFETY: `available` is made for this signature, as a static function.
    unsafe { net::replace(env, NET, &methods) }
}

fn available<'local>(
    env: &mut Env<'local>,
    class: JClass<'local>,
    descriptor: JObject<'local>,
) -> Result<jint, Failure> {
    let jdks = JDKS.get()?;
    // SAFETY: the JDK's own function, with the arguments that the JVM passed.
    let reported = unsafe { jdks(env.get_raw(), class.as_raw(), descriptor.as_raw()) };
    if reported <= 0 {
        return Ok(reported);
    }
    let Some(number) = fields(env)?.descriptor_number.get(env, &descriptor) else {
        return Ok(reported);
    };
    // SAFETY: the JDK keeps it open during this call.
    Ok(bare::unread(unsafe { BorrowedFd::borrow_raw(number) }, reported))
}
