//! The native functions of `sun.nio.ch.Net`, through which the JDK makes all its system calls on
//! sockets.

use std::ffi::{CStr, c_void};

use jni::strings::{JNIStr, JNIString};
use jni::{Env, NativeMethod, jni_str};
use nix::libc::{RTLD_LAZY, RTLD_NOLOAD, dlopen, dlsym};

use crate::error::Failure;

pub(crate) const NET: &JNIStr = jni_str!("sun/nio/ch/Net");

/// The function behind a static native method of [`NET`], which must be initialized. Throws
/// `NoSuchMethodError` if this JDK has no function of that name.
pub(crate) fn function(env: &mut Env<'_>, name: &CStr) -> Result<*mut c_void, Failure> {
    // SAFETY: the name is a C string; RTLD_NOLOAD loads nothing.
    let library = unsafe { dlopen(c"libnio.so".as_ptr(), RTLD_LAZY | RTLD_NOLOAD) };
    // SAFETY: the name is a C string, and the library stays loaded as long as the JVM runs. If it
    // is null, all loaded libraries are searched.
    let symbol = unsafe { dlsym(library, name.as_ptr()) };
    if symbol.is_null() {
        let text = JNIString::new(name.to_string_lossy());
        env.throw_new(jni_str!("java/lang/NoSuchMethodError"), text)?;
    }
    Ok(symbol)
}

/// Replaces static native functions of a class of the JDK's, for the life of the JVM. Throws
/// `NoSuchMethodError` if this JDK has no function of that name and signature.
///
/// # Safety
/// Each function that `methods` points to has the parameters of its signature, after the class.
pub(crate) unsafe fn replace(
    env: &mut Env<'_>,
    class: &JNIStr,
    methods: &[NativeMethod<'_>],
) -> Result<(), Failure> {
    let class = env.find_class(class)?;
    // SAFETY: as the caller promises; the JVM rejects a signature that it does not know. This
    // library is never unloaded: see build.rs.
    match unsafe { env.register_native_methods(class, methods) } {
        Err(jni::errors::Error::NoSuchMethod(text)) => {
            Ok(env.throw_new(jni_str!("java/lang/NoSuchMethodError"), JNIString::new(text))?)
        }
        other => Ok(other?),
    }
}
