//! What a socket is at this moment.

use std::ffi::{c_char, c_int};

use crate::descriptor::socket;
use crate::enum_name::enum_name;
use crate::guard::guard;
use crate::mirror::{SUBFLOWS_PATH_MANAGER_NAMES, SUBFLOWS_STATE_NAMES, subflows_status};
use crate::structs::{check_size, fill};

/// Tells what a socket is: unconnected, listening, connecting, Multipath TCP, fallen back, plain
/// TCP, or closed.
///
/// Fallback can come late, so ask again rather than remember. Returns 0, or
/// SUBFLOWS_E_INVALID_ARGUMENT (negative) for what is no stream socket of IPv4 or IPv6; never an
/// error for one that is.
///
/// # Safety
/// `status` leads to `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_status(
    fd: c_int,
    status: *mut subflows_status,
    size: usize,
) -> c_int {
    guard("status", || {
        check_size(status, size)?;
        let told = subflows::status(&socket(fd)?)?;
        // SAFETY: the caller's promise.
        unsafe { fill(status, size, &told) }.map(|()| 0)
    })
}

/// The name of an enum subflows_state: "Mptcp". Never NULL; "Unknown" for other numbers.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_state_name(state: c_int) -> *const c_char {
    enum_name(SUBFLOWS_STATE_NAMES, state)
}

/// The name of an enum subflows_path_manager: "Userspace". Never NULL; "Unknown" for other numbers.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_path_manager_name(path_manager: c_int) -> *const c_char {
    enum_name(SUBFLOWS_PATH_MANAGER_NAMES, path_manager)
}
