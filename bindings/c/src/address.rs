//! The addresses of this end.

use crate::prelude::*;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_addresses(
    fd: c_int,
    addresses: *mut subflows_address,
    room: usize,
    size: usize,
) -> c_int {
    guard("addresses", || {
        // SAFETY: `addresses` has `room` elements of `size` bytes.
        let out = unsafe { Out::array(addresses, room, size) }?;
        Ok(out.fill_all(&subflows::addresses(&socket(fd)?)?))
    })
}
