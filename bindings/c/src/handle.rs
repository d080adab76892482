//! Handles: values of this library that C keeps a pointer to.

use std::ffi::c_void;

use crate::failure::Failure;

/// Hands out a handle.
///
/// # Safety
/// `out` is null or leads to a pointer that may be written.
pub(crate) unsafe fn hand_out<T>(out: *mut *mut T, value: T) -> Result<(), Failure> {
    if out.is_null() {
        return Err(Failure::argument("the pointer to the handle is NULL"));
    }
    // SAFETY: the caller's promise; it is not null.
    unsafe { out.write(Box::into_raw(Box::new(value))) };
    Ok(())
}

/// Borrows a handle.
///
/// # Safety
/// `handle` is null or came from [`hand_out`], is not closed, and no other thread uses it now.
pub(crate) unsafe fn handle<'call, T>(handle: *mut T) -> Result<&'call mut T, Failure> {
    // SAFETY: the caller's promise.
    unsafe { handle.as_mut() }.ok_or_else(|| Failure::argument("the handle is NULL"))
}

/// Takes a handle back. Returns `None` for NULL.
///
/// # Safety
/// As [`handle`]; it is not used after this.
pub(crate) unsafe fn take_back<T>(handle: *mut T) -> Option<Box<T>> {
    let is_one = !handle.cast::<c_void>().is_null();
    // SAFETY: it came from `Box::into_raw`, by the caller's promise.
    is_one.then(|| unsafe { Box::from_raw(handle) })
}
