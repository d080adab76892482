//! What a socket is at this moment.

use std::os::fd::{AsFd, BorrowedFd};

use crate::door;
use crate::door::path_manager::path_manager;
use crate::error::Result;
use crate::shared::path_manager::PathManager;
use crate::shared::ready::is_ready;
use crate::shared::socket_state::{MptcpState, SocketState, state_of};
use crate::table::{Type, Typed, enumeration, operation, record};

enumeration! {
    /// What a stream socket is.
    pub enum State {
        /// A Multipath TCP socket that has no connection yet.
        Unconnected = 0,
        /// A Multipath TCP socket that listens.
        Listening = 1,
        /// A Multipath TCP socket whose connection is being set up.
        Connecting = 2,
        /// A Multipath TCP connection, also when one direction of it is closed.
        Mptcp = 3,
        /// A connection that was to be Multipath TCP and is plain TCP.
        FellBack = 4,
        /// A TCP socket, also one accepted from a client that does not speak Multipath TCP.
        Tcp = 5,
        /// A Multipath TCP connection that is over: closed by both ends, or reset. One that was
        /// refused may leave its socket unconnected, as the kernel does.
        Closed = 6,
    }
}

record! {
    /// What a socket is at this moment.
    pub struct Status {
        /// What it is.
        state: State,
        /// Whether subflows may be opened now: the peer has shown that it speaks Multipath TCP,
        /// and neither direction is closed.
        is_ready: bool,
        /// Who decides about its subflows.
        path_manager: PathManager,
        /// The local token, by which `ss -M` and the kernel's events name the connection; absent
        /// while there is none.
        token: Option<u32>,
    }
}

operation! {
    /// Tells what a socket is: unconnected, listening, connecting, Multipath TCP, fallen back,
    /// plain TCP, or closed.
    ///
    /// Fallback can come late, so ask again rather than remember. The answer has the same meaning
    /// for IPv4 and IPv6, for the side that connected and the side that accepted.
    ///
    /// # Errors
    /// `InvalidArgument` for what is no stream socket of IPv4 or IPv6; never for one that is.
    ///
    /// ```
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// assert_eq!(subflows::status(&listener)?.state, subflows::State::Tcp);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    row STATUS(sock: Type::Socket) -> Status::TYPE, requires Nothing, since "5.16", [];
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
        is_ready: phase == MptcpState::Connected && is_ready(sock, info.raw.mptcpi_token),
        path_manager: match phase {
            MptcpState::Listening => PathManager::Unknown,
            _ => path_manager(door::choose(), sock, &info),
        },
        token: Some(info.raw.mptcpi_token).filter(|token| *token != 0),
    })
}

fn bare(state: State) -> Status {
    Status { state, is_ready: false, path_manager: PathManager::Unknown, token: None }
}
