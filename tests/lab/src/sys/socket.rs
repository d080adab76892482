//! Multipath TCP sockets, made by hand: the lab does not use the library that it tests.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use nix::sys::socket::{self, Backlog, SockaddrStorage, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};

use super::check;

// From <linux/tcp.h>, since 6.9; libc does not have it.
const TCP_IS_MPTCP: libc::c_int = 43;
const SOL_MPTCP: libc::c_int = 284;
const MPTCP_INFO: libc::c_int = 1;

/// The protocol of a new socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Mptcp,
    Tcp,
}

/// A new stream socket for the family of `address`.
pub(crate) fn stream(address: SocketAddr, protocol: Protocol) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let protocol = match protocol {
        Protocol::Mptcp => libc::IPPROTO_MPTCP,
        Protocol::Tcp => libc::IPPROTO_TCP,
    };
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
    // SAFETY: socket() takes three numbers.
    let fd = check(unsafe { libc::socket(family, kind, protocol) })?;
    // SAFETY: the kernel has just made this descriptor, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Gives the socket its local address.
pub(crate) fn bind(socket: &impl AsFd, address: SocketAddr) -> io::Result<()> {
    Ok(socket::bind(socket.as_fd().as_raw_fd(), &SockaddrStorage::from(address))?)
}

/// Connects the socket, and waits as long as the kernel does.
pub(crate) fn connect(socket: &impl AsFd, address: SocketAddr) -> io::Result<()> {
    Ok(socket::connect(socket.as_fd().as_raw_fd(), &SockaddrStorage::from(address))?)
}

/// Starts to listen.
pub(crate) fn listen(socket: &impl AsFd, backlog: libc::c_int) -> io::Result<()> {
    Ok(socket::listen(socket, Backlog::new(backlog)?)?)
}

/// Binds the socket to one interface.
pub(crate) fn bind_to_device(socket: &impl AsFd, interface: &str) -> io::Result<()> {
    Ok(socket::setsockopt(socket, sockopt::BindToDevice, &interface.into())?)
}

/// Limits connect and send to this time (also a connect that is not answered).
pub(crate) fn set_send_timeout(socket: &impl AsFd, timeout: Duration) -> io::Result<()> {
    let limit = TimeVal::microseconds(timeout.as_micros().try_into().unwrap_or(i64::MAX));
    Ok(socket::setsockopt(socket, sockopt::SendTimeout, &limit)?)
}

/// Sets an option whose value is an int.
pub(crate) fn set_int(
    socket: &impl AsFd,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    let (fd, len) = (socket.as_fd().as_raw_fd(), size_of_val(&value) as libc::socklen_t);
    // SAFETY: the kernel reads `len` bytes from `value`, whose size `len` is.
    check(unsafe { libc::setsockopt(fd, level, option, (&raw const value).cast(), len) }).map(drop)
}

/// Whether the connection of this socket uses Multipath TCP now, according to the kernel.
pub(crate) fn is_mptcp(socket: &impl AsFd) -> io::Result<bool> {
    match get_int(socket, libc::SOL_TCP, TCP_IS_MPTCP) {
        Ok(value) => Ok(value != 0),
        // Before Linux 6.9, which does not know the question: an option that plain TCP does not have.
        Err(error)
            if matches!(error.raw_os_error(), Some(libc::ENOPROTOOPT | libc::EOPNOTSUPP)) =>
        {
            Ok(get_int(socket, SOL_MPTCP, MPTCP_INFO).is_ok())
        }
        Err(error) => Err(error),
    }
}

/// The first bytes of an option, as an int.
fn get_int(socket: &impl AsFd, level: libc::c_int, option: libc::c_int) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let (fd, mut len) = (socket.as_fd().as_raw_fd(), size_of_val(&value) as libc::socklen_t);
    // SAFETY: the kernel writes at most `len` bytes to `value`, whose size `len` is.
    check(unsafe { libc::getsockopt(fd, level, option, (&raw mut value).cast(), &mut len) })?;
    Ok(value)
}
