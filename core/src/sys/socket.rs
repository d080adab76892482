//! The system calls on sockets, one function each, with lengths checked.

use std::io;
use std::mem::{size_of, size_of_val};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::address::{self, RawAddress};
use super::plain::Plain;
use super::uapi;

/// The protocol number of Multipath TCP.
pub(crate) const MPTCP: i32 = libc::IPPROTO_MPTCP;

/// Returns what a system call returned, or its error if that is negative.
pub(super) fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn check_length(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Makes a socket that is closed when another program is executed.
pub(crate) fn new(family: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    // SAFETY: socket takes numbers only.
    let fd = check(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) })?;
    // SAFETY: the kernel has just made this descriptor, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Reports whether [`new`] failed because Multipath TCP is not available: the kernel lacks it, it
/// is switched off (`net.mptcp.enabled=0`), or a security policy (seccomp, SELinux) denies it. Such
/// a policy may answer with any error number. Only a lack of descriptors also affects TCP.
pub(crate) fn lacks_mptcp(error: &io::Error) -> bool {
    !matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// Reads an option into a value that the caller has initialised. Returns how many bytes were
/// written.
pub(crate) fn get<T: Plain>(
    sock: BorrowedFd<'_>,
    level: i32,
    name: i32,
    value: &mut T,
) -> io::Result<usize> {
    let mut length = size_of::<T>() as libc::socklen_t;
    let pointer: *mut T = value;
    // SAFETY: the pointer and the length describe `value`, any bytes are a valid `T` (`Plain`),
    // and the kernel writes at most `length` bytes.
    check(unsafe { libc::getsockopt(sock.as_raw_fd(), level, name, pointer.cast(), &mut length) })?;
    Ok((length as usize).min(size_of::<T>()))
}

/// Reads an option of variable length. Returns how many bytes were written.
pub(crate) fn get_bytes(
    sock: BorrowedFd<'_>,
    level: i32,
    name: i32,
    buffer: &mut [u8],
) -> io::Result<usize> {
    let unit = match (level, name) {
        // The kernel counts a filter in instructions, in the argument and in its answer.
        (libc::SOL_SOCKET, libc::SO_GET_FILTER) => size_of::<libc::sock_filter>(),
        _ => 1,
    };
    let room = buffer.len() / unit;
    let mut length = libc::socklen_t::try_from(room).unwrap_or(libc::socklen_t::MAX);
    let pointer = buffer.as_mut_ptr();
    // SAFETY: the pointer and the length, in the units of this option, describe `buffer`.
    check(unsafe { libc::getsockopt(sock.as_raw_fd(), level, name, pointer.cast(), &mut length) })?;
    Ok((length as usize * unit).min(buffer.len()))
}

pub(crate) fn get_i32(sock: BorrowedFd<'_>, level: i32, name: i32) -> io::Result<i32> {
    let mut value = 0i32;
    get(sock, level, name, &mut value)?;
    Ok(value)
}

pub(crate) fn set_bytes(
    sock: BorrowedFd<'_>,
    level: i32,
    name: i32,
    value: &[u8],
) -> io::Result<()> {
    let length = libc::socklen_t::try_from(value.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the pointer and the length describe `value`, which the kernel only reads.
    let result =
        unsafe { libc::setsockopt(sock.as_raw_fd(), level, name, value.as_ptr().cast(), length) };
    check(result).map(drop)
}

pub(crate) fn set_i32(sock: BorrowedFd<'_>, level: i32, name: i32, value: i32) -> io::Result<()> {
    set_bytes(sock, level, name, &value.to_ne_bytes())
}

/// Binds a netlink socket to an address of the kernel's choice. Without an address it receives no
/// multicast, because it looks like the kernel's own socket.
pub(crate) fn bind_netlink(sock: BorrowedFd<'_>) -> io::Result<()> {
    bind_netlink_to(sock, 0)
}

/// Binds a netlink socket to that port. Fails with `EADDRINUSE` if another socket of the protocol has it.
pub(crate) fn bind_netlink_to(sock: BorrowedFd<'_>, port: u32) -> io::Result<()> {
    let family = (libc::AF_NETLINK as libc::sa_family_t).to_ne_bytes();
    // `struct sockaddr_nl`: family, padding, port (0: the kernel chooses), groups.
    let mut raw = [0u8; 12];
    raw[0..2].copy_from_slice(&family);
    raw[4..8].copy_from_slice(&port.to_ne_bytes());
    let length = size_of_val(&raw) as libc::socklen_t;
    // SAFETY: the pointer and the length describe `raw`, which the kernel copies byte by byte.
    check(unsafe { libc::bind(sock.as_raw_fd(), raw.as_ptr().cast(), length) }).map(drop)
}

/// Returns the port of a netlink socket; 0 if it is not bound.
pub(crate) fn netlink_port(sock: BorrowedFd<'_>) -> io::Result<u32> {
    let mut raw = [0u8; 12];
    let mut length = size_of_val(&raw) as libc::socklen_t;
    let (fd, pointer) = (sock.as_raw_fd(), raw.as_mut_ptr().cast());
    // SAFETY: the pointer and the length describe `raw`, which the kernel writes byte by byte.
    check(unsafe { libc::getsockname(fd, pointer, &mut length) })?;
    Ok(u32::from_ne_bytes([raw[4], raw[5], raw[6], raw[7]]))
}

/// Sends one datagram to the kernel.
pub(crate) fn send(sock: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<()> {
    loop {
        // SAFETY: the pointer and the length describe `bytes`, which the kernel only reads.
        let sent = unsafe {
            libc::send(sock.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL)
        };
        match check_length(sent) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other.map(drop),
        }
    }
}

/// Receives one datagram. A longer one is truncated, and the netlink parser then rejects it.
pub(crate) fn receive(sock: BorrowedFd<'_>, buffer: &mut [u8], flags: i32) -> io::Result<usize> {
    loop {
        // SAFETY: the pointer and the length describe `buffer`.
        let received = unsafe {
            libc::recv(sock.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), flags)
        };
        match check_length(received) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

pub(crate) fn bind(sock: BorrowedFd<'_>, to: SocketAddr) -> io::Result<()> {
    let raw = RawAddress::from(to);
    let pointer: *const uapi::sockaddr_storage = &raw.storage;
    // SAFETY: the pointer and the length describe `raw`.
    check(unsafe { libc::bind(sock.as_raw_fd(), pointer.cast(), raw.length) }).map(drop)
}

pub(crate) fn connect(sock: BorrowedFd<'_>, to: SocketAddr) -> io::Result<()> {
    let raw = RawAddress::from(to);
    let pointer: *const uapi::sockaddr_storage = &raw.storage;
    // SAFETY: the pointer and the length describe `raw`.
    check(unsafe { libc::connect(sock.as_raw_fd(), pointer.cast(), raw.length) }).map(drop)
}

/// Calls `connect(AF_UNSPEC)`, by which an unconnected Multipath TCP socket copies the namespace's
/// path manager again.
///
/// Only for a socket that is neither connected nor listening: it would end the connection or the
/// listening.
pub(crate) fn disconnect(sock: BorrowedFd<'_>) -> io::Result<()> {
    let raw = libc::sockaddr { sa_family: libc::AF_UNSPEC as libc::sa_family_t, sa_data: [0; 14] };
    let length = size_of_val(&raw) as libc::socklen_t;
    // SAFETY: the pointer and the length describe `raw`.
    check(unsafe { libc::connect(sock.as_raw_fd(), &raw, length) }).map(drop)
}

/// Closes the direction in which this end sends.
pub(crate) fn shutdown_write(sock: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: shutdown takes numbers only.
    check(unsafe { libc::shutdown(sock.as_raw_fd(), libc::SHUT_WR) }).map(drop)
}

pub(crate) fn listen(sock: BorrowedFd<'_>, backlog: i32) -> io::Result<()> {
    // SAFETY: listen takes numbers only.
    check(unsafe { libc::listen(sock.as_raw_fd(), backlog) }).map(drop)
}

type NameCall = unsafe extern "C" fn(i32, *mut libc::sockaddr, *mut libc::socklen_t) -> i32;

fn named(sock: BorrowedFd<'_>, call: NameCall) -> io::Result<SocketAddr> {
    let mut storage = uapi::sockaddr_storage([0; 128]);
    let mut length = size_of_val(&storage) as libc::socklen_t;
    let pointer: *mut uapi::sockaddr_storage = &mut storage;
    // SAFETY: the pointer and the length describe `storage`; the call is getsockname or
    // getpeername, which write at most `length` bytes.
    check(unsafe { call(sock.as_raw_fd(), pointer.cast(), &mut length) })?;
    address::parse(&storage.0).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

pub(crate) fn local_address(sock: BorrowedFd<'_>) -> io::Result<SocketAddr> {
    named(sock, libc::getsockname)
}

pub(crate) fn peer_address(sock: BorrowedFd<'_>) -> io::Result<SocketAddr> {
    named(sock, libc::getpeername)
}

/// Returns the peer's address also after the connection has ended, and of an attempt that failed.
pub(crate) fn last_peer_address(sock: BorrowedFd<'_>) -> io::Result<SocketAddr> {
    // The kernel rejects a length that is longer than the address.
    let mut v6 = [0u8; size_of::<libc::sockaddr_in6>()];
    let mut v4 = [0u8; size_of::<libc::sockaddr_in>()];
    let bytes = match get(sock, libc::SOL_SOCKET, libc::SO_PEERNAME, &mut v6) {
        Ok(_) => &v6[..],
        Err(_) => {
            get(sock, libc::SOL_SOCKET, libc::SO_PEERNAME, &mut v4)?;
            &v4[..]
        }
    };
    address::parse(bytes).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Accepts one pending connection, without waiting.
pub(crate) fn accept_now(sock: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    let none = std::ptr::null_mut();
    // SAFETY: no address is asked for, so no memory is written.
    let fd = check(unsafe { libc::accept4(sock.as_raw_fd(), none, std::ptr::null_mut(), flags) })?;
    // SAFETY: the kernel has just made this descriptor, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Makes the descriptor `old` refer to `new`, under its old number.
pub(crate) fn replace(old: BorrowedFd<'_>, new: &OwnedFd, close_on_exec: bool) -> io::Result<()> {
    let flags = if close_on_exec { libc::O_CLOEXEC } else { 0 };
    // SAFETY: dup3 takes numbers only. `upgrade` documents that the descriptor refers to the new
    // socket afterwards; it is never left closed.
    check(unsafe { libc::dup3(new.as_raw_fd(), old.as_raw_fd(), flags) }).map(drop)
}

/// Returns the kernel's number of the socket, which no other socket has until the next boot.
pub(crate) fn cookie(sock: BorrowedFd<'_>) -> Option<u64> {
    let mut cookie = 0u64;
    get(sock, libc::SOL_SOCKET, libc::SO_COOKIE, &mut cookie).ok()?;
    Some(cookie)
}

/// Returns the TCP state of a socket, or of its initial subflow, as a number of the kernel's.
pub(crate) fn tcp_state(sock: BorrowedFd<'_>) -> io::Result<u8> {
    tcp_info(sock).map(|tcp| tcp.tcpi_state)
}

/// Returns what the kernel reports of a TCP socket, or of the initial subflow.
pub(crate) fn tcp_info(sock: BorrowedFd<'_>) -> io::Result<uapi::tcp_info> {
    let mut tcp = uapi::tcp_info::default();
    get(sock, libc::IPPROTO_TCP, libc::TCP_INFO, &mut tcp)?;
    Ok(tcp)
}

/// Returns the socket's inode, which `sock_diag` reports for each of its subflows.
pub(crate) fn inode(sock: BorrowedFd<'_>) -> io::Result<u64> {
    let stat = nix::sys::stat::fstat(sock)?;
    // On 32-bit systems it is shorter.
    #[allow(clippy::useless_conversion)]
    Ok(stat.st_ino.into())
}
