//! Making a socket and binding it, for the verbs that connect and listen.

use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{BorrowedFd, OwnedFd};

use crate::error::{Error, ErrorKind, Result};
use crate::sys::socket;
use crate::table::enumeration;

enumeration! {
    /// Which kind of address a socket has.
    pub enum Family {
        /// IPv4.
        V4 = 4,
        /// IPv6; unless told otherwise, such a socket speaks with IPv4 hosts as well.
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
        Error::argument(operation, format!("the address does not resolve: {error}"))
            .with_remedy("Give HOST:PORT, with a host that resolves.")
    })?;
    Ok(found.collect())
}

pub(crate) fn bind(sock: BorrowedFd<'_>, local: SocketAddr, operation: &'static str) -> Result<()> {
    socket::bind(sock, local).map_err(|error| {
        let error = Error::from_io(operation, &error).detail(format!("cannot use {local}"));
        match error.kind() {
            ErrorKind::NotPermitted => error
                .with_remedy("Use a port above 1023, or give the program CAP_NET_BIND_SERVICE."),
            _ => error,
        }
    })
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
