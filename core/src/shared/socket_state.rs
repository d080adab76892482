//! In which state a socket is, as every verb needs to know before it answers "no".

use std::io;
use std::os::fd::BorrowedFd;

use crate::error::{Error, ErrorKind, Result};
use crate::shared::subflow_state::SubflowState;
use crate::sys::cache::{self, QueryError};
use crate::sys::mptcp::{self, RawInfo};
use crate::sys::sock_diag::SockDiag;
use crate::sys::{namespace, poll, socket};

/// What a socket turned out to be.
pub(crate) enum Observed {
    /// Never was Multipath TCP.
    Tcp,
    /// Was to be Multipath TCP, and is plain TCP now.
    FellBack,
    /// Is Multipath TCP.
    Mptcp(RawInfo, Phase),
}

/// How far a Multipath TCP socket has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Unconnected,
    Listening,
    Connecting,
    Connected,
    /// One direction is closed.
    HalfClosed,
    Closed,
}

/// Looks at a socket.
pub(crate) fn observe(sock: BorrowedFd<'_>, operation: &'static str) -> Result<Observed> {
    match mptcp::info(sock) {
        Ok(info) => Ok(Observed::Mptcp(info, phase(sock, &info))),
        Err(error) => observe_tcp(sock, operation, &error),
    }
}

/// The errors that the kernel gives for a socket that is not Multipath TCP: one for IPv4, the
/// other for IPv6.
pub(crate) fn says_not_mptcp(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOPROTOOPT))
}

fn observe_tcp(
    sock: BorrowedFd<'_>,
    operation: &'static str,
    error: &io::Error,
) -> Result<Observed> {
    let errno = error.raw_os_error().unwrap_or(0);
    if !says_not_mptcp(error) {
        return Err(match errno {
            libc::EBADF | libc::ENOTSOCK => {
                Error::argument(operation, "this descriptor is not an open socket").errno(errno)
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
        socket::MPTCP => Ok(Observed::FellBack),
        _ => Ok(Observed::Tcp),
    }
}

/// Turns the error of a `getsockopt(SOL_MPTCP)` into ours.
pub(crate) fn explain(sock: BorrowedFd<'_>, operation: &'static str, error: &io::Error) -> Error {
    match observe_tcp(sock, operation, error) {
        Ok(Observed::FellBack) => Error::new(ErrorKind::NotMptcp, operation)
            .detail("the connection fell back to plain TCP"),
        Ok(_) => Error::new(ErrorKind::NotMptcp, operation),
        Err(error) => error,
    }
}

fn phase(sock: BorrowedFd<'_>, info: &RawInfo) -> Phase {
    if socket::get_i32(sock, libc::SOL_SOCKET, libc::SO_ACCEPTCONN).is_ok_and(|on| on != 0) {
        return Phase::Listening;
    }
    let token = info.raw.mptcpi_token;
    if token == 0 {
        return if was_shut(sock) { Phase::Closed } else { Phase::Unconnected };
    }
    match cache::with_socket_for(sock, |diag: &mut SockDiag| diag.connection(token)) {
        Ok(connection) => match SubflowState::from_kernel(connection.head.state) {
            SubflowState::SynSent => Phase::Connecting,
            SubflowState::Closed => Phase::Closed,
            SubflowState::Established => Phase::Connected,
            _ => Phase::HalfClosed,
        },
        // It is gone; or there is no sock_diag for Multipath TCP here, which is the same answer; or
        // another namespace. The first subflow and poll tell nearly as much.
        Err(_) => phase_without_diag(sock),
    }
}

fn phase_without_diag(sock: BorrowedFd<'_>) -> Phase {
    let initial = socket::tcp_state(sock).map(SubflowState::from_kernel);
    if matches!(initial, Ok(SubflowState::SynSent)) {
        return Phase::Connecting;
    }
    match poll::now(sock, libc::POLLRDHUP) {
        Ok(events) if events & libc::POLLHUP != 0 => Phase::Closed,
        Ok(events) if events & libc::POLLRDHUP != 0 => Phase::HalfClosed,
        _ => Phase::Connected,
    }
}

/// An unconnected socket and one whose connection is gone both have no token; only the latter
/// reports that its receiving side is shut.
fn was_shut(sock: BorrowedFd<'_>) -> bool {
    poll::now(sock, libc::POLLRDHUP).is_ok_and(|events| events & libc::POLLRDHUP != 0)
}

/// Why a verb on one subflow found none.
pub(crate) fn no_such_subflow(sock: BorrowedFd<'_>, operation: &'static str, id: u32) -> Error {
    match observe(sock, operation) {
        Ok(Observed::Mptcp(_, Phase::Closed)) => Error::new(ErrorKind::Closed, operation),
        Ok(Observed::Tcp | Observed::FellBack) => Error::new(ErrorKind::NotMptcp, operation),
        Err(error) => error,
        Ok(Observed::Mptcp(..)) => Error::new(ErrorKind::NoSuchSubflow, operation)
            .detail(format!("this connection has no live subflow with id {id}")),
    }
}

/// Refuses a socket of another network namespace than the one in which the thread is now.
pub(crate) fn must_be_here(sock: BorrowedFd<'_>, operation: &'static str) -> Result<()> {
    match namespace::is_here(sock) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::new(ErrorKind::OtherNamespace, operation)),
        Err(error) => Err(Error::from_io(operation, &error)),
    }
}

/// Turns a failed question to netlink into our error.
pub(crate) fn query_error(operation: &'static str, error: QueryError) -> Error {
    match error {
        QueryError::OtherNamespace => Error::new(ErrorKind::OtherNamespace, operation),
        QueryError::Netlink(refusal) => Error::os(operation, refusal.errno).kernel(refusal.text),
    }
}

/// Why this socket takes no subflow, where its own state says so.
pub(crate) fn why_not(sock: BorrowedFd<'_>, operation: &'static str) -> Option<Error> {
    let error = |kind| Error::new(kind, operation);
    Some(match observe(sock, operation) {
        Ok(Observed::Mptcp(_, Phase::Connecting | Phase::Connected)) => return None,
        Ok(Observed::Mptcp(_, Phase::Unconnected)) => error(ErrorKind::NotConnected),
        Ok(Observed::Mptcp(_, Phase::Listening)) => error(ErrorKind::NotConnected)
            .detail("a listening socket has no connection")
            .with_remedy("Use a socket that it accepted."),
        Ok(Observed::Mptcp(_, Phase::HalfClosed)) => error(ErrorKind::Closed)
            .detail("one direction of the connection is closed")
            .with_remedy("Open subflows before either end shuts its side down."),
        Ok(Observed::Mptcp(_, Phase::Closed)) => error(ErrorKind::Closed),
        Ok(Observed::FellBack) => {
            error(ErrorKind::NotMptcp).detail("the connection fell back to plain TCP")
        }
        Ok(Observed::Tcp) => error(ErrorKind::NotMptcp),
        Err(error) => error,
    })
}
