//! Which connections use Multipath TCP (`subflows run --only` and `--not`). This is known at connect(2), when the
//! Multipath TCP socket exists already. For an excluded destination, a TCP socket replaces it, with its options and its
//! address.

use std::ffi::{c_int, c_void};
use std::mem::ManuallyDrop;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use libc::{SOCK_CLOEXEC, SOCK_STREAM, SOL_SOCKET, sockaddr, socklen_t};
use subflows::bare;

use crate::{errno, memory, next, settings, soften, watch};

/// The cookies of the TCP sockets that replaced others, by their descriptors. The report omits those with larger
/// descriptors.
static REPLACED: [AtomicU64; 16_384] = [const { AtomicU64::new(0) }; 16_384];

/// Replaces a socket that the program connects to an excluded destination. Fails with the error that prevented it.
pub(crate) fn connects(
    fd: c_int,
    address: *const sockaddr,
    length: socklen_t,
) -> Result<(), c_int> {
    if !settings::has_destinations() {
        return Ok(());
    }
    let Some(address) = memory::address(address, length) else { return Ok(()) };
    if is_wanted(address) || !soften::is_mptcp(fd) || !is_unconnected(fd) {
        return Ok(());
    }
    becomes_tcp(fd)
}

/// The program listens at a socket.
pub(crate) fn listens(fd: c_int) -> Result<(), c_int> {
    if !settings::listens_by_tcp() || !soften::is_mptcp(fd) || !is_unconnected(fd) {
        return Ok(());
    }
    becomes_tcp(fd)
}

/// Reports whether the socket replaced a Multipath TCP socket.
pub(crate) fn has_replaced(fd: c_int) -> bool {
    place(fd).is_some_and(|place| Some(place.load(Ordering::Relaxed)) == soften::cookie(fd))
}

fn place(fd: c_int) -> Option<&'static AtomicU64> {
    REPLACED.get(usize::try_from(fd).ok()?)
}

fn is_wanted(address: SocketAddr) -> bool {
    subflows_run::is_wanted(settings::only(), settings::not(), address)
}

fn is_unconnected(fd: c_int) -> bool {
    /// The first member of `struct tcp_info`.
    const CLOSE: u8 = 7;
    soften::number::<u8>(fd, libc::IPPROTO_TCP, libc::TCP_INFO) == Some(CLOSE)
}

fn becomes_tcp(fd: c_int) -> Result<(), c_int> {
    let family = soften::number(fd, SOL_SOCKET, libc::SO_DOMAIN).unwrap_or(libc::AF_INET);
    let kind = SOCK_STREAM | SOCK_CLOEXEC;
    // SAFETY: no pointer is passed.
    let made = unsafe { next::socket(family, kind, libc::IPPROTO_TCP) };
    if made < 0 {
        return Err(errno::get());
    }
    // Closed by the system call, which is not a cancellation point.
    // SAFETY: the kernel has made this descriptor for this function.
    let new = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(made) });
    // SAFETY: it is open: the kernel has just answered for it.
    let old = unsafe { BorrowedFd::borrow_raw(fd) };
    bare::copy_options(old, new.as_fd());
    soften::carry(fd, made);
    let is_watched = watch::is_watched(fd);
    let result = bind(fd, made).and_then(|()| {
        let replaced = bare::replace(old, &new);
        replaced.map_err(|error| error.raw_os_error().unwrap_or(libc::EINVAL))
    });
    if result.is_ok() && is_watched {
        watch::add_again(fd);
    }
    // SAFETY: the descriptor is this function's.
    unsafe { next::close_own(made) };
    if let Some(place) = place(fd) {
        place.store(soften::cookie(fd).unwrap_or(0), Ordering::Relaxed);
    }
    result
}

/// Binds the new socket to the address of the old one, which the kernel permits if both may share it.
fn bind(old: c_int, new: c_int) -> Result<(), c_int> {
    // SAFETY: all bytes may be zero.
    let mut local: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
    let mut length = size_of::<libc::sockaddr_in6>() as socklen_t;
    let pointer: *mut libc::sockaddr_in6 = &mut local;
    // SAFETY: the pointer has as many bytes.
    if unsafe { libc::getsockname(old, pointer.cast(), &mut length) } != 0 {
        return Err(errno::get());
    }
    match memory::address(pointer.cast::<sockaddr>().cast_const(), length) {
        Some(local) if local.port() != 0 || !local.ip().is_unspecified() => {}
        _ => return Ok(()),
    }
    let before = soften::number::<c_int>(old, SOL_SOCKET, libc::SO_REUSEADDR).unwrap_or(0);
    let reuse = |fd, on: c_int| {
        let pointer: *const c_int = &on;
        let (option, size) = (libc::SO_REUSEADDR, size_of::<c_int>() as socklen_t);
        // SAFETY: the pointer has as many bytes.
        unsafe { next::setsockopt(fd, SOL_SOCKET, option, pointer.cast::<c_void>(), size) };
    };
    reuse(old, 1);
    reuse(new, 1);
    // SAFETY: the pointer has as many bytes.
    let bound = unsafe { libc::bind(new, pointer.cast(), length) };
    let error = errno::get();
    reuse(old, before);
    reuse(new, before);
    if bound == 0 { Ok(()) } else { Err(error) }
}
