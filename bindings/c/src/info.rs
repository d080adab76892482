//! The counters of a connection as a whole.

use std::ffi::c_int;

use crate::descriptor::socket;
use crate::guard::guard;
use crate::mirror::subflows_info;
use crate::structs::{check_size, fill};

/// Reads the counters of a connection.
///
/// Returns 0, or a negative error: NOT_MPTCP for plain TCP and after fallback. A counter that this
/// kernel does not have is absent: see `present`.
///
/// # Safety
/// `info` leads to `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_info(fd: c_int, info: *mut subflows_info, size: usize) -> c_int {
    guard("info", || {
        check_size(info, size)?;
        let told = subflows::info(&socket(fd)?)?;
        // SAFETY: the caller's promise.
        unsafe { fill(info, size, &told) }.map(|()| 0)
    })
}
