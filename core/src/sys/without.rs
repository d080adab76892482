//! Variables of the environment, and pretending to run on an older kernel, for tests.

use std::ffi::OsString;

/// Reports whether the environment variable `SUBFLOWS_WITHOUT`, a list with commas, has that name:
/// the library then treats the kernel as one that lacks the feature.
///
/// A program that has more rights than its user (set-user-ID, file capabilities) ignores the variable.
pub(crate) fn is_without(name: &str) -> bool {
    let without = variable("SUBFLOWS_WITHOUT");
    without.is_some_and(|names| names.to_string_lossy().split(',').any(|n| n == name))
}

/// Returns an environment variable, unless the program has more rights than its user (set-user-ID, file
/// capabilities).
pub(crate) fn variable(name: &str) -> Option<OsString> {
    // SAFETY: takes a number, and reads what the kernel gave the program at its start.
    let is_secure = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    if is_secure { None } else { std::env::var_os(name) }
}
