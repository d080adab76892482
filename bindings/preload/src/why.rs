//! Why a connection is not Multipath TCP.

use std::ffi::c_int;
use std::net::SocketAddr;

use libc::{SOCK_CLOEXEC, SOCK_STREAM, SOL_SOCKET};
use subflows::bare::{self, Fallback};

use crate::kernel::{self, ANSWER};
use crate::{choose, next, settings, soften};

/// Of a Multipath TCP socket whose connection fell back: as the kernel shows it.
pub(crate) fn fell_back(
    fd: c_int,
    (local, remote): (SocketAddr, SocketAddr),
    room: &mut [u8; ANSWER],
) -> &'static str {
    let interface = soften::number(fd, SOL_SOCKET, libc::SO_BINDTOIFINDEX).unwrap_or(0u32);
    let question = bare::question(local, remote, interface);
    let fallback =
        kernel::asked(libc::NETLINK_SOCK_DIAG, question.as_ref(), room).and_then(|length| {
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

/// The reason for a TCP socket: it replaced another one, was made without Multipath TCP, or was accepted.
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
