//! What a Multipath TCP socket tells by itself: no allocation, no lock, and nothing but its own options. A program may
//! be in a signal handler, or between vfork(2) and exec(3).

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

pub use crate::sys::mptcp::Scratch;
use crate::sys::{mptcp, socket};

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

/// Returns the ends of a connection, as getsockname(2) and getpeername(2) report them; of one that has ended, those of
/// its first subflow. `None` if the socket has had no connection.
pub fn ends(sock: BorrowedFd<'_>, scratch: &mut Scratch) -> Option<(SocketAddr, SocketAddr)> {
    if let (Ok(local), Ok(remote)) = (socket::local_address(sock), socket::peer_address(sock)) {
        return Some((local, remote));
    }
    let mut ends = None;
    // It fails for a socket without a connection, and after a fallback.
    let _ = mptcp::first_subflows(sock, scratch, |raw| {
        let has_peer = !raw.remote.ip().is_unspecified() && raw.remote.port() != 0;
        ends = ends.or(has_peer.then_some((raw.local, raw.remote)));
    });
    ends
}

/// Reports whether the connection of a Multipath TCP socket fell back.
pub fn kind(sock: BorrowedFd<'_>) -> Kind {
    match mptcp::info(sock) {
        Ok(info) if info.raw.mptcpi_flags & super::info::FLAG_FALLBACK == 0 => Kind::Mptcp,
        _ => Kind::FellBack,
    }
}

/// Calls `each` with each of the first eight subflows, or after a fallback with the one path that is left. Returns
/// how many subflows there are. That includes those that have just ended, so that a connection of which both
/// directions are closed still shows its paths. Requires Linux 6.5 for a connection that did not fall back.
pub fn each_subflow(
    sock: BorrowedFd<'_>,
    scratch: &mut Scratch,
    each: &mut dyn FnMut(Path),
) -> usize {
    let listed = mptcp::first_subflows(sock, scratch, |raw| {
        each(Path {
            local: raw.local,
            remote: raw.remote,
            bytes_sent: raw.tcp.tcpi_bytes_sent,
            bytes_received: raw.tcp.tcpi_bytes_received,
        });
    });
    if let Ok(count) = listed {
        return count;
    }
    let (Some((local, remote)), Ok(tcp)) = (ends(sock, scratch), socket::tcp_info(sock)) else {
        return 0;
    };
    let (bytes_sent, bytes_received) = (tcp.tcpi_bytes_sent, tcp.tcpi_bytes_received);
    each(Path { local, remote, bytes_sent, bytes_received });
    1
}
