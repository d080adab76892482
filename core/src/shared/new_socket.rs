//! Making and binding a socket, for the verbs that connect and listen.

use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::cause;
use crate::error::{Error, ErrorKind, Result};
use crate::shared::network;
use crate::sys::socket;
use crate::table::enumeration;

enumeration! {
    /// The address family of a socket.
    pub enum Family {
        /// IPv4.
        V4 = 4,
        /// IPv6. The socket also reaches IPv4 hosts, unless IPV6_V6ONLY is set on it.
        V6 = 6,
    }
}

impl From<SocketAddr> for Family {
    fn from(address: SocketAddr) -> Self {
        if address.is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

pub(crate) fn new_socket(family: Family, operation: &'static str) -> Result<OwnedFd> {
    let family = match family {
        Family::V4 => libc::AF_INET,
        Family::V6 => libc::AF_INET6,
    };
    match socket::new(family, libc::SOCK_STREAM, socket::MPTCP) {
        Ok(fd) => Ok(fd),
        Err(error) if socket::lacks_mptcp(&error) => socket::new(family, libc::SOCK_STREAM, 0)
            .map_err(|error| Error::from_io(operation, &error)),
        Err(error) => Err(Error::from_io(operation, &error)),
    }
}

pub(crate) fn resolve(
    address: impl ToSocketAddrs,
    operation: &'static str,
) -> Result<Vec<SocketAddr>> {
    let found = address.to_socket_addrs().map_err(|error| {
        Error::argument(operation, format!("the address cannot be resolved: {error}"))
            .with_remedy("Pass HOST:PORT with a host name that resolves, or an IP address.")
    })?;
    Ok(found.collect())
}

pub(crate) fn bind(sock: BorrowedFd<'_>, local: SocketAddr, operation: &'static str) -> Result<()> {
    socket::bind(sock, local).map_err(|error| {
        let error = Error::from_io(operation, &error).detail(format!("cannot bind to {local}"));
        match error.kind() {
            _ if local.port() == 0 && error.raw_os_error() == Some(libc::EADDRINUSE) => {
                cause::NO_PORT_LEFT.explain(error)
            }
            ErrorKind::NotPermitted if is_privileged_port(sock, local) => error.with_remedy(
                "Use a port above 1023, or run the program with CAP_NET_BIND_SERVICE.",
            ),
            ErrorKind::NotPermitted => {
                let what = cause::BIND_DENIED.what;
                cause::BIND_DENIED.explain(error).detail(format!("{local}: {what}"))
            }
            _ => error,
        }
    })
}

/// Whether this process lacks the right to the port in every protocol. Policies distinguish protocols.
fn is_privileged_port(sock: BorrowedFd<'_>, local: SocketAddr) -> bool {
    let probe = |probe: OwnedFd| socket::bind(probe.as_fd(), local);
    let result = network::probe(sock, local).and_then(probe);
    local.port() != 0 && result.is_err_and(|error| error.raw_os_error() == Some(libc::EACCES))
}

pub(crate) fn bind_to_interface(
    sock: BorrowedFd<'_>,
    index: u32,
    operation: &'static str,
) -> Result<()> {
    let index = i32::try_from(index).unwrap_or(i32::MAX);
    socket::set_i32(sock, libc::SOL_SOCKET, libc::SO_BINDTOIFINDEX, index).map_err(|error| {
        Error::from_io(operation, &error).detail(format!("cannot bind to interface {index}"))
    })
}
