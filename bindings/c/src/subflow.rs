//! The subflows of a connection: list them, look into one, close one.

use std::ffi::{c_char, c_int};

use crate::descriptor::socket;
use crate::enum_name::enum_name;
use crate::guard::guard;
use crate::mirror::{SUBFLOWS_SUBFLOW_STATE_NAMES, subflows_details, subflows_subflow};
use crate::structs::{check_size, fill, fill_array};

/// Lists the live subflows of a connection, in the order in which they were opened.
///
/// Fills as many of the `room` elements of `size` bytes at `subflows` as there are, and returns how
/// many there are, which may be more than `room`; or a negative error: NOT_MPTCP for plain TCP and
/// after fallback, OTHER_NAMESPACE before Linux 6.5 from another network namespace. With a room of
/// 0, `subflows` may be NULL: the call then only counts.
///
/// A subflow that is being opened is listed with the state SUBFLOWS_SUBFLOW_STATE_SYN_SENT; closed
/// ones are not listed, not even the initial one, which the kernel keeps. Without a connection there
/// are none.
///
/// # Safety
/// `subflows` leads to `room` elements of `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_list(
    fd: c_int,
    subflows: *mut subflows_subflow,
    room: usize,
    size: usize,
) -> c_int {
    guard("list", || {
        let listed = subflows::list(&socket(fd)?)?;
        // SAFETY: the caller's promise.
        unsafe { fill_array(subflows, room, size, &listed) }
    })
}

/// Tells what subflows_list() does not: backup in either direction, address ids, whether the
/// subflow is fully joined, its interface and its congestion control.
///
/// `id` is that of struct subflows_subflow. Returns 0, or a negative error: NO_SUCH_SUBFLOW, CLOSED,
/// NOT_MPTCP, OTHER_NAMESPACE from another network namespace.
///
/// # Safety
/// `details` leads to `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_details(
    fd: c_int,
    id: u32,
    details: *mut subflows_details,
    size: usize,
) -> c_int {
    guard("details", || {
        check_size(details, size)?;
        let told = subflows::details(&socket(fd)?, id)?;
        // SAFETY: the caller's promise.
        unsafe { fill(details, size, &told) }.map(|()| 0)
    })
}

/// Closes one subflow and leaves the connection open. The descriptor stays open in any case.
///
/// Data that was on its way there is sent again on the others. Works for the initial subflow, for
/// one that is still being opened, and for connections under the kernel's path manager, where the
/// peer sees a reset. Returns 0, or a negative error: NO_SUCH_SUBFLOW; INVALID_STATE for the last
/// one that works, also while another is still being joined (see subflows_force_close()); CLOSED,
/// NOT_MPTCP, NOT_PERMITTED, OTHER_NAMESPACE; UNSUPPORTED where this kernel cannot close what its own
/// path manager opened.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_close(fd: c_int, id: u32) -> c_int {
    guard("close", || {
        subflows::close(&socket(fd)?, id)?;
        Ok(0)
    })
}

/// Closes one subflow as subflows_close() does, also the last one that works: the connection
/// then has no path until another is opened, and ends if none is.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_force_close(fd: c_int, id: u32) -> c_int {
    guard("close", || {
        subflows::force_close(&socket(fd)?, id)?;
        Ok(0)
    })
}

/// The name of an enum subflows_subflow_state: "Established". Never NULL; "Unknown" for other
/// numbers.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_subflow_state_name(state: c_int) -> *const c_char {
    enum_name(SUBFLOWS_SUBFLOW_STATE_NAMES, state)
}
