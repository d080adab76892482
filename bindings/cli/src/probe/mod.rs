//! Probing hosts: their names, many at once, and the hop at which options vanish.

pub(crate) mod crowd;
mod segment;
pub(crate) mod target;
pub(crate) mod trace;
