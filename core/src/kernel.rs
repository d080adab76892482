//! The kernel's path manager commands and events, by token: a thin typed layer.
//!
//! Each method sends one command of the kernel and reports the kernel's answer. Use it to manage
//! connections of other programs, or to send exactly one command. A program that holds the socket
//! should use the functions at the root of this crate: they choose address ids, interfaces and ports,
//! and they wait until a subflow is usable.
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
