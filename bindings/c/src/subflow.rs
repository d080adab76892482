//! The subflows of a connection: list them, look into one, close one.

use crate::prelude::*;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_list(
    fd: c_int,
    subflows: *mut subflows_subflow,
    room: usize,
    size: usize,
) -> c_int {
    guard("list", || {
        // SAFETY: `subflows` has `room` elements of `size` bytes.
        let out = unsafe { Out::array(subflows, room, size) }?;
        Ok(out.fill_all(&subflows::list(&socket(fd)?)?))
    })
}

/// `id` is a member of struct subflows_subflow.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_details(
    fd: c_int,
    id: u32,
    details: *mut subflows_details,
    size: usize,
) -> c_int {
    guard("details", || {
        // SAFETY: `details` has `size` bytes.
        let out = unsafe { Out::new(details, size) }?;
        Ok(out.fill(&subflows::details(&socket(fd)?, id)?))
    })
}

/// The descriptor stays open in any case.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_close(fd: c_int, id: u32) -> c_int {
    guard("close", || Ok(subflows::close(&socket(fd)?, id)?))
}

/// Closes one subflow as subflows_close() does, even if it is the last one that works: the
/// connection then has no path until another subflow is opened, and ends if none is.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_force_close(fd: c_int, id: u32) -> c_int {
    guard("close", || Ok(subflows::force_close(&socket(fd)?, id)?))
}

/// Returns the name of an enum subflows_subflow_state: "Established". Never NULL; "Unknown" for
/// other numbers.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_subflow_state_name(state: c_int) -> *const c_char {
    enum_name(SUBFLOWS_SUBFLOW_STATE_NAMES, state)
}
