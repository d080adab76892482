//! Asking the kernel by netlink, by system calls, which are not cancellation points.

use std::ffi::c_int;

use crate::next;

/// The longest answer that is read: what is asked for is near its beginning.
pub(crate) const ANSWER: usize = 2048;

/// Sends a message to a netlink socket of this protocol. Returns the length of the answer.
pub(crate) fn asked(protocol: c_int, question: &[u8], room: &mut [u8]) -> Option<usize> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: no pointer is passed.
    let netlink = unsafe { next::socket(libc::AF_NETLINK, kind, protocol) };
    if netlink < 0 {
        return None;
    }
    let (from, length) = (question.as_ptr(), question.len());
    // The kernel answers before the first call returns.
    // SAFETY: the pointer has as many bytes.
    let sent = unsafe { libc::syscall(libc::SYS_sendto, netlink, from, length, 0, 0usize, 0) };
    let (to, most, flags) = (room.as_mut_ptr(), room.len(), libc::MSG_DONTWAIT);
    let received = match sent {
        0.. => {
            // SAFETY: the pointer has as many bytes.
            unsafe { libc::syscall(libc::SYS_recvfrom, netlink, to, most, flags, 0usize, 0usize) }
        }
        _ => -1,
    };
    // SAFETY: the descriptor is this function's.
    unsafe { next::close_own(netlink) };
    usize::try_from(received).ok()
}
