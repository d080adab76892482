//! The kernel's own verbs, by token: a thin typed layer that keeps the kernel's words.
//!
//! For programs that manage connections which are not theirs, or that want exactly one kernel
//! command and nothing around it. Programs that hold the socket are better served by the safe
//! verbs at the root of this crate, which choose address ids, interfaces and ports, and which wait
//! until a subflow is usable.
//!
//! ```no_run
//! use std::net::{IpAddr, SocketAddr};
//! use subflows::kernel::{LocalAddress, PathManagerSocket};
//!
//! # fn main() -> Result<(), subflows::kernel::NetlinkError> {
//! let mut manager = PathManagerSocket::open()?;
//! let local = LocalAddress::new(IpAddr::from([192, 0, 2, 1]), 7);
//! manager.create(0x1234_5678, &local, SocketAddr::from(([198, 51, 100, 1], 443)))?;
//! # Ok(())
//! # }
//! ```

pub use crate::sys::event::{KernelEvent, KernelEvents};
pub use crate::sys::netlink::NetlinkError;
pub use crate::sys::path_manager::{LocalAddress, PathManagerSocket};
