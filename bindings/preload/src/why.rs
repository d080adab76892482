//! Why a connection is not Multipath TCP.

use std::ffi::c_int;
use std::net::SocketAddr;

use libc::{SOCK_CLOEXEC, SOCK_STREAM, SOL_SOCKET};
use subflows::bare::{self, Fallback};

use crate::{choose, next, settings, soften};

/// The longest answer of the kernel that is read: what is asked for is near its beginning.
pub(crate) const ANSWER: usize = 2048;

/// Of a Multipath TCP socket whose connection fell back: as the kernel shows it.
pub(crate) fn fell_back(
    fd: c_int,
    (local, remote): (SocketAddr, SocketAddr),
    room: &mut [u8; ANSWER],
) -> &'static str {
    let interface = soften::number(fd, SOL_SOCKET, libc::SO_BINDTOIFINDEX).unwrap_or(0u32);
    let question = bare::question(local, remote, interface);
    let fallback = asked(question.as_ref(), room).and_then(|length| {
        let answer = room.get(..length)?;
        bare::fallback(answer)
    });
    match fallback {
        Some(Fallback::NotRequested) => "NotRequested",
        Some(Fallback::NotAnswered) => "NotAnswered",
        Some(Fallback::AfterHandshake) => "AfterHandshake",
        None => "Unknown",
    }
}

/// Of a TCP socket: one that took the place of another one, that was made without Multipath TCP, or that was accepted.
pub(crate) fn is_tcp(fd: c_int) -> &'static str {
    if choose::has_replaced(fd) {
        return "Excluded";
    }
    let family = soften::number(fd, SOL_SOCKET, libc::SO_DOMAIN).unwrap_or(libc::AF_INET);
    let kind = SOCK_STREAM | SOCK_CLOEXEC;
    // SAFETY: no pointer is passed.
    let made = unsafe { next::socket(family, kind, libc::IPPROTO_MPTCP) };
    if made < 0 {
        return "NotAvailable";
    }
    // SAFETY: the descriptor is this function's.
    unsafe { next::close_own(made) };
    if settings::listens_by_tcp() { "Excluded" } else { "NotRequestedByPeer" }
}

/// Asks the kernel, by system calls, which are no cancellation points. Returns the length of its answer.
fn asked(question: &[u8], room: &mut [u8]) -> Option<usize> {
    let kind = libc::SOCK_RAW | SOCK_CLOEXEC;
    // SAFETY: no pointer is passed.
    let netlink = unsafe { next::socket(libc::AF_NETLINK, kind, libc::NETLINK_SOCK_DIAG) };
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
