//! The border of every entry: no panic and no cancellation crosses it, and a failure becomes a
//! number.

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::cancel::uncancelled;
use crate::failure::Failure;
use crate::last_error::remember;

/// What an entry returns if it succeeds.
pub(crate) trait Success {
    fn number(self) -> c_int;
}

impl Success for c_int {
    fn number(self) -> c_int {
        self
    }
}

impl Success for () {
    fn number(self) -> c_int {
        0
    }
}

/// Runs an entry, and returns its number, or the negative number of its failure, which is
/// remembered. The calling thread is not cancelled during the call.
pub(crate) fn guard<T: Success>(
    operation: &'static str,
    entry: impl FnOnce() -> Result<T, Failure>,
) -> c_int {
    let mut entry = Some(entry);
    let mut once = || entry.take().map_or(Err(Failure::Panic), |entry| entry().map(T::number));
    run(operation, &mut once)
}

/// The part of [`guard`] that all entries share, compiled once.
fn run(operation: &'static str, entry: &mut dyn FnMut() -> Result<c_int, Failure>) -> c_int {
    uncancelled(|| match catch_unwind(AssertUnwindSafe(entry)) {
        Ok(Ok(number)) => number,
        Ok(Err(failure)) => remember(operation, failure),
        Err(_) => remember(operation, Failure::Panic),
    })
}
