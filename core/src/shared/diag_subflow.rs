//! One subflow in `sock_diag`, which reports what `MPTCP_FULL_INFO` does not.

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

pub(crate) use crate::sys::sock_diag::{Depth, DiagSubflow, Found, HIDDEN};

use crate::shared::connected::Connected;
use crate::shared::info::FLAG_REMOTE_KEY_RECEIVED;
use crate::sys::cache::{self, QueryError};
use crate::sys::interface_addresses::AddressQuery;
use crate::sys::mptcp::is_live;
use crate::sys::netlink::NetlinkError;
use crate::sys::sock_diag::SockDiag;

/// Finds the subflow of the connection with that token that has these ends.
///
/// # Errors
/// `ENOENT` if there is none; [`HIDDEN`] if the kernel hides what it is: see [`is_hidden`].
pub(crate) fn find(
    connection: Connected<'_>,
    ends: (SocketAddr, SocketAddr),
    depth: Depth,
) -> Result<DiagSubflow, QueryError> {
    match search(connection, ends, depth)? {
        Found::Subflow(entry) => Ok(entry),
        Found::Other { .. } => Err(NetlinkError::new(HIDDEN).into()),
    }
}

/// Reports whether the peer has sent its key, with the option of Multipath TCP in its answer to the SYN: also for a
/// connection that has fallen back since, whose socket no longer shows it. `None` if the kernel hides it.
pub(crate) fn has_key_of_peer(
    sock: BorrowedFd<'_>,
    local: SocketAddr,
    remote: SocketAddr,
) -> Option<bool> {
    let found = cache::with_socket_for(sock, |diag: &mut SockDiag| {
        let Found::Subflow(entry) = diag.tcp_socket(local, remote, scope(local), Depth::Shallow)?
        else {
            return Ok(None);
        };
        let flags = diag.connection(entry.token)?.info.raw.mptcpi_flags;
        Ok(Some(flags & FLAG_REMOTE_KEY_RECEIVED != 0))
    });
    found.ok().flatten()
}

/// Looks a subflow up by its ends, also one that the kernel hides.
///
/// The kernel finds a subflow that is bound to an interface only if the question names the
/// interface, and does not report which one that is. So the library looks for an unbound subflow,
/// then on each interface that owns the local address, then in the whole table.
pub(super) fn search(
    connection: Connected<'_>,
    (local, remote): (SocketAddr, SocketAddr),
    depth: Depth,
) -> Result<Found, QueryError> {
    let Connected { sock, token } = connection;
    let is_it = |found: &Found| is_it(found, token, (local, remote));
    let find_on = |interface| {
        let found = cache::with_socket_for(sock, |diag: &mut SockDiag| {
            diag.tcp_socket(local, remote, interface, depth)
        })?;
        if is_it(&found) { Ok(found) } else { Err(NetlinkError::new(libc::ENOENT).into()) }
    };
    match find_on(scope(local)) {
        Err(error) if QueryError::is(&error, libc::ENOENT) => {}
        other => return other,
    }
    let ip = local.ip();
    let owners =
        cache::with_socket_for(sock, |addresses: &mut AddressQuery| addresses.list(ip, 0))?;
    for owner in owners.iter().filter(|owner| owner.ip == ip) {
        match find_on(owner.interface) {
            Err(error) if error.is(libc::ENOENT) => {}
            other => return other,
        }
    }
    let mut found = None;
    cache::with_socket_for(sock, |diag: &mut SockDiag| {
        diag.tcp_sockets(|socket| {
            if is_it(socket) {
                found = Some(socket.clone());
            }
        })
    })?;
    match found {
        // Asked again alone, it may turn out to have ended.
        Some(Found::Other { head, .. }) => find_on(head.interface),
        Some(subflow) => Ok(subflow),
        None => Err(NetlinkError::new(libc::ENOENT).into()),
    }
}

/// Finds the subflow with these ends that is bound to that interface, or to none if it is 0.
pub(crate) fn find_on(
    connection: Connected<'_>,
    (local, remote): (SocketAddr, SocketAddr),
    interface: u32,
    depth: Depth,
) -> Result<DiagSubflow, QueryError> {
    let token = connection.token;
    let found = cache::with_socket_for(connection.sock, |diag: &mut SockDiag| {
        diag.tcp_socket(local, remote, interface, depth)
    })?;
    match found {
        Found::Subflow(entry) if entry.token == token => Ok(entry),
        found if is_it(&found, token, (local, remote)) => Err(NetlinkError::new(HIDDEN).into()),
        _ => Err(NetlinkError::new(libc::ENOENT).into()),
    }
}

/// Reports whether a socket is, or has to be taken for, the subflow with these ends of the connection with
/// that token. The kernel also finds other sockets that would receive a segment between these ends,
/// such as a listener.
fn is_it(found: &Found, token: u32, ends: (SocketAddr, SocketAddr)) -> bool {
    let head = match found {
        Found::Subflow(entry) if entry.token == token => &entry.head,
        // No other live socket has the ends of a live subflow.
        Found::Other { head, .. } if is_hidden(found) => head,
        _ => return false,
    };
    is_same_end(head.local, ends.0) && is_same_end(head.remote, ends.1)
}

/// Reports whether the kernel may hide from this process that a live socket is a subflow.
pub(crate) fn is_hidden(found: &Found) -> bool {
    matches!(found, Found::Other { head, has_ulp: false } if is_live(head.state))
}

/// Compares two addresses without the scope, which not every interface of the kernel reports.
pub(crate) fn is_same_end(a: SocketAddr, b: SocketAddr) -> bool {
    a.ip() == b.ip() && a.port() == b.port()
}

fn scope(local: SocketAddr) -> u32 {
    match local {
        SocketAddr::V6(v6) => v6.scope_id(),
        SocketAddr::V4(_) => 0,
    }
}
