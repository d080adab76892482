//! Making a listening socket.

use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use crate::error::{Error, Result};
use crate::shared::interface::{agreed, needs_scope, no_scope};
use crate::shared::new_socket::{bind, bind_to_interface, new_socket};
use crate::sys::socket;

/// Listens on one address, by the interface with that index, or by any if it is 0.
pub(crate) fn listen_on(
    local: SocketAddr,
    interface: u32,
    backlog: u32,
    only_v6: bool,
    operation: &'static str,
) -> Result<OwnedFd> {
    let failed = |error: std::io::Error| Error::from_io(operation, &error);
    let listener = new_socket(local.into(), operation)?;
    let sock = listener.as_fd();
    // The kernel would follow the scope, and ignore the interface.
    let link = agreed(sock, Some(interface).filter(|index| *index != 0), local, operation)?;
    if needs_scope(local.ip()) && link.is_none() {
        return Err(no_scope(sock, local, operation));
    }
    socket::set_i32(sock, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1).map_err(failed)?;
    if local.is_ipv6() {
        let only = i32::from(only_v6);
        socket::set_i32(sock, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, only).map_err(failed)?;
    }
    if interface != 0 {
        bind_to_interface(sock, interface, operation)?;
    }
    bind(sock, local, operation)?;
    let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
    socket::listen(sock, backlog).map_err(failed)?;
    Ok(listener)
}
