//! The waits: values that the caller steps, each with a descriptor to poll and a deadline.

pub(crate) mod connecting;
pub(crate) mod events;
pub(crate) mod opening;
pub(crate) mod probing;
mod wake_fd;
