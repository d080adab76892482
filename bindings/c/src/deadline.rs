//! Deadlines as C polls them.

use std::ffi::c_int;
use std::time::Instant;

/// The milliseconds until the deadline, rounded up: a loop that waits this long is not early.
pub(crate) fn milliseconds_until(deadline: Instant) -> c_int {
    let left = deadline.saturating_duration_since(Instant::now());
    c_int::try_from(left.as_micros().div_ceil(1000)).unwrap_or(c_int::MAX)
}
