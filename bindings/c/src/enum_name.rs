//! The names of an enumeration's numbers, for `subflows_*_name()`.

use std::ffi::{CStr, c_char, c_int};

/// The name of a number, out of a table of `mirror.rs`; "Unknown" for a number that is not in it.
pub(crate) fn enum_name(names: &'static [(i32, &'static CStr)], number: c_int) -> *const c_char {
    let found = names.iter().find(|(known, _)| *known == number);
    found.map_or(c"Unknown", |(_, name)| name).as_ptr()
}
