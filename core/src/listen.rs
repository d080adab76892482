//! Listening for Multipath TCP connections.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};

use crate::connect::{bind, bind_to_interface, new_socket, resolve};
use crate::error::{Error, Result};
use crate::sys::socket;
use crate::table::{Ty, Typed, operation, options};

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

operation! {
    /// Listens for Multipath TCP connections; plain TCP clients are accepted as well.
    ///
    /// The result is the language's own listener. The address may be taken again at once after the
    /// program ends (SO_REUSEADDR). Where the kernel has no Multipath TCP it is a TCP listener.
    /// Who manages the paths of accepted connections is decided by the network namespace
    /// (`net.mptcp.path_manager`) when a client connects: there is nothing to set here. Where that
    /// is `userspace`, the kernel takes further subflows of clients only while some program of the
    /// host follows [`events`](crate::events). Needs no privilege.
    ///
    /// # Errors
    /// `AddressNotAvailable` where the address is not ours or is taken; `NotPermitted` for a port
    /// below 1024 without the right; `InvalidArgument` where the name does not resolve.
    ///
    /// ```
    /// let listener = subflows::listen("[::1]:0", &subflows::Listen::new())?;
    /// assert_eq!(subflows::status(&listener)?.state, subflows::State::Listening);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    row LISTEN(address: Ty::Address, options: Listen::TY) -> Ty::NewSocket, Nothing,
        [AddressNotAvailable NotPermitted];
    pub fn listen(address: impl ToSocketAddrs, options: &Listen) -> Result<TcpListener> {
        let mut last = None;
        for local in resolve(address, "listen")? {
            match listen_on(local, options) {
                Ok(listener) => return Ok(TcpListener::from(listener)),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| Error::argument("listen", "the name has no address")))
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
