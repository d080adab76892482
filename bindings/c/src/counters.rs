//! The kernel's counters of Multipath TCP.

use std::cell::RefCell;

use crate::convert::StringArena;
use crate::prelude::*;

const ENDING: Failure = Failure::State(
    "the thread is ending, so that it cannot keep the texts",
    "Call it before the thread ends.",
);

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
        let filled =
            NAMES.try_with(|names| out.fill_all_with_strings(&read, &mut names.borrow_mut()));
        filled.map_err(|_| ENDING)
    })
}
