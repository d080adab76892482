//! The state of a socket, and the errors that follow from it.

use std::io;
use std::os::fd::BorrowedFd;

use crate::cause;
use crate::error::{Error, ErrorKind, Result};
use crate::shared::privilege;
use crate::shared::subflow_state::SubflowState;
use crate::sys::cache::{self, QueryError};
use crate::sys::mptcp::{self, RawInfo};
use crate::sys::netlink::NetlinkError;
use crate::sys::sock_diag::{HIDDEN, NO_TCP_DIAG, SockDiag};
use crate::sys::{namespace, poll, socket};

/// The protocol of a socket, and its state if that is Multipath TCP.
pub(crate) enum SocketState {
    /// A TCP socket.
    Tcp,
    /// A Multipath TCP socket whose connection fell back to plain TCP.
    FellBack,
    /// A Multipath TCP socket.
    Mptcp(RawInfo, MptcpState),
}

/// The state of a Multipath TCP socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MptcpState {
    Unconnected,
    Listening,
    Connecting,
    Connected,
    /// One direction is closed.
    HalfClosed,
    Closed,
}

/// Reads the state of a socket.
pub(crate) fn state_of(sock: BorrowedFd<'_>, operation: &'static str) -> Result<SocketState> {
    match mptcp::info(sock) {
        Ok(info) => Ok(SocketState::Mptcp(info, mptcp_state(sock, &info))),
        Err(error) => state_without_mptcp(sock, operation, &error),
    }
}

/// Whether this is the error of an `SOL_MPTCP` option on a socket that is not Multipath TCP: the kernel
/// reports one for IPv4 and another for IPv6.
pub(crate) fn is_not_mptcp(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOPROTOOPT))
}

#[cold]
#[inline(never)]
fn state_without_mptcp(
    sock: BorrowedFd<'_>,
    operation: &'static str,
    error: &io::Error,
) -> Result<SocketState> {
    let errno = error.raw_os_error().unwrap_or(0);
    if !is_not_mptcp(error) {
        return Err(match errno {
            libc::EBADF | libc::ENOTSOCK => {
                Error::argument(operation, "this descriptor is not an open socket")
                    .errno(errno)
                    .with_remedy(
                        "Pass the descriptor of a TCP or Multipath TCP socket that is open.",
                    )
            }
            _ => Error::os(operation, errno),
        });
    }
    let option = |name| socket::get_i32(sock, libc::SOL_SOCKET, name).unwrap_or(-1);
    let is_inet = matches!(option(libc::SO_DOMAIN), libc::AF_INET | libc::AF_INET6);
    if !is_inet || option(libc::SO_TYPE) != libc::SOCK_STREAM {
        return Err(Error::argument(operation, "this socket is not a TCP or Multipath TCP socket")
            .with_remedy("Pass a stream socket of IPv4 or IPv6."));
    }
    match option(libc::SO_PROTOCOL) {
        // A kernel before Linux 5.16 has no state to read, and answers in the same way.
        socket::MPTCP if !mptcp::has_info() => Err(cause::NO_INFO.error(operation)),
        socket::MPTCP => Ok(SocketState::FellBack),
        _ => Ok(SocketState::Tcp),
    }
}

/// Returns the error for a failed `getsockopt(SOL_MPTCP)`.
#[cold]
#[inline(never)]
pub(crate) fn not_mptcp_error(
    sock: BorrowedFd<'_>,
    operation: &'static str,
    error: &io::Error,
) -> Error {
    match state_without_mptcp(sock, operation, error) {
        Ok(SocketState::FellBack) => Error::new(ErrorKind::NotMptcp, operation)
            .detail("the connection fell back to plain TCP"),
        Ok(_) => plain_tcp(sock, operation),
        Err(error) => error,
    }
}

/// Returns the error for a TCP socket. One that is not in use can still become Multipath TCP.
#[cold]
#[inline(never)]
pub(crate) fn plain_tcp(sock: BorrowedFd<'_>, operation: &'static str) -> Error {
    let error = Error::new(ErrorKind::NotMptcp, operation);
    if is_tcp_in_use(sock) {
        return error;
    }
    error
        .detail("the socket is a TCP socket that is not connected")
        .with_remedy("Create the socket with `socket`, or call `upgrade` before connecting.")
}

/// Reports whether a TCP socket is in use, so that `upgrade` cannot change it any more.
pub(crate) fn is_tcp_in_use(sock: BorrowedFd<'_>) -> bool {
    socket::tcp_state(sock)
        .is_ok_and(|state| SubflowState::from_kernel(state) != SubflowState::Closed)
}

