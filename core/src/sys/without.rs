//! Pretending to run on an older kernel, for tests.

/// Reports whether the environment variable `SUBFLOWS_WITHOUT`, a list with commas, has that name:
/// the library then treats the kernel as one that lacks the feature.
pub(crate) fn is_without(name: &str) -> bool {
    let without = std::env::var_os("SUBFLOWS_WITHOUT");
    without.is_some_and(|names| names.to_string_lossy().split(',').any(|n| n == name))
}
