//! The error number of the calling thread.

use std::ffi::c_int;

pub(crate) fn get() -> c_int {
    // SAFETY: no pointer is passed.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: the pointer is that of this thread's errno.
    unsafe { place.read() }
}

pub(crate) fn set(number: c_int) {
    // SAFETY: no pointer is passed.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: the pointer is that of this thread's errno.
    unsafe { place.write(number) };
}

/// Keeps errno over what a hook does in addition to the program's call.
pub(crate) fn kept<T>(act: impl FnOnce() -> T) -> T {
    let before = get();
    let done = act();
    set(before);
    done
}