fn mptcp_state(sock: BorrowedFd<'_>, info: &RawInfo) -> MptcpState {
    if socket::get_i32(sock, libc::SOL_SOCKET, libc::SO_ACCEPTCONN).is_ok_and(|on| on != 0) {
        return MptcpState::Listening;
    }
    let token = info.raw.mptcpi_token;
    if token == 0 {
        return if was_shut(sock) { MptcpState::Closed } else { MptcpState::Unconnected };
    }
    match cache::with_socket_for(sock, |diag: &mut SockDiag| diag.connection(token)) {
        Ok(connection) => match SubflowState::from_kernel(connection.head.state) {
            SubflowState::SynSent => MptcpState::Connecting,
            SubflowState::Closed => MptcpState::Closed,
            SubflowState::Established => MptcpState::Connected,
            _ => MptcpState::HalfClosed,
        },
        // The connection is gone, or the kernel has no sock_diag for Multipath TCP, which is the same
        // answer, or the socket is of another namespace. The initial subflow and poll show nearly as
        // much.
        Err(_) => mptcp_state_without_diag(sock),
    }
}

fn mptcp_state_without_diag(sock: BorrowedFd<'_>) -> MptcpState {
    let initial = socket::tcp_state(sock).map(SubflowState::from_kernel);
    if matches!(initial, Ok(SubflowState::SynSent)) {
        return MptcpState::Connecting;
    }
    match poll::now(sock, libc::POLLRDHUP) {
        Ok(events) if events & libc::POLLHUP != 0 => MptcpState::Closed,
        Ok(events) if events & libc::POLLRDHUP != 0 => MptcpState::HalfClosed,
        _ => MptcpState::Connected,
    }
}

/// Reports whether the connection of a socket without a token is gone. An unconnected socket has no token
/// either, but only one whose connection is gone has its receiving side shut.
fn was_shut(sock: BorrowedFd<'_>) -> bool {
    poll::now(sock, libc::POLLRDHUP).is_ok_and(|events| events & libc::POLLRDHUP != 0)
}

/// Returns the error of a verb that found no subflow with that id.
#[cold]
#[inline(never)]
pub(crate) fn no_such_subflow(sock: BorrowedFd<'_>, operation: &'static str, id: u32) -> Error {
    match state_of(sock, operation) {
        Ok(SocketState::Mptcp(_, MptcpState::Closed)) => Error::new(ErrorKind::Closed, operation),
        Ok(SocketState::Tcp) => plain_tcp(sock, operation),
        Ok(SocketState::FellBack) => Error::new(ErrorKind::NotMptcp, operation),
        Err(error) => error,
        Ok(SocketState::Mptcp(..)) => Error::new(ErrorKind::NoSuchSubflow, operation)
            .detail(format!("this connection has no live subflow with id {id}")),
    }
}

/// Fails if the socket is of another network namespace than the calling thread.
pub(crate) fn require_same_namespace(sock: BorrowedFd<'_>, operation: &'static str) -> Result<()> {
    match namespace::is_here(sock) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::new(ErrorKind::OtherNamespace, operation)),
        Err(error) => Err(refused(operation, error.into())),
    }
}

/// Returns the error for a failed query by netlink.
#[cold]
#[inline(never)]
pub(crate) fn query_error(operation: &'static str, error: QueryError) -> Error {
    match error {
        QueryError::OtherNamespace => Error::new(ErrorKind::OtherNamespace, operation),
        QueryError::Netlink(refusal) => refused(operation, refusal),
    }
}

/// Returns the error for a refusal by the kernel, with its cause if this process or a module is it.
#[cold]
#[inline(never)]
pub(crate) fn refused(operation: &'static str, refusal: NetlinkError) -> Error {
    let cause = match refusal.errno {
        NO_TCP_DIAG => return cause::NO_TCP_DIAG.error(operation),
        HIDDEN => return cause::HIDDEN_DETAILS.error(operation),
        errno => privilege::cause(errno),
    };
    let error = Error::os(operation, refusal.errno).kernel(refusal.text);
    cause.map_or(error.clone(), |cause| cause.explain(error))
}

/// Returns why subflows of this socket cannot be changed, if its state is the reason.
#[cold]
#[inline(never)]
pub(crate) fn unsteerable_reason(sock: BorrowedFd<'_>, operation: &'static str) -> Option<Error> {
    let error = |kind| Error::new(kind, operation);
    Some(match state_of(sock, operation) {
        Ok(SocketState::Mptcp(_, MptcpState::Connecting | MptcpState::Connected)) => return None,
        Ok(SocketState::Mptcp(_, MptcpState::Unconnected)) => error(ErrorKind::NotConnected),
        Ok(SocketState::Mptcp(_, MptcpState::Listening)) => error(ErrorKind::NotConnected)
            .detail("a listening socket has no connection")
            .with_remedy("Use a socket that `accept` returned."),
        Ok(SocketState::Mptcp(_, MptcpState::HalfClosed)) => error(ErrorKind::Closed)
            .detail("one direction of the connection is closed")
            .with_remedy("Open subflows before either end calls shutdown(2)."),
        Ok(SocketState::Mptcp(_, MptcpState::Closed)) => error(ErrorKind::Closed),
        Ok(SocketState::FellBack) => {
            error(ErrorKind::NotMptcp).detail("the connection fell back to plain TCP")
        }
        Ok(SocketState::Tcp) => plain_tcp(sock, operation),
        Err(error) => error,
    })
}
