//! Pretending to run on an older kernel, for tests.

/// Reports whether the environment variable `SUBFLOWS_WITHOUT`, a list with commas, has that name:
/// the library then treats the kernel as one that lacks the feature.
///
/// A program that has more rights than its user (set-user-ID, file capabilities) ignores the variable.
pub(crate) fn is_without(name: &str) -> bool {
    // SAFETY: takes a number, and reads what the kernel gave the program at its start.
    if unsafe { libc::getauxval(libc::AT_SECURE) } != 0 {
        return false;
    }
    let without = std::env::var_os("SUBFLOWS_WITHOUT");
    without.is_some_and(|names| names.to_string_lossy().split(',').any(|n| n == name))
}
