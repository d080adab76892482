//! Making a listener.

use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use crate::error::{Error, Result};
use crate::shared::new_socket::{bind, bind_to_interface, new_socket};
use crate::sys::socket;
use crate::table::options;

options! {
    /// How to listen.
    pub struct Listen {
        maybe {
            /// Accept only what comes in by this interface (SO_BINDTODEVICE).
            interface: String,
        }
        set {
            /// How many connections may wait to be accepted; the kernel's limit is
            /// `net.core.somaxconn`.
            backlog: u32 = 4096,
            /// An IPv6 listener leaves IPv4 alone.
            only_v6: bool = false,
        }
    }
}

pub(crate) fn listen_on(local: SocketAddr, options: &Listen) -> Result<OwnedFd> {
    const OPERATION: &str = "listen";
    let failed = |error: std::io::Error| Error::from_io(OPERATION, &error);
    let listener = new_socket(local.into(), OPERATION)?;
    let sock = listener.as_fd();
    socket::set_i32(sock, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1).map_err(failed)?;
    if local.is_ipv6() {
        let only = i32::from(options.only_v6);
        socket::set_i32(sock, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, only).map_err(failed)?;
    }
    if let Some(interface) = &options.interface {
        bind_to_interface(sock, interface, OPERATION)?;
    }
    bind(sock, local, OPERATION)?;
    let backlog = i32::try_from(options.backlog).unwrap_or(i32::MAX);
    socket::listen(sock, backlog).map_err(failed)?;
    Ok(listener)
}
