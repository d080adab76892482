//! What this kernel and this process can do.

use std::ffi::c_int;
use std::vec;

use subflows::Capability;

use crate::convert::StringArena;
use crate::guard::guard;
use crate::handle::{hand_out, handle, take_back};
use crate::mirror::subflows_capability;
use crate::structs::{check_size, fill_with_strings};

/// A list of capabilities, and how far it has been read.
pub struct subflows_capabilities {
    rest: vec::IntoIter<Capability>,
    /// The texts of the one that was taken last.
    strings: StringArena,
}

/// Tells what this kernel and this process can do, each "no" with its cause and a remedy.
///
/// Found by trying, without side effects, in the calling thread's network namespace. Take them with
/// subflows_capabilities_next(). Returns 0 and a handle in `capabilities`, or a negative error.
///
/// # Safety
/// `capabilities` leads to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_capabilities(
    capabilities: *mut *mut subflows_capabilities,
) -> c_int {
    guard("capabilities", || {
        let rest = subflows::capabilities()?.into_iter();
        let list = subflows_capabilities { rest, strings: StringArena::default() };
        // SAFETY: the caller's promise.
        unsafe { hand_out(capabilities, list) }.map(|()| 0)
    })
}

/// Takes the next capability: 1 and `capability` is filled, 0 at the end, or a negative error.
///
/// The texts stay until the next call with this handle.
///
/// # Safety
/// `capabilities` is an open handle, and `capability` leads to `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_capabilities_next(
    capabilities: *mut subflows_capabilities,
    capability: *mut subflows_capability,
    size: usize,
) -> c_int {
    guard("capabilities", || {
        check_size(capability, size)?;
        // SAFETY: the caller's promise.
        let list = unsafe { handle(capabilities) }?;
        let Some(next) = list.rest.next() else { return Ok(0) };
        // SAFETY: the caller's promise.
        unsafe { fill_with_strings(capability, size, &next, &mut list.strings) }.map(|()| 1)
    })
}

/// Closes the list; NULL is nothing.
///
/// # Safety
/// `capabilities` is an open handle, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_capabilities_close(capabilities: *mut subflows_capabilities) {
    guard("capabilities", || {
        // SAFETY: the caller's promise.
        drop(unsafe { take_back(capabilities) });
        Ok(0)
    });
}
