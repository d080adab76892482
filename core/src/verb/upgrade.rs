//! Making a TCP socket of a program a Multipath TCP socket, under the same descriptor.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use crate::error::{Error, ErrorKind, Result};
use crate::shared::socket_state::{MptcpState, SocketState, state_of};
use crate::shared::subflow_state::SubflowState;
use crate::shared::{carry, no_mptcp};
use crate::sys::{namespace, socket};
use crate::table::{Type, operation};

const OPERATION: &str = "upgrade";

operation! {
    /// Makes an unconnected, unbound TCP socket a Multipath TCP socket, under the same descriptor.
    ///
    /// The library replaces the socket under the descriptor by a new one (dup3). It copies the options
    /// that were set and reads them back. The flags of the descriptor and its signals (F_SETOWN,
    /// F_SETSIG) stay. A socket that is Multipath TCP already is not changed.
    ///
    /// Call it before the socket is watched: another descriptor of the socket, an epoll set and
    /// io_uring keep the old socket. The call fails if this process has another descriptor or an epoll
    /// set with the socket; it cannot see io_uring and other processes. Options that a program cannot
    /// read from a TCP socket are not copied, and do not make the call fail: TCP_MD5SIG,
    /// SO_ATTACH_REUSEPORT_CBPF and _EBPF, SO_BUSY_POLL_BUDGET, SO_TXTIME on the default clock,
    /// IPV6_PKTINFO, IPV6_MTU, IPV6_FLOWLABEL_MGR, IP_XFRM_POLICY and IP_IPSEC_POLICY with their IPv6
    /// counterparts. Set these after the call. An option that requires a privilege to be set (SO_MARK)
    /// requires it again. TCP_DEFER_ACCEPT is copied; on a listener it delays further subflows of
    /// clients by its time, so clear it.
    ///
    /// # Errors
    /// - `InvalidState` for a socket that is bound, connecting, connected or listening, or that an
    ///   epoll set or another descriptor of this process still holds.
    /// - `Unsupported` if an option was set that Multipath TCP does not have (the message names it), or
    ///   if the kernel has no Multipath TCP.
    /// - `OtherNamespace` from another network namespace, to which the new socket would belong.
    /// - `InvalidArgument` for a descriptor that is not a stream socket of IPv4 or IPv6.
    ///
    /// The socket is as it was after every error.
    ///
    /// ```
    /// use std::os::fd::{AsFd, FromRawFd, OwnedFd};
    ///
    /// // SAFETY: a new descriptor that nothing else owns.
    /// let sock = unsafe { OwnedFd::from_raw_fd(libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0)) };
    /// subflows::upgrade(&sock)?;
    /// assert_eq!(subflows::status(&sock)?.state, subflows::State::Unconnected);
    /// # Ok::<(), subflows::Error>(())
    /// ```
    row UPGRADE(sock: Type::Socket) -> Type::Nothing,
        requires Nothing, since "5.6", [InvalidState Unsupported OtherNamespace];
    pub fn upgrade(sock: &impl AsFd) -> Result<()> {
        upgrade_fd(sock.as_fd())
    }
}

fn upgrade_fd(sock: BorrowedFd<'_>) -> Result<()> {
    match state_of(sock, OPERATION)? {
        SocketState::Mptcp(_, MptcpState::Unconnected | MptcpState::Closed) => return Ok(()),
        SocketState::Tcp => refuse_used(sock)?,
        SocketState::Mptcp(..) | SocketState::FellBack => {
            return Err(used("the socket is a Multipath TCP socket in use"));
        }
    }
    carry::refuse_watched(sock, OPERATION)?;
    let family = socket::get_i32(sock, libc::SOL_SOCKET, libc::SO_DOMAIN).map_err(failed)?;
    let new = socket::new(family, libc::SOCK_STREAM, socket::MPTCP).map_err(no_socket)?;
    if namespace::cookie(sock) != namespace::cookie(new.as_fd()) {
        return Err(Error::new(ErrorKind::OtherNamespace, OPERATION));
    }
    carry::replace_tcp(sock, new, family, OPERATION)
}

fn failed(error: io::Error) -> Error {
    Error::from_io(OPERATION, &error)
}

fn no_socket(error: io::Error) -> Error {
    if !socket::lacks_mptcp(&error) {
        return failed(error);
    }
    let cause = no_mptcp::cause_of(&error);
    cause.explain(failed(error))
}

fn used(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidState, OPERATION)
        .detail(what)
        .with_remedy("Upgrade a socket right after socket(2), before bind, connect and listen.")
}

fn refuse_used(sock: BorrowedFd<'_>) -> Result<()> {
    let listens = socket::get_i32(sock, libc::SOL_SOCKET, libc::SO_ACCEPTCONN);
    if listens.map_err(failed)? != 0 {
        return Err(used("the socket is listening"));
    }
    let state = socket::tcp_state(sock).map_err(failed)?;
    if SubflowState::from_kernel(state) != SubflowState::Closed {
        return Err(used("the socket is connecting or connected"));
    }
    let local = socket::local_address(sock).map_err(failed)?;
    if local.port() != 0 || !local.ip().is_unspecified() {
        return Err(used("the socket is bound"));
    }
    Ok(())
}
