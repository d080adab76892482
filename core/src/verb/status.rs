//! The state of a socket.

use std::os::fd::{AsFd, BorrowedFd};

use crate::door;
use crate::door::common::path_manager::path_manager;
use crate::door::common::peers;
use crate::error::Result;
use crate::shared::connected::Connected;
use crate::shared::deny_join_id0;
use crate::shared::path_manager::PathManager;
use crate::shared::ready::is_ready;
use crate::shared::socket_state::{MptcpState, SocketState, state_of};
use crate::table::{Type, Typed, enumeration, operation, record};

enumeration! {
    /// The state of a stream socket.
    pub enum State {
        /// A Multipath TCP socket without a connection.
        Unconnected = 0,
        /// A Multipath TCP socket that listens.
        Listening = 1,
        /// A Multipath TCP socket whose connection is being established.
        Connecting = 2,
        /// A Multipath TCP connection, also if one direction of it is closed.
        Mptcp = 3,
        /// A connection that fell back from Multipath TCP to plain TCP.
        FellBack = 4,
        /// A TCP socket, also one that was accepted from a client without Multipath TCP.
        Tcp = 5,
        /// A Multipath TCP connection that has ended: closed by both ends, or reset. After a refused
        /// connection the kernel may leave the socket `Unconnected` instead.
        Closed = 6,
    }
}

record! {
    /// The state of a socket at the time of the call.
    pub struct Status {
        /// The state of the socket.
        state: State,
        /// Whether subflows can be opened now: the peer has confirmed Multipath TCP, and no direction
        /// is closed. Also true if the connection has lost all its subflows, and one can be opened.
        is_ready: bool,
        /// What manages the subflows of the connection.
        path_manager: PathManager,
        /// The local token, by which `ss -M` and the kernel's events identify the connection; absent
        /// without a connection.
        token: Option<u32>,
        /// Whether the peer forbids further subflows to its initial address and port (the C flag of RFC
        /// 8684, section 3.1), from the first packet on. Absent if that is unknown: the process must have
        /// followed the connection from its beginning, as for `peer_addresses`.
        is_join_denied: Option<bool>,
    }
}

operation! {
    /// Reports the state of a socket: unconnected, listening, connecting, Multipath TCP, fallen back,
    /// plain TCP, or closed.
    ///
    /// A connection can fall back late, so do not keep the answer: call it again. The answer has the
    /// same meaning for IPv4 and IPv6, and on the end that connected and the end that accepted.
    ///
    /// # Errors
    /// `InvalidArgument` for a descriptor that is not a stream socket of IPv4 or IPv6; `Unsupported` for
    /// a Multipath TCP socket before Linux 5.16.
    ///
    /// ```
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// assert_eq!(subflows::status(&listener)?.state, subflows::State::Tcp);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    row STATUS(sock: Type::Socket) -> Status::TYPE, requires Nothing, since "5.16", [Unsupported];
    pub fn status(sock: &impl AsFd) -> Result<Status> {
        status_fd(sock.as_fd())
    }
}

fn status_fd(sock: BorrowedFd<'_>) -> Result<Status> {
    let (info, phase) = match state_of(sock, "status")? {
        SocketState::Tcp => return Ok(bare(State::Tcp)),
        SocketState::FellBack => return Ok(bare(State::FellBack)),
        SocketState::Mptcp(info, phase) => (info, phase),
    };
    let state = match phase {
        MptcpState::Unconnected => State::Unconnected,
        MptcpState::Listening => State::Listening,
        MptcpState::Connecting => State::Connecting,
        MptcpState::Connected | MptcpState::HalfClosed => State::Mptcp,
        MptcpState::Closed => return Ok(bare(State::Closed)),
    };
    Ok(Status {
        state,
        is_ready: phase == MptcpState::Connected && is_ready(Connected::new(sock, &info)),
        path_manager: match phase {
            MptcpState::Listening => PathManager::Unknown,
            _ => path_manager(door::choose(), sock, &info),
        },
        token: Some(info.raw.mptcpi_token).filter(|token| *token != 0),
        is_join_denied: match state {
            State::Mptcp => is_join_denied(sock, info.raw.mptcpi_token),
            _ => None,
        },
    })
}

fn is_join_denied(sock: BorrowedFd<'_>, token: u32) -> Option<bool> {
    let by_events = || peers::peer(sock, token).map(|peer| peer.denies_initial_address);
    deny_join_id0::known(sock).or_else(by_events)
}

fn bare(state: State) -> Status {
    let path_manager = PathManager::Unknown;
    Status { state, is_ready: false, path_manager, token: None, is_join_denied: None }
}
