//! One subflow in `sock_diag`, which reports what `MPTCP_FULL_INFO` does not.

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

pub(crate) use crate::sys::sock_diag::{Depth, DiagSubflow};

use crate::sys::cache::{self, QueryError};
use crate::sys::interface_addresses::AddressQuery;
use crate::sys::netlink::NetlinkError;
use crate::sys::sock_diag::SockDiag;

/// Finds the subflow of the connection with that token that has these ends.
///
/// The kernel finds a subflow that is bound to an interface only if the question names the
/// interface, and does not report which one that is. So the library looks for an unbound subflow,
/// then on each interface that owns the local address, then in the whole table.
pub(crate) fn find(
    sock: BorrowedFd<'_>,
    token: u32,
    (local, remote): (SocketAddr, SocketAddr),
    depth: Depth,
) -> Result<DiagSubflow, QueryError> {
    match find_on(sock, token, (local, remote), scope(local), depth) {
        Err(error) if error.is(libc::ENOENT) => {}
        other => return other,
    }
    let ip = local.ip();
    let owners =
        cache::with_socket_for(sock, |addresses: &mut AddressQuery| addresses.list(ip, 0))?;
    for owner in owners.iter().filter(|owner| owner.ip == ip) {
        match find_on(sock, token, (local, remote), owner.interface, depth) {
            Err(error) if error.is(libc::ENOENT) => {}
            other => return other,
        }
    }
    find_in_table(sock, token, (local, remote))
}

/// Finds the subflow with these ends that is bound to that interface, or to none if it is 0.
pub(crate) fn find_on(
    sock: BorrowedFd<'_>,
    token: u32,
    (local, remote): (SocketAddr, SocketAddr),
    interface: u32,
    depth: Depth,
) -> Result<DiagSubflow, QueryError> {
    let entry = cache::with_socket_for(sock, |diag: &mut SockDiag| {
        diag.subflow(local, remote, interface, depth)
    })?;
    // The kernel also finds other sockets that would receive a segment between these ends, such as
    // a listener.
    if entry.token == token { Ok(entry) } else { Err(NetlinkError::new(libc::ENOENT).into()) }
}

fn find_in_table(
    sock: BorrowedFd<'_>,
    token: u32,
    (local, remote): (SocketAddr, SocketAddr),
) -> Result<DiagSubflow, QueryError> {
    let mut found = None;
    cache::with_socket_for(sock, |diag: &mut SockDiag| {
        diag.subflows(|entry| {
            let is_it =
                is_same_end(entry.head.local, local) && is_same_end(entry.head.remote, remote);
            if entry.token == token && is_it {
                found = Some(entry);
            }
        })
    })?;
    found.ok_or_else(|| NetlinkError::new(libc::ENOENT).into())
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
