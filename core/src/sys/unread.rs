//! How many bytes a program can read without waiting, as TCP would report it (`FIONREAD`).
//!
//! For a Multipath TCP socket, the kernel counts the end of the peer's data as a byte (`tests/upstream/fionread`). It
//! also reports 1 for a socket without a connection, and for one that was reset.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{null, null_mut};

use super::socket;

/// The members of `SO_MEMINFO`, `SK_MEMINFO_VARS` in linux/sock_diag.h. The first, `SK_MEMINFO_RMEM_ALLOC`, is 0 if no
/// data is queued.
const MEMORY_NUMBERS: usize = 9;

/// Corrects the number that the kernel has reported. It makes only system calls, which are not cancellation points.
pub(crate) fn unread(sock: BorrowedFd<'_>, reported: i32) -> i32 {
    if reported <= 0 || !is_at_end(sock) {
        return reported;
    }
    // Peeking at an empty queue would take a pending error, which is the program's to see.
    let mut memory = [0u8; 4 * MEMORY_NUMBERS];
    let got = socket::get(sock, libc::SOL_SOCKET, libc::SO_MEMINFO, &mut memory);
    if got.is_ok() && memory[..4] == [0; 4] {
        return 0;
    }
    let peek = libc::MSG_PEEK | libc::MSG_TRUNC | libc::MSG_DONTWAIT;
    let (fd, most) = (sock.as_raw_fd(), reported as usize);
    let (nowhere, from) = (null_mut::<libc::c_void>(), null_mut::<libc::c_void>());
    // SAFETY: with MSG_TRUNC it counts the bytes and writes none; no address is asked for.
    let bytes = unsafe { libc::syscall(libc::SYS_recvfrom, fd, nowhere, most, peek, from, from) };
    i32::try_from(bytes).map_or(reported, |bytes| bytes.clamp(0, reported))
}

/// Whether no further data can arrive.
fn is_at_end(sock: BorrowedFd<'_>) -> bool {
    let mut polled = libc::pollfd { fd: sock.as_raw_fd(), events: libc::POLLRDHUP, revents: 0 };
    let entry: *mut libc::pollfd = &mut polled;
    let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let timeout: *const libc::timespec = &at_once;
    let mask = null::<libc::c_void>();
    // SAFETY: one entry and one time, both on this stack; no signal mask.
    let ready = unsafe { libc::syscall(libc::SYS_ppoll, entry, 1usize, timeout, mask, 0usize) };
    ready == 1
}
