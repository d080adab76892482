//! The native functions of `sun.nio.ch.Net`, through which the JDK makes all its system calls on
//! sockets.

use std::ffi::{CStr, c_void};
use std::mem::transmute_copy;
use std::sync::OnceLock;

use jni::strings::{JNIStr, JNIString};
use jni::{Env, NativeMethod, jni_str};
use nix::libc::{RTLD_LAZY, RTLD_NOLOAD, dlopen, dlsym};

use crate::error::Failure;

pub(crate) const NET: &JNIStr = jni_str!("sun/nio/ch/Net");

/// The JDK's own function behind a static native method of [`NET`], of the type `F`.
pub(crate) struct Original<F> {
    name: &'static CStr,
    function: OnceLock<F>,
}

impl<F: Copy> Original<F> {
    /// # Safety
    /// `F` is the type by which the JVM calls the function of that name.
    pub(crate) const unsafe fn named(name: &'static CStr) -> Original<F> {
        const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
        Original { name, function: OnceLock::new() }
    }

    /// Looks the function up; [`NET`] must be initialized. Throws `NoSuchMethodError` if this JDK has no
    /// function of that name.
    pub(crate) fn find(&self, env: &mut Env<'_>) -> Result<(), Failure> {
        // SAFETY: the name is a C string; RTLD_NOLOAD loads nothing.
        let library = unsafe { dlopen(c"libnio.so".as_ptr(), RTLD_LAZY | RTLD_NOLOAD) };
        // SAFETY: the name is a C string, and the library stays loaded as long as the JVM runs. If it
        // is null, all loaded libraries are searched.
        let symbol = unsafe { dlsym(library, self.name.as_ptr()) };
        if symbol.is_null() {
            let text = JNIString::new(self.name.to_string_lossy());
            env.throw_new(jni_str!("java/lang/NoSuchMethodError"), text)?;
        }
        // SAFETY: the caller of `named` has promised the type, and throwing returns an error.
        self.function.get_or_init(|| unsafe { transmute_copy::<*mut c_void, F>(&symbol) });
        Ok(())
    }

    /// The function that [`Original::find`] has found.
    pub(crate) fn get(&self) -> Result<F, Failure> {
        self.function.get().copied().ok_or(Failure::Corrupt)
    }
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
