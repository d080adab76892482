//! Measures every socket option on TCP and on Multipath TCP sockets of the running kernel.

pub mod kernels;
pub mod measure;
pub mod page;
pub mod socket;
mod softened;
pub mod table;
