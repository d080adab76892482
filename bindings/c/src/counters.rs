//! The kernel's counters of Multipath TCP.

use std::cell::RefCell;

use crate::convert::{StringArena, with_strings};
use crate::prelude::*;

thread_local! {
    /// The names of the counters that the thread read last.
    static NAMES: RefCell<StringArena> = RefCell::default();
}

/// Fills at most `room` elements of `size` bytes at `counters`, and returns how many counters there are, or a
/// negative error. The names stay valid until the next call in the same thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_counters(
    counters: *mut subflows_counter,
    room: usize,
    size: usize,
) -> c_int {
    guard("counters", || {
        // SAFETY: `counters` has `room` elements of `size` bytes.
        let out = unsafe { Out::array(counters, room, size) }?;
        let read = subflows::counters()?;
        with_strings(&NAMES, |names| out.fill_all_with_strings(&read, names))
    })
}
