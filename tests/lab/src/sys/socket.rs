//! Multipath TCP sockets, made by hand: the lab does not use the library that it tests.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

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

/// A socket address in the kernel's form.
pub(crate) struct RawAddress {
    storage: libc::sockaddr_storage,
    len: libc::socklen_t,
}

impl RawAddress {
    fn as_ptr(&self) -> *const libc::sockaddr {
        (&raw const self.storage).cast()
    }
}

impl From<SocketAddr> for RawAddress {
    fn from(address: SocketAddr) -> RawAddress {
        // SAFETY: `sockaddr_storage` is plain old data, for which all zeroes are valid.
        let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
        let len = match address {
            SocketAddr::V4(v4) => {
                let raw = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: v4.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from(*v4.ip()).to_be() },
                    sin_zero: [0; 8],
                };
                // SAFETY: the storage is larger than, and aligned for, any socket address.
                unsafe { (&raw mut storage).cast::<libc::sockaddr_in>().write(raw) };
                size_of::<libc::sockaddr_in>()
            }
            SocketAddr::V6(v6) => {
                let raw = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: v6.port().to_be(),
                    sin6_flowinfo: v6.flowinfo(),
                    sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                    sin6_scope_id: v6.scope_id(),
                };
                // SAFETY: the storage is larger than, and aligned for, any socket address.
                unsafe { (&raw mut storage).cast::<libc::sockaddr_in6>().write(raw) };
                size_of::<libc::sockaddr_in6>()
            }
        };
        RawAddress { storage, len: len as libc::socklen_t }
    }
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
    let raw = RawAddress::from(address);
    // SAFETY: the address outlives the call and `len` is its true length.
    check(unsafe { libc::bind(socket.as_fd().as_raw_fd(), raw.as_ptr(), raw.len) })?;
    Ok(())
}

/// Connects the socket, and waits as long as the kernel does.
pub(crate) fn connect(socket: &impl AsFd, address: SocketAddr) -> io::Result<()> {
    let raw = RawAddress::from(address);
    // SAFETY: the address outlives the call and `len` is its true length.
    check(unsafe { libc::connect(socket.as_fd().as_raw_fd(), raw.as_ptr(), raw.len) })?;
    Ok(())
}

/// Starts to listen.
pub(crate) fn listen(socket: &impl AsFd, backlog: libc::c_int) -> io::Result<()> {
    // SAFETY: listen() takes two numbers.
    check(unsafe { libc::listen(socket.as_fd().as_raw_fd(), backlog) })?;
    Ok(())
}

/// Binds the socket to one interface.
pub(crate) fn bind_to_device(socket: &impl AsFd, interface: &str) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, interface.as_bytes())
}

/// Limits connect and send to `seconds` (also a connect that is not answered).
pub(crate) fn set_send_timeout(socket: &impl AsFd, timeout: std::time::Duration) -> io::Result<()> {
    let value = libc::timeval {
        tv_sec: timeout.as_secs() as libc::time_t,
        tv_usec: libc::suseconds_t::from(timeout.subsec_micros()),
    };
    // SAFETY: a `timeval` has no padding, so all its bytes are initialised.
    let bytes = unsafe {
        std::slice::from_raw_parts((&raw const value).cast::<u8>(), size_of::<libc::timeval>())
    };
    set_option(socket, libc::SOL_SOCKET, libc::SO_SNDTIMEO, bytes)
}

/// Sets an option whose value is an int.
pub(crate) fn set_int(
    socket: &impl AsFd,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    set_option(socket, level, option, &value.to_ne_bytes())
}

/// Whether the connection of this socket uses Multipath TCP now, according to the kernel.
pub(crate) fn is_mptcp(socket: &impl AsFd) -> io::Result<bool> {
    match get_int(socket, libc::SOL_TCP, TCP_IS_MPTCP) {
        Ok(value) => Ok(value != 0),
        // Before Linux 6.9: an option that plain TCP does not have.
        Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => {
            Ok(get_int(socket, SOL_MPTCP, MPTCP_INFO).is_ok())
        }
        Err(error) => Err(error),
    }
}

/// The first bytes of an option, as an int.
fn get_int(socket: &impl AsFd, level: libc::c_int, option: libc::c_int) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes to `value`, whose size `len` is.
    check(unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            option,
            (&raw mut value).cast(),
            &mut len,
        )
    })?;
    Ok(value)
}

fn set_option(
    socket: &impl AsFd,
    level: libc::c_int,
    option: libc::c_int,
    value: &[u8],
) -> io::Result<()> {
    let len = value.len() as libc::socklen_t;
    // SAFETY: the kernel reads `len` bytes from `value`, which has that many.
    check(unsafe {
        libc::setsockopt(socket.as_fd().as_raw_fd(), level, option, value.as_ptr().cast(), len)
    })?;
    Ok(())
}
