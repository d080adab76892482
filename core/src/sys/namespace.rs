//! Which network namespace a socket belongs to.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::OnceLock;

use nix::sys::stat::stat;

use super::{socket, uapi};

/// Returns the number of the socket's network namespace, unique since boot. `None` on kernels that
/// have no such numbers (before Linux 5.14).
pub(crate) fn cookie(sock: BorrowedFd<'_>) -> Option<u64> {
    let mut cookie = 0u64;
    socket::get(sock, libc::SOL_SOCKET, uapi::SO_NETNS_COOKIE, &mut cookie).ok()?;
    Some(cookie)
}

/// Opens the file of the socket's network namespace.
pub(crate) fn open(sock: BorrowedFd<'_>) -> io::Result<File> {
    // SAFETY: the request takes no argument.
    let opened = unsafe { libc::ioctl(sock.as_raw_fd(), uapi::SIOCGSKNS as _) };
    match socket::check(opened) {
        // SAFETY: the kernel has just made this descriptor, which closes on exec, and nothing else owns it.
        Ok(fd) => Ok(File::from(unsafe { OwnedFd::from_raw_fd(fd) })),
        // The kernel permits that only to an administrator of the namespace. The path takes twice as long.
        Err(_) => File::open("/proc/thread-self/ns/net"),
    }
}

/// The number of a network namespace's file, which no other live namespace has.
pub(crate) type Inode = (u64, u64);

/// Returns the inode of the calling thread's network namespace; `None` without /proc.
pub(crate) fn inode_of_this_thread() -> Option<Inode> {
    inode(c"/proc/thread-self/ns/net")
}

/// Returns the inode of the main thread's network namespace; `None` without /proc, and after the main
/// thread has ended.
pub(crate) fn inode_of_main_thread() -> Option<Inode> {
    inode(c"/proc/self/ns/net")
}

fn inode(path: &CStr) -> Option<Inode> {
    let found = stat(path).ok()?;
    // On 32-bit systems both may be shorter.
    #[allow(clippy::useless_conversion)]
    Some((found.st_dev.into(), found.st_ino.into()))
}

/// The namespace of a process that never leaves it.
static HOME: OnceLock<u64> = OnceLock::new();

/// Promises that no thread of this process leaves the socket's network namespace any more.
pub(crate) fn stay_with(sock: BorrowedFd<'_>) {
    if let Some(home) = cookie(sock) {
        let _ = HOME.set(home);
    }
}

/// Reports whether the calling thread is in the socket's network namespace, by making another
/// socket and comparing the two. On kernels without namespace cookies the answer is yes.
pub(crate) fn is_here(sock: BorrowedFd<'_>) -> io::Result<bool> {
    let Some(theirs) = cookie(sock) else { return Ok(true) };
    if let Some(home) = HOME.get() {
        return Ok(*home == theirs);
    }
    let fresh = socket::new(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_GENERIC)?;
    Ok(cookie(fresh.as_fd()).is_none_or(|ours| ours == theirs))
}
