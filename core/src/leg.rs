//! One subflow as `sock_diag` knows it: what `MPTCP_FULL_INFO` does not tell.

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

pub(crate) use crate::sys::diag::{Depth, RawLeg};

use crate::sys::cache::{self, Unasked};
use crate::sys::diag::SockDiag;
use crate::sys::netlink::Refusal;
use crate::sys::route::Addresses;

/// Finds the subflow with these ends.
///
/// A subflow that is bound to an interface is found only by naming it, and which one it is bound
/// to is told by nobody: first it is looked for unbound, then on each interface that owns the
/// local address, then in the whole table.
pub(crate) fn find(
    sock: BorrowedFd<'_>,
    local: SocketAddr,
    remote: SocketAddr,
    depth: Depth,
) -> Result<RawLeg, Unasked> {
    match find_on(sock, local, remote, scope(local), depth) {
        Err(Unasked::Refused(refusal)) if refusal.errno == libc::ENOENT => {}
        other => return other,
    }
    let ip = local.ip();
    let owners = cache::about(sock, |addresses: &mut Addresses| addresses.list(ip, 0))?;
    for owner in owners.iter().filter(|owner| owner.ip == ip) {
        match find_on(sock, local, remote, owner.interface, depth) {
            Err(Unasked::Refused(refusal)) if refusal.errno == libc::ENOENT => {}
            other => return other,
        }
    }
    find_in_table(sock, local, remote)
}

/// Finds the subflow with these ends, bound to that interface or to none.
pub(crate) fn find_on(
    sock: BorrowedFd<'_>,
    local: SocketAddr,
    remote: SocketAddr,
    interface: u32,
    depth: Depth,
) -> Result<RawLeg, Unasked> {
    cache::about(sock, |diag: &mut SockDiag| diag.leg(local, remote, interface, depth))
}

fn find_in_table(
    sock: BorrowedFd<'_>,
    local: SocketAddr,
    remote: SocketAddr,
) -> Result<RawLeg, Unasked> {
    let mut found = None;
    cache::about(sock, |diag: &mut SockDiag| {
        diag.legs(|leg| {
            if same(leg.head.local, local) && same(leg.head.remote, remote) {
                found = Some(leg);
            }
        })
    })?;
    found.ok_or(Unasked::Refused(Refusal::bare(libc::ENOENT)))
}

/// Whether two addresses are the same end: scopes are told by some interfaces and not by others.
pub(crate) fn same(a: SocketAddr, b: SocketAddr) -> bool {
    a.ip() == b.ip() && a.port() == b.port()
}

fn scope(local: SocketAddr) -> u32 {
    match local {
        SocketAddr::V6(v6) => v6.scope_id(),
        SocketAddr::V4(_) => 0,
    }
}
