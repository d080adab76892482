//! Sockets in each state, and their options, by system calls of their own.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockaddrStorage, accept4, bind, connect, getsockname, listen,
};

/// TCP or Multipath TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Plain TCP.
    Tcp,
    /// Multipath TCP.
    Mptcp,
}

/// A new socket.
pub fn new(family: AddressFamily, protocol: Protocol) -> io::Result<OwnedFd> {
    let number = match protocol {
        Protocol::Tcp => libc::IPPROTO_TCP,
        Protocol::Mptcp => libc::IPPROTO_MPTCP,
    };
    // SAFETY: socket takes numbers only.
    let fd = unsafe { libc::socket(family as i32, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, number) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn loopback(family: AddressFamily) -> SockaddrStorage {
    let address: SocketAddr = match family {
        AddressFamily::Inet => (Ipv4Addr::LOCALHOST, 0).into(),
        _ => (Ipv6Addr::LOCALHOST, 0).into(),
    };
    address.into()
}

/// Some options keep a connection from being made. Over loopback it takes microseconds otherwise.
const PATIENCE: u16 = 500;

/// Connects a socket over loopback. Returns the socket that the listener accepted.
pub fn connected(
    family: AddressFamily,
    client: &OwnedFd,
    listener: OwnedFd,
) -> nix::Result<OwnedFd> {
    bind(listener.as_raw_fd(), &loopback(family))?;
    listen(&listener, Backlog::MAXCONN)?;
    let address: SockaddrStorage = getsockname(listener.as_raw_fd())?;
    // Connecting must not block either.
    fcntl(client, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    match connect(client.as_raw_fd(), &address) {
        Ok(()) | Err(Errno::EINPROGRESS) => {}
        Err(errno) => return Err(errno),
    }
    let mut polled = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    if poll(&mut polled, PATIENCE)? == 0 {
        return Err(Errno::ETIMEDOUT);
    }
    fcntl(client, FcntlArg::F_SETFL(OFlag::empty()))?;
    let accepted = accept4(listener.as_raw_fd(), SockFlag::SOCK_CLOEXEC)?;
    // SAFETY: the kernel has just made this descriptor, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(accepted) })
}

/// getsockopt(2).
pub fn get(sock: &OwnedFd, level: i32, number: i32) -> nix::Result<Vec<u8>> {
    // Some options accept one length only.
    match get_up_to(sock, level, number, ROOM) {
        Err(Errno::EINVAL) => get_up_to(sock, level, number, size_of::<u64>()),
        result => result,
    }
}

const ROOM: usize = 256;

fn get_up_to(sock: &OwnedFd, level: i32, number: i32, length: usize) -> nix::Result<Vec<u8>> {
    // Of a filter, the kernel counts the instructions.
    let mut value = [0u8; ROOM * size_of::<libc::sock_filter>()];
    let mut length = length as libc::socklen_t;
    let pointer = value.as_mut_ptr().cast();
    // SAFETY: the pointer and the length describe `value`, also if the length counts instructions.
    let result = unsafe { libc::getsockopt(sock.as_raw_fd(), level, number, pointer, &mut length) };
    Errno::result(result)?;
    Ok(value[..(length as usize).min(value.len())].to_vec())
}

/// setsockopt(2).
pub fn set(sock: &OwnedFd, level: i32, number: i32, value: &[u8]) -> nix::Result<()> {
    let length = value.len() as libc::socklen_t;
    let pointer = value.as_ptr().cast();
    // SAFETY: the pointer and the length describe `value`.
    let result = unsafe { libc::setsockopt(sock.as_raw_fd(), level, number, pointer, length) };
    Errno::result(result).map(drop)
}
