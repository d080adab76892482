//! Sockets: the system calls, one function each, with lengths checked.

use std::io;
use std::mem::{size_of, size_of_val};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::uapi;
use crate::kernel_name::KernelName;

/// The protocol number of Multipath TCP.
pub(crate) const MPTCP: i32 = libc::IPPROTO_MPTCP;

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn check_length(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Makes a socket that a child process does not inherit across exec.
pub(crate) fn new(family: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    // SAFETY: socket takes numbers only.
    let fd = check(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) })?;
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Whether [`new`] failed because there is no Multipath TCP here: not in this kernel, switched off
/// (`net.mptcp.enabled=0`), or [forbidden](is_forbidden).
pub(crate) fn lacks_mptcp(error: &io::Error) -> bool {
    let lacks = [libc::EPROTONOSUPPORT, libc::ENOPROTOOPT, libc::EINVAL];
    error.raw_os_error().is_some_and(|number| lacks.contains(&number)) || is_forbidden(error)
}

/// Whether [`new`] failed by a policy (seccomp, SELinux), of which many know TCP alone.
pub(crate) fn is_forbidden(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EPERM | libc::EACCES))
}

/// A type that the kernel may fill with any bytes, and that we may hand out byte by byte.
///
/// # Safety
/// Every bit pattern is a value of the type.
pub(crate) unsafe trait Plain: Copy {}
// SAFETY: integers have no invalid bit pattern.
unsafe impl Plain for i32 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for u64 {}
// SAFETY: integers only.
unsafe impl Plain for uapi::mptcp_info {}
// SAFETY: integers only.
unsafe impl Plain for uapi::tcp_info {}
// SAFETY: integers only.
unsafe impl Plain for libc::linger {}
// SAFETY: integers only.
unsafe impl Plain for libc::timeval {}
// SAFETY: integers and arrays of them.
unsafe impl<const N: usize> Plain for [u8; N] {}

/// Reads an option into a value that the caller filled beforehand; gives how much was written.
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

