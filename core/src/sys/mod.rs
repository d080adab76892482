//! The ground floor: system calls, kernel layouts, netlink. All `unsafe` of core is here, and
//! nothing above it knows a number of the kernel's.

pub(crate) mod cache;
mod cancel;
pub(crate) mod diag;
pub(crate) mod event;
pub(crate) mod fork;
pub(crate) mod latch;
pub(crate) mod load;
pub(crate) mod mptcp;
pub(crate) mod netlink;
pub(crate) mod path_manager;
#[cfg(feature = "tokio")]
pub(crate) mod reactor;
pub(crate) mod route;
pub(crate) mod socket;
pub(crate) mod uapi;
