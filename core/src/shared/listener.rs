//! Making a listening socket.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

use crate::error::{Error, Result};
use crate::shared::interface::{agreed, index_of, needs_scope, no_scope};
use crate::shared::new_socket::{bind, bind_to_interface, new_socket};
use crate::sys::socket;
use crate::table::options;

options! {
    /// Options of `listen`.
    pub struct Listen {
        optional {
            /// The interface whose connections are accepted, by name (SO_BINDTOIFINDEX). Without it,
            /// those of every interface.
            interface: String,
        }
        default {
            /// The number of connections that may wait to be accepted, at most
            /// `net.core.somaxconn`.
            backlog: u32 = 4096,
            /// Whether an IPv6 listener accepts IPv6 connections only.
            only_v6: bool = false,
        }
    }
}

/// Listens on every local address: on `::` for both families, or on `0.0.0.0` if the host has no IPv6.
///
/// Only a missing address family leads to `0.0.0.0`. If the port of `::` is in use, a listener on
/// `0.0.0.0` would miss the IPv6 clients, and the caller would not know.
pub(crate) fn listen_on_any(port: u16, options: &Listen) -> Result<OwnedFd> {
    let lacks_ipv6 = |error: &Error| error.raw_os_error() == Some(libc::EAFNOSUPPORT);
    match listen_on((Ipv6Addr::UNSPECIFIED, port).into(), options) {
        Err(error) if lacks_ipv6(&error) && !options.only_v6 => {
            listen_on((Ipv4Addr::UNSPECIFIED, port).into(), options)
        }
        listener => listener,
    }
}

pub(crate) fn listen_on(local: SocketAddr, options: &Listen) -> Result<OwnedFd> {
    let interface =
        options.interface.as_deref().map(|name| index_of(name, "listen")).transpose()?;
    listen_by(interface.unwrap_or(0), local, options, "listen")
}

/// Listens on one address, by the interface with that index, or by any if it is 0. The interface of
/// the options is not read.
pub(crate) fn listen_by(
    interface: u32,
    local: SocketAddr,
    options: &Listen,
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
        let only = i32::from(options.only_v6);
        socket::set_i32(sock, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, only).map_err(failed)?;
    }
    if interface != 0 {
        bind_to_interface(sock, interface, operation)?;
    }
    bind(sock, local, operation)?;
    let backlog = i32::try_from(options.backlog).unwrap_or(i32::MAX);
    socket::listen(sock, backlog).map_err(failed)?;
    Ok(listener)
}
