//! Handles: values of this library that C keeps a pointer to.
//!
//! The parameter of an entry states what its caller promises. `Option<&mut T>` is an open handle
//! that no other thread uses during the call, or NULL; `Option<Box<T>>` also is one that the caller
//! does not use again.

use std::ffi::c_int;
use std::mem::MaybeUninit;

use crate::failure::Failure;
use crate::guard::guard;

/// Makes a value and writes a handle to it. Makes nothing if `out` is NULL.
pub(crate) fn hand_out<T>(
    out: Option<&mut MaybeUninit<Box<T>>>,
    make: impl FnOnce() -> Result<T, Failure>,
) -> Result<c_int, Failure> {
    let out = out.ok_or_else(|| {
        Failure::argument(
            "the pointer to the handle is NULL",
            "Pass the address of a pointer, which receives the handle.",
        )
    })?;
    out.write(Box::new(make()?));
    Ok(0)
}

/// The handle, or the failure for NULL.
pub(crate) fn open<H>(handle: Option<H>) -> Result<H, Failure> {
    handle.ok_or_else(|| Failure::argument("the handle is NULL", "Check the result of the call that makes the handle: it failed, or the handle was closed."))
}

/// Closes a handle. Does nothing if it is NULL.
pub(crate) fn close<T>(operation: &'static str, handle: Option<Box<T>>) {
    guard(operation, || {
        drop(handle);
        Ok(0)
    });
}
