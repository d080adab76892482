//! The options that the JDK sets on each new socket, for sockets of core's that replace one.

use std::os::fd::BorrowedFd;

use nix::sys::socket::{getsockopt, setsockopt, sockopt};
use subflows::Family;

use crate::error::Failure;

/// Lets an IPv6 socket talk to IPv4 hosts, as the JDK does, whatever `net.ipv6.bindv6only` is.
/// Setting the option begins the first subflow, so it is only set if it has the wrong value.
pub(crate) fn accept_ipv4(sock: BorrowedFd<'_>, family: Family) -> Result<(), Failure> {
    let failed = |error| Failure::Os("socket", error as i32);
    if family == Family::V6 && getsockopt(&sock, sockopt::Ipv6V6Only).map_err(failed)? {
        setsockopt(&sock, sockopt::Ipv6V6Only, &false).map_err(failed)?;
    }
    Ok(())
}

/// Sets SO_REUSEADDR, as the JDK does for listeners.
pub(crate) fn reuse_address(sock: BorrowedFd<'_>) -> Result<(), Failure> {
    let set = setsockopt(&sock, sockopt::ReuseAddr, &true);
    set.map_err(|error| Failure::Os("socket", error as i32))
}
