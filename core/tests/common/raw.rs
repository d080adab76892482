//! System calls, made without the library, by which a test judges it.

use std::io;
use std::mem::{size_of, size_of_val};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::sys::socket::{Backlog, SockaddrStorage};

/// In <linux/in.h>.
pub const IP_LOCAL_PORT_RANGE: i32 = 51;

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// socket(2), with any flags.
pub fn socket(family: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    // SAFETY: socket takes numbers only.
    let fd = check(unsafe { libc::socket(family, kind, protocol) })?;
    // SAFETY: the kernel has just made this descriptor, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// bind(2).
pub fn bind(sock: &impl AsFd, address: SocketAddr) -> io::Result<()> {
    Ok(nix::sys::socket::bind(sock.as_fd().as_raw_fd(), &SockaddrStorage::from(address))?)
}

/// connect(2).
pub fn connect(sock: &impl AsFd, address: SocketAddr) -> io::Result<()> {
    Ok(nix::sys::socket::connect(sock.as_fd().as_raw_fd(), &SockaddrStorage::from(address))?)
}

/// listen(2).
pub fn listen(sock: &impl AsFd) -> io::Result<()> {
    Ok(nix::sys::socket::listen(&sock.as_fd(), Backlog::MAXCONN)?)
}

/// getsockname(2).
pub fn local_address(sock: &impl AsFd) -> SocketAddr {
    let address: SockaddrStorage = nix::sys::socket::getsockname(sock.as_fd().as_raw_fd()).unwrap();
    match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
        (Some(v4), _) => SocketAddr::V4((*v4).into()),
        (_, Some(v6)) => SocketAddr::V6((*v6).into()),
        _ => panic!("no address of IPv4 or IPv6: {address}"),
    }
}

/// getsockopt(2), for a value of up to 64 bytes. Of a filter it returns the number of instructions and
/// the first bytes.
pub fn get(sock: &impl AsFd, level: i32, name: i32) -> io::Result<Vec<u8>> {
    const ROOM: usize = 64;
    let mut value = [0u8; ROOM * size_of::<libc::sock_filter>()];
    let mut length = ROOM as libc::socklen_t;
    let fd = sock.as_fd().as_raw_fd();
    // SAFETY: the pointer and the length describe `value`, also if the length counts instructions.
    check(unsafe { libc::getsockopt(fd, level, name, value.as_mut_ptr().cast(), &mut length) })?;
    Ok(value[..length as usize].to_vec())
}

/// getsockopt(2) of a number.
pub fn get_i32(sock: &impl AsFd, level: i32, name: i32) -> io::Result<i32> {
    let value = get(sock, level, name)?;
    let bytes = value.get(..size_of::<i32>()).and_then(|bytes| bytes.try_into().ok());
    bytes.map(i32::from_ne_bytes).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// setsockopt(2).
pub fn set(sock: &impl AsFd, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
    let (fd, length) = (sock.as_fd().as_raw_fd(), value.len() as libc::socklen_t);
    // SAFETY: the pointer and the length describe `value`.
    check(unsafe { libc::setsockopt(fd, level, name, value.as_ptr().cast(), length) }).map(drop)
}

/// setsockopt(2) of a number.
pub fn set_i32(sock: &impl AsFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    set(sock, level, name, &value.to_ne_bytes())
}

/// Whether a connection is Multipath TCP now, according to the kernel.
pub fn is_mptcp(sock: &impl AsFd) -> bool {
    const TCP_IS_MPTCP: i32 = 43;
    const SOL_MPTCP: i32 = 284;
    const MPTCP_INFO: i32 = 1;
    match get_i32(sock, libc::IPPROTO_TCP, TCP_IS_MPTCP) {
        Ok(answer) => answer == 1,
        // Before Linux 6.9: an option that plain TCP does not have.
        Err(_) => get(sock, SOL_MPTCP, MPTCP_INFO).is_ok(),
    }
}

/// Whether the kernel hides from this process which sockets are subflows. The namespace has a subflow.
pub fn hides_subflows() -> bool {
    let shown = std::process::Command::new("ss").arg("-tniH").output().unwrap();
    !String::from_utf8_lossy(&shown.stdout).contains("tcp-ulp-mptcp")
}

/// F_SETOWN and F_SETSIG: the process that receives this signal when I/O is possible.
pub fn set_owner(sock: &impl AsFd, process: i32, signal: i32) -> io::Result<()> {
    let fd = sock.as_fd().as_raw_fd();
    // SAFETY: this command takes numbers only.
    check(unsafe { libc::fcntl(fd, libc::F_SETOWN, process) })?;
    // SAFETY: as above. libc lacks F_SETSIG for this target.
    check(unsafe { libc::fcntl(fd, 10, signal) }).map(drop)
}

/// F_GETOWN and F_GETSIG.
pub fn owner(sock: &impl AsFd) -> io::Result<(i32, i32)> {
    let fd = sock.as_fd().as_raw_fd();
    // SAFETY: this command takes numbers only.
    let process = check(unsafe { libc::fcntl(fd, libc::F_GETOWN) })?;
    // SAFETY: as above. libc lacks F_GETSIG for this target.
    Ok((process, check(unsafe { libc::fcntl(fd, 11) })?))
}

/// SO_LINGER with a time of zero.
pub fn reset_when_closed(sock: &impl AsFd) {
    let at_once = [1i32, 0].map(i32::to_ne_bytes).concat();
    set(sock, libc::SOL_SOCKET, libc::SO_LINGER, &at_once).unwrap();
}

/// O_NONBLOCK.
pub fn set_nonblocking(sock: &impl AsFd) {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let flags = OFlag::from_bits_retain(fcntl(sock, FcntlArg::F_GETFL).unwrap());
    fcntl(sock, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).unwrap();
}

/// Clears O_NONBLOCK.
pub fn set_blocking(sock: &impl AsFd) {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let flags = OFlag::from_bits_retain(fcntl(sock, FcntlArg::F_GETFL).unwrap());
    fcntl(sock, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK)).unwrap();
}

/// connect(2) with AF_UNSPEC: the connection ends, and the socket can be used again.
pub fn disconnect(sock: &impl AsFd) -> io::Result<()> {
    let nowhere = libc::sockaddr { sa_family: libc::AF_UNSPEC as u16, sa_data: [0; 14] };
    let (fd, length) = (sock.as_fd().as_raw_fd(), size_of_val(&nowhere) as libc::socklen_t);
    // SAFETY: the pointer and the length describe `nowhere`.
    check(unsafe { libc::connect(fd, &nowhere, length) }).map(drop)
}
