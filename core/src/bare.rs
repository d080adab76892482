//! Readings of one Multipath TCP socket for callers that may be in a signal handler, or between vfork(2) and exec(3):
//! they neither allocate nor lock, and read nothing but the socket's own options. Not a stable interface.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, OwnedFd};

use crate::shared::{
    carry,
    info::{FLAG_FALLBACK, FLAG_REMOTE_KEY_RECEIVED},
};
pub use crate::sys::mptcp::Scratch;
use crate::sys::uapi::diag;
use crate::sys::{conntrack, mptcp, sock_diag, socket, unread};

/// What a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Multipath TCP.
    Mptcp,
    /// It fell back to plain TCP.
    FellBack,
}

/// One path of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    /// The local end.
    pub local: SocketAddr,
    /// The remote end.
    pub remote: SocketAddr,
    /// Data sent, including retransmissions.
    pub bytes_sent: u64,
    /// Data received.
    pub bytes_received: u64,
}

/// Returns the ends of a connection, as getsockname(2) and getpeername(2) report them, also after it has ended. `None` if
/// the socket has had no connection.
pub fn ends(sock: BorrowedFd<'_>) -> Option<(SocketAddr, SocketAddr)> {
    let local = socket::local_address(sock).ok()?;
    let remote = socket::peer_address(sock).ok();
    // An attempt that failed leaves the peer's address as well.
    let ended = || socket::last_peer_address(sock).ok().filter(|_| was_established(sock));
    Some((local, remote.or_else(ended)?))
}

/// Whether a socket that is not connected was.
fn was_established(sock: BorrowedFd<'_>) -> bool {
    let has_key = |info: mptcp::RawInfo| info.raw.mptcpi_flags & FLAG_REMOTE_KEY_RECEIVED != 0;
    // The SYN, or the answer to it.
    mptcp::info(sock).is_ok_and(has_key)
        || socket::tcp_info(sock).is_ok_and(|tcp| tcp.tcpi_delivered > 0)
}

/// Reports whether the connection of a Multipath TCP socket fell back.
pub fn kind(sock: BorrowedFd<'_>) -> Kind {
    match mptcp::info(sock) {
        Ok(info) if info.raw.mptcpi_flags & FLAG_FALLBACK == 0 => Kind::Mptcp,
        _ => Kind::FellBack,
    }
}

/// Calls `each` with each of the first eight subflows, or after a fallback with the one path that is left. Returns
/// how many subflows there are. That includes those that have just ended, so that a connection of which both
/// directions are closed still shows its paths, for a moment: then the kernel forgets their ends and counters. Requires
/// Linux 6.5 for a connection that did not fall back.
pub fn each_subflow(
    sock: BorrowedFd<'_>,
    scratch: &mut Scratch,
    each: &mut dyn FnMut(Path),
) -> usize {
    let mut forgotten = 0;
    let listed = mptcp::first_subflows(sock, scratch, |raw| {
        if raw.remote.port() == 0 {
            forgotten += 1;
            return;
        }
        each(Path {
            local: raw.local,
            remote: raw.remote,
            bytes_sent: raw.tcp.tcpi_bytes_sent,
            bytes_received: raw.tcp.tcpi_bytes_received,
        });
    });
    if let Ok(count) = listed {
        return count.saturating_sub(forgotten);
    }
    let (Some((local, remote)), Ok(tcp)) = (ends(sock), socket::tcp_info(sock)) else {
        return 0;
    };
    let (bytes_sent, bytes_received) = (tcp.tcpi_bytes_sent, tcp.tcpi_bytes_received);
    each(Path { local, remote, bytes_sent, bytes_received });
    1
}

/// Why a connection of a Multipath TCP socket is plain TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// This host's SYN did not ask for Multipath TCP, or no longer did when it was sent again.
    NotRequested,
    /// The peer's answer to the SYN had no Multipath TCP.
    NotAnswered,
    /// Both ends agreed on Multipath TCP, and what arrived afterwards was not.
    AfterHandshake,
}

/// The message to a netlink socket of `NETLINK_SOCK_DIAG` that asks about the path between two ends. `interface` is
/// the one that the socket is bound to, or 0.
pub fn question(local: SocketAddr, remote: SocketAddr, interface: u32) -> impl AsRef<[u8]> {
    sock_diag::question(local, remote, interface)
}

/// Reads the answer for a connection that fell back. `None` if the kernel does not show it: before Linux 6.15, it does
/// only to a process with `CAP_NET_ADMIN`.
pub fn fallback(answer: &[u8]) -> Option<Fallback> {
    let flags = sock_diag::answered_flags(answer)?;
    Some(match (flags & diag::FLAG_CAPABLE_REM, flags & diag::FLAG_CAPABLE_LOC) {
        (0, 0) => Fallback::NotRequested,
        (0, _) => Fallback::NotAnswered,
        _ => Fallback::AfterHandshake,
    })
}

/// Copies the options that Multipath TCP and TCP sockets have in common.
pub fn copy_options(from: BorrowedFd<'_>, to: BorrowedFd<'_>) {
    carry::copy_options(from, to);
}

/// Puts a socket under the descriptor of another one, with its flags and its signals. Another descriptor of the old
/// one, and an epoll set, keep the old one.
///
/// # Errors
/// Those of fcntl(2) and dup3(2).
pub fn replace(old: BorrowedFd<'_>, new: &OwnedFd) -> io::Result<()> {
    carry::replace(old, new)
}

/// Corrects what `FIONREAD` has reported for a Multipath TCP socket to what it reports for a TCP socket. No error of the
/// socket is lost, and no byte is read.
pub fn unread(sock: BorrowedFd<'_>, reported: i32) -> i32 {
    unread::unread(sock, reported)
}

/// The message to a netlink socket of `NETLINK_NETFILTER` that asks where an accepted connection went before this host's
/// rules redirected it. `None` if the socket is not connected.
pub fn destination_question(sock: BorrowedFd<'_>) -> Option<impl AsRef<[u8]>> {
    let ends = (socket::local_address(sock).ok()?, socket::peer_address(sock).ok()?);
    Some(conntrack::question(ends.0, ends.1))
}

/// Reads the answer. Fails with the kernel's error number, or with 0 if the answer has no address.
pub fn original_destination(answer: &[u8]) -> std::result::Result<SocketAddr, i32> {
    conntrack::original_destination(answer)
}
