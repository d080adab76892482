//! The state of a socket.

use crate::prelude::*;

/// Fails only if `fd` is not a stream socket of IPv4 or IPv6.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_status(
    fd: c_int,
    status: *mut subflows_status,
    size: usize,
) -> c_int {
    guard("status", || {
        // SAFETY: `status` has `size` bytes.
        let out = unsafe { Out::new(status, size) }?;
        Ok(out.fill(&subflows::status(&socket(fd)?)?))
    })
}

/// Returns the name of an enum subflows_state: "Mptcp". Never NULL; "Unknown" for other numbers.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_state_name(state: c_int) -> *const c_char {
    enum_name(SUBFLOWS_STATE_NAMES, state)
}

/// Returns the name of an enum subflows_path_manager: "Userspace". Never NULL; "Unknown" for other
/// numbers.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_path_manager_name(path_manager: c_int) -> *const c_char {
    enum_name(SUBFLOWS_PATH_MANAGER_NAMES, path_manager)
}
