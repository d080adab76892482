//! Random numbers.

use std::hash::{BuildHasher, Hasher, RandomState};

use super::fork;

/// Returns a number random enough that two threads, or a process and its fork, rarely get the same
/// one. Not for secrets.
pub(crate) fn number() -> u64 {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u64(fork::generation());
    hasher.finish()
}
