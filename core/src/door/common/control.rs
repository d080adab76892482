//! The checks before a door takes control of a socket.

use std::os::fd::BorrowedFd;

use crate::door::Door;
use crate::error::{Error, ErrorKind, Result};
use crate::shared::not_controlled::is_accepted;
use crate::shared::socket_state::{MptcpState, SocketState, is_tcp_in_use, plain_tcp, state_of};

const OPERATION: &str = "take_control";

/// Takes control of a socket of the program.
pub(crate) fn take_control_fd(door: &dyn Door, sock: BorrowedFd<'_>) -> Result<()> {
    require_unconnected(sock)?;
    door.take_control(sock).map_err(|refused| refused.during(OPERATION))
}

/// Takes control of a socket that the library has just made.
pub(crate) fn take_control_of_new(door: &dyn Door, sock: BorrowedFd<'_>) -> Result<()> {
    require_unconnected(sock)?;
    door.take_control_of_new(sock).map_err(|refused| refused.during(OPERATION))
}

fn require_unconnected(sock: BorrowedFd<'_>) -> Result<()> {
    let wrong = |what| {
        Err(Error::new(ErrorKind::InvalidState, OPERATION)
            .detail(what)
            .with_remedy("Take control of the socket before it connects."))
    };
    match state_of(sock, OPERATION)? {
        SocketState::Mptcp(_, MptcpState::Unconnected | MptcpState::Closed) => {}
        SocketState::Mptcp(_, MptcpState::Listening) => {
            return Err(Error::new(ErrorKind::InvalidState, OPERATION)
                .detail("a listening socket has no subflows")
                .with_remedy(
                    "To control accepted connections, run: \
                     sysctl net.mptcp.path_manager=userspace.",
                ));
        }
        SocketState::Mptcp(_, MptcpState::Connecting) => return wrong("the socket is connecting"),
        SocketState::Mptcp(..) if is_accepted(sock) == Some(true) => {
            return Err(Error::new(ErrorKind::InvalidState, OPERATION)
                .detail("the connection was accepted")
                .with_remedy(
                    "Run sysctl net.mptcp.path_manager=userspace on this host before clients connect: the setting \
                     at the time of the handshake decides.",
                ));
        }
        SocketState::Mptcp(..) => return wrong("the socket is connected"),
        SocketState::FellBack => return wrong("the connection fell back to plain TCP"),
        SocketState::Tcp if is_tcp_in_use(sock) => {
            return wrong("the socket is a plain TCP socket in use");
        }
        SocketState::Tcp => return Err(plain_tcp(sock, OPERATION)),
    }
    Ok(())
}