/// Reads an option of variable length into bytes; gives how many were written.
pub(crate) fn get_bytes(
    sock: BorrowedFd<'_>,
    level: i32,
    name: i32,
    buffer: &mut [u8],
) -> io::Result<usize> {
    let unit = match (level, name) {
        // The kernel counts a filter in instructions, here and in its answer.
        (libc::SOL_SOCKET, libc::SO_GET_FILTER) => size_of::<libc::sock_filter>(),
        _ => 1,
    };
    let room = buffer.len() / unit;
    let mut length = libc::socklen_t::try_from(room).unwrap_or(libc::socklen_t::MAX);
    let pointer = buffer.as_mut_ptr();
    // SAFETY: the pointer and the length, in the units that this option has, describe `buffer`.
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

/// Gives a netlink socket its address: one without receives no multicast, because it looks like
/// the kernel's own.
pub(crate) fn bind_netlink(sock: BorrowedFd<'_>) -> io::Result<()> {
    let family = (libc::AF_NETLINK as libc::sa_family_t).to_ne_bytes();
    // `struct sockaddr_nl`: family, padding, port (0: the kernel chooses), groups.
    let mut raw = [0u8; 12];
    raw[0..2].copy_from_slice(&family);
    let length = size_of_val(&raw) as libc::socklen_t;
    // SAFETY: the pointer and the length describe `raw`, which the kernel copies byte by byte.
    check(unsafe { libc::bind(sock.as_raw_fd(), raw.as_ptr().cast(), length) }).map(drop)
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

/// Receives one datagram; a longer one is cut, and the netlink parser then refuses it.
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

/// Waits for `events` until the deadline; gives what is there, 0 at the deadline.
///
/// # Errors
/// `Interrupted` where a signal came: the caller decides what that means.
pub(crate) fn poll(
    sock: BorrowedFd<'_>,
    events: i16,
    deadline: Option<Instant>,
) -> io::Result<i16> {
    let mut entry = libc::pollfd { fd: sock.as_raw_fd(), events, revents: 0 };
    let timeout = deadline.map(|deadline| {
        let left = deadline.saturating_duration_since(Instant::now());
        libc::timespec {
            tv_sec: left.as_secs().min(i32::MAX as u64) as libc::time_t,
            tv_nsec: left.subsec_nanos().into(),
        }
    });
    let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: one entry and at most one time, both on our stack; no signal mask.
    check(unsafe { libc::ppoll(&mut entry, 1, timeout, std::ptr::null()) })?;
    Ok(entry.revents)
}

/// What is there at this moment.
pub(crate) fn poll_now(sock: BorrowedFd<'_>, events: i16) -> io::Result<i16> {
    loop {
        match poll(sock, events, Some(Instant::now())) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// An address as the kernel wants it.
struct RawAddress {
    storage: uapi::sockaddr_storage,
    length: libc::socklen_t,
}

impl From<SocketAddr> for RawAddress {
    fn from(address: SocketAddr) -> Self {
        let mut storage = uapi::sockaddr_storage([0; 128]);
        let bytes = &mut storage.0;
        bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
        let (family, length) = match address {
            SocketAddr::V4(v4) => {
                bytes[4..8].copy_from_slice(&v4.ip().octets());
                (libc::AF_INET, 16)
            }
            SocketAddr::V6(v6) => {
                bytes[4..8].copy_from_slice(&v6.flowinfo().to_be_bytes());
                bytes[8..24].copy_from_slice(&v6.ip().octets());
                bytes[24..28].copy_from_slice(&v6.scope_id().to_ne_bytes());
                (libc::AF_INET6, 28)
            }
        };
        bytes[0..2].copy_from_slice(&(family as libc::sa_family_t).to_ne_bytes());
        RawAddress { storage, length }
    }
}

/// Reads an address that the kernel wrote; `None` for another family or for too few bytes. A
/// v4-mapped IPv6 address is given as the IPv4 address that it is.
pub(crate) fn address(bytes: &[u8]) -> Option<SocketAddr> {
    let family = u16::from_ne_bytes(bytes.get(0..2)?.try_into().ok()?);
    let port = u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?);
    match i32::from(family) {
        libc::AF_INET => {
            let ip: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
            Some(SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::from(ip), port)))
        }
        libc::AF_INET6 => {
            let ip: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
            let scope = u32::from_ne_bytes(bytes.get(24..28)?.try_into().ok()?);
            Some(unmapped(SocketAddrV6::new(Ipv6Addr::from(ip), port, 0, scope)))
        }
        _ => None,
    }
}

/// An IPv6 address, or the IPv4 address that it maps.
pub(crate) fn unmapped(v6: SocketAddrV6) -> SocketAddr {
    match v6.ip().to_ipv4_mapped() {
        Some(v4) => SocketAddr::V4(SocketAddrV4::new(v4, v6.port())),
        None => SocketAddr::V6(v6),
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

/// `connect(AF_UNSPEC)`: an unconnected Multipath TCP socket takes its path manager anew.
///
/// Only for a socket that is neither connected nor listening: it ends both.
pub(crate) fn disconnect(sock: BorrowedFd<'_>) -> io::Result<()> {
    let raw = libc::sockaddr { sa_family: libc::AF_UNSPEC as libc::sa_family_t, sa_data: [0; 14] };
    let length = size_of_val(&raw) as libc::socklen_t;
    // SAFETY: the pointer and the length describe `raw`.
    check(unsafe { libc::connect(sock.as_raw_fd(), &raw, length) }).map(drop)
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
    address(&storage.0).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

pub(crate) fn local_address(sock: BorrowedFd<'_>) -> io::Result<SocketAddr> {
    named(sock, libc::getsockname)
}

pub(crate) fn peer_address(sock: BorrowedFd<'_>) -> io::Result<SocketAddr> {
    named(sock, libc::getpeername)
}

/// Accepts one waiting connection without waiting.
pub(crate) fn accept_now(sock: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    let none = std::ptr::null_mut();
    // SAFETY: no address is asked for, so no memory is written.
    let fd = check(unsafe { libc::accept4(sock.as_raw_fd(), none, std::ptr::null_mut(), flags) })?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Puts `new` over the descriptor `old`, which keeps its number.
pub(crate) fn replace(old: BorrowedFd<'_>, new: &OwnedFd, close_on_exec: bool) -> io::Result<()> {
    let flags = if close_on_exec { libc::O_CLOEXEC } else { 0 };
    // SAFETY: dup3 takes numbers only. The caller's `upgrade` contract is that its descriptor now
    // names the new socket; nobody is left with a closed one.
    check(unsafe { libc::dup3(new.as_raw_fd(), old.as_raw_fd(), flags) }).map(drop)
}

/// Which network namespace a socket lives in: a number unique since boot (Linux 5.14).
pub(crate) fn namespace_cookie(sock: BorrowedFd<'_>) -> Option<u64> {
    let mut cookie = 0u64;
    get(sock, libc::SOL_SOCKET, uapi::SO_NETNS_COOKIE, &mut cookie).ok()?;
    Some(cookie)
}

/// Whether the calling thread is in the network namespace of that socket: found by making another.
/// Kernels that have no namespace cookies (before 5.14) cannot say, and are trusted.
pub(crate) fn is_here(sock: BorrowedFd<'_>) -> io::Result<bool> {
    let Some(theirs) = namespace_cookie(sock) else { return Ok(true) };
    let fresh = new(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_GENERIC)?;
    Ok(namespace_cookie(fresh.as_fd()).is_none_or(|ours| ours == theirs))
}

/// The name of an interface, in the network namespace of that socket, of whatever kind.
pub(crate) fn interface_name(sock: BorrowedFd<'_>, index: u32) -> io::Result<KernelName> {
    let mut request = uapi::ifreq { index, ..uapi::ifreq::default() };
    let pointer: *mut uapi::ifreq = &mut request;
    // SAFETY: the kernel reads and writes one `ifreq`, which the pointer leads to.
    check(unsafe { libc::ioctl(sock.as_raw_fd(), uapi::SIOCGIFNAME as _, pointer) })?;
    let name = request.name.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(KernelName::from(&*String::from_utf8_lossy(name)))
}

/// What the kernel knows this socket by: a number that no other socket of this boot has.
pub(crate) fn cookie(sock: BorrowedFd<'_>) -> Option<u64> {
    let mut cookie = 0u64;
    get(sock, libc::SOL_SOCKET, libc::SO_COOKIE, &mut cookie).ok()?;
    Some(cookie)
}

/// The TCP state of a socket, or of the initial subflow of one; a number as `sock_diag` gives it.
pub(crate) fn tcp_state(sock: BorrowedFd<'_>) -> io::Result<u8> {
    let mut tcp = uapi::tcp_info::default();
    get(sock, libc::IPPROTO_TCP, libc::TCP_INFO, &mut tcp)?;
    Ok(tcp.tcpi_state)
}

/// The socket's inode, which `sock_diag` reports for each of its subflows.
pub(crate) fn inode(sock: BorrowedFd<'_>) -> io::Result<u64> {
    nix::sys::stat::fstat(sock).map(|stat| stat.st_ino).map_err(io::Error::from)
}

/// Switches O_NONBLOCK; gives what it was.
pub(crate) fn set_nonblocking(sock: BorrowedFd<'_>, on: bool) -> io::Result<bool> {
    let flags = status_flags(sock)?;
    let mut wanted = flags;
    wanted.set(OFlag::O_NONBLOCK, on);
    if wanted != flags {
        fcntl(sock, FcntlArg::F_SETFL(wanted))?;
    }
    Ok(flags.contains(OFlag::O_NONBLOCK))
}

/// Gives `to` the status flags of `from`: O_NONBLOCK, not O_ASYNC.
pub(crate) fn copy_status_flags(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    let flags = status_flags(from)? & !OFlag::O_ASYNC;
    fcntl(to, FcntlArg::F_SETFL(flags)).map(drop).map_err(io::Error::from)
}

/// Which signal is sent to whom when something happens to the socket.
pub(crate) struct Signals {
    owner: uapi::f_owner_ex,
    signal: i32,
    are_on: bool,
}

/// Reads F_GETOWN_EX, F_GETSIG and O_ASYNC.
pub(crate) fn signals(sock: BorrowedFd<'_>) -> io::Result<Signals> {
    let mut owner = uapi::f_owner_ex::default();
    let pointer: *mut uapi::f_owner_ex = &mut owner;
    // SAFETY: the kernel writes one `f_owner_ex`, which the pointer leads to.
    check(unsafe { libc::fcntl(sock.as_raw_fd(), uapi::F_GETOWN_EX, pointer) })?;
    // SAFETY: this command takes numbers only.
    let signal = check(unsafe { libc::fcntl(sock.as_raw_fd(), uapi::F_GETSIG) })?;
    let are_on = status_flags(sock)?.contains(OFlag::O_ASYNC);
    Ok(Signals { owner, signal, are_on })
}

/// Writes F_SETOWN_EX and F_SETSIG.
pub(crate) fn set_signals(sock: BorrowedFd<'_>, signals: &Signals) -> io::Result<()> {
    if signals.owner.pid != 0 {
        let pointer: *const uapi::f_owner_ex = &signals.owner;
        // SAFETY: the kernel reads one `f_owner_ex`, which the pointer leads to.
        check(unsafe { libc::fcntl(sock.as_raw_fd(), uapi::F_SETOWN_EX, pointer) })?;
    }
    // SAFETY: this command takes numbers only.
    check(unsafe { libc::fcntl(sock.as_raw_fd(), uapi::F_SETSIG, signals.signal) }).map(drop)
}

/// Switches O_ASYNC on where it was on. The kernel keeps the number of the descriptor by which
/// this was asked for, and tells it with the signal.
pub(crate) fn start_signals(sock: BorrowedFd<'_>, signals: &Signals) -> io::Result<()> {
    if signals.are_on {
        fcntl(sock, FcntlArg::F_SETFL(status_flags(sock)? | OFlag::O_ASYNC))?;
    }
    Ok(())
}

fn status_flags(sock: BorrowedFd<'_>) -> io::Result<OFlag> {
    Ok(OFlag::from_bits_retain(fcntl(sock, FcntlArg::F_GETFL)?))
}

/// Whether the descriptor is closed when another program is executed.
pub(crate) fn closes_on_exec(sock: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(fcntl(sock, FcntlArg::F_GETFD)? & libc::FD_CLOEXEC != 0)
}

/// The moment that far from now; a span too long to count is a century.
pub(crate) fn deadline_in(span: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(span).unwrap_or_else(|| now + Duration::from_secs(3_155_760_000))
}

/// Fills a value from the front of `bytes`; what is missing stays as it was.
pub(crate) fn read_prefix<T: Plain>(bytes: &[u8], value: &mut T) {
    let length = bytes.len().min(size_of::<T>());
    let pointer: *mut T = value;
    // SAFETY: `length` fits both, they do not overlap (one is behind a mutable borrow), and any
    // bytes are a valid `T` (`Plain`).
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), pointer.cast::<u8>(), length) };
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn an_address_is_read_back_as_written(ip: std::net::IpAddr, port: u16) {
            let given = SocketAddr::new(ip, port);
            let expected = match given {
                SocketAddr::V6(v6) => unmapped(v6),
                v4 => v4,
            };
            proptest::prop_assert_eq!(address(&RawAddress::from(given).storage.0), Some(expected));
        }

        #[test]
        fn random_bytes_are_an_address_or_nothing(bytes: Vec<u8>) {
            let _ = address(&bytes);
            let mut info = uapi::mptcp_info::default();
            read_prefix(&bytes, &mut info);
        }
    }
}
