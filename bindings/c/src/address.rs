//! The addresses of this end.

use std::ffi::c_int;

use crate::descriptor::socket;
use crate::guard::guard;
use crate::mirror::subflows_address;
use crate::structs::fill_array;

/// Lists the local addresses that a connection knows: those that its live subflows use, and those
/// that were announced or used before. In the order of their address ids.
///
/// Fills as many of the `room` elements of `size` bytes at `addresses` as there are, and returns how
/// many there are, which may be more than `room`; or a negative error: NOT_MPTCP for plain TCP and
/// after fallback, OTHER_NAMESPACE from another network namespace. What the peer announced is told
/// by events alone.
///
/// # Safety
/// `addresses` leads to `room` elements of `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_addresses(
    fd: c_int,
    addresses: *mut subflows_address,
    room: usize,
    size: usize,
) -> c_int {
    guard("addresses", || {
        let known = subflows::addresses(&socket(fd)?)?;
        // SAFETY: the caller's promise.
        unsafe { fill_array(addresses, room, size, &known) }
    })
}
