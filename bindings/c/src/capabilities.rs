//! What this kernel and this process can do.

use std::vec;

use subflows::Capability;

use crate::convert::StringArena;
use crate::prelude::*;

/// A list of capabilities, and how far it has been read.
pub struct subflows_capabilities {
    rest: vec::IntoIter<Capability>,
    /// The texts of the one that was taken last.
    strings: StringArena,
}

/// Take them with subflows_capabilities_next().
#[unsafe(no_mangle)]
pub extern "C" fn subflows_capabilities(
    capabilities: Option<&mut MaybeUninit<Box<subflows_capabilities>>>,
) -> c_int {
    guard("capabilities", || {
        hand_out(capabilities, || {
            let rest = subflows::capabilities()?.into_iter();
            Ok(subflows_capabilities { rest, strings: StringArena::default() })
        })
    })
}

/// Takes the next capability: fills `capability` and returns 1, or returns 0 at the end of the
/// list, or a negative error.
///
/// The texts stay valid until the next call with this handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_capabilities_next(
    capabilities: Option<&mut subflows_capabilities>,
    capability: *mut subflows_capability,
    size: usize,
) -> c_int {
    guard("capabilities", || {
        // SAFETY: `capability` has `size` bytes.
        let out = unsafe { Out::new(capability, size) }?;
        let list = handle::open(capabilities)?;
        let Some(next) = list.rest.next() else { return Ok(0) };
        out.fill_with_strings(&next, &mut list.strings);
        Ok(1)
    })
}

/// Closes the handle. Does nothing if it is NULL.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_capabilities_close(capabilities: Option<Box<subflows_capabilities>>) {
    handle::close("capabilities", capabilities);
}
