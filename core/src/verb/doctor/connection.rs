//! One connection: its state, its subflows, and what its path manager does for it.

use std::fmt::Display;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use super::finding::{FindingKind, Findings};
use super::host::{self, counter};
use super::path_manager::{self, End};
use super::paths::Paths;
use crate::door::common::path_manager::path_manager as manager_of;
use crate::door::{self, common::peers};
use crate::error::Result;
use crate::shared::connected::Connected;
use crate::shared::deny_join_id0;
use crate::shared::details::{self, Details, Host};
use crate::shared::diag_subflow::{self, Depth};
use crate::shared::not_controlled::is_accepted;
use crate::shared::path_manager::PathManager;
use crate::shared::ready::is_ready;
use crate::shared::socket_state::{MptcpState, SocketState, require_same_namespace, state_of};
use crate::shared::subflow::list_fd;
use crate::shared::subflow_state::SubflowState;
use crate::sys::mptcp::RawInfo;
use crate::sys::path_manager::PathManagerSocket;
use crate::sys::socket;

const OPERATION: &str = "diagnose";

/// Examines the connection of a socket.
pub(super) fn examine(found: &mut Findings, sock: BorrowedFd<'_>) -> Result<()> {
    let state = state_of(sock, OPERATION)?;
    require_same_namespace(sock, OPERATION)?;
    match state {
        SocketState::Tcp => {
            host::examine(found);
            found.add(FindingKind::PlainSocket, &[]);
        }
        SocketState::FellBack => {
            host::examine(found);
            let counters = host::fallbacks();
            let counters = if counters.is_empty() { "none" } else { &counters };
            found.add(FindingKind::FellBack, &[("counters", &counters)]);
        }
        SocketState::Mptcp(info, MptcpState::Connected) => connected(found, sock, &info)?,
        SocketState::Mptcp(_, MptcpState::Listening) => listening(found, sock)?,
        SocketState::Mptcp(_, MptcpState::Unconnected | MptcpState::Connecting) => {
            host::examine(found);
            found.add(FindingKind::NotConnected, &[]);
        }
        SocketState::Mptcp(_, MptcpState::HalfClosed) => found.add(FindingKind::HalfClosed, &[]),
        SocketState::Mptcp(_, MptcpState::Closed) => found.add(FindingKind::Closed, &[]),
    }
    Ok(())
}

/// A listener: what its clients meet.
fn listening(found: &mut Findings, sock: BorrowedFd<'_>) -> Result<()> {
    let deferred = socket::get_i32(sock, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT);
    if let Ok(seconds @ 1..) = deferred {
        found.add(FindingKind::DeferAccept, &[("seconds", &seconds)]);
    }
    let limits = PathManagerSocket::open().and_then(|mut manager| manager.limits());
    if limits.is_ok_and(|limits| limits.subflows == 0) {
        found.add(FindingKind::LimitSubflows, &[]);
    }
    Ok(())
}

/// A subflow, with the details that the findings need.
struct Examined {
    id: u32,
    details: Details,
}

fn connected(found: &mut Findings, sock: BorrowedFd<'_>, info: &RawInfo) -> Result<()> {
    let connection = Connected::new(sock, info);
    let token = connection.token;
    let subflows = list_fd(sock, OPERATION)?;
    let first = subflows.first();
    let remote = socket::peer_address(sock).ok().or(first.map(|first| first.remote));
    let initial = socket::local_address(sock).map(|local| local.ip()).ok();
    let initial = initial.filter(|ip| !ip.is_unspecified()).or(first.map(|first| first.local.ip()));
    let paths = Paths::find(sock, remote, initial)?;
    let (mut examined, mut unread, mut host) = (Vec::new(), 0, Host::new(sock));
    for subflow in &subflows {
        let entry = match diag_subflow::find(connection, subflow.ends(), Depth::Shallow) {
            Ok(entry) => entry,
            // It has ended since it was listed.
            Err(error) if error.is(libc::ENOENT) => continue,
            // Without tcp_diag, and before Linux 6.15 without a right, the kernel shows its state alone.
            Err(_) => {
                unread += usize::from(subflow.state == SubflowState::Established);
                continue;
            }
        };
        let mut details = details::from_raw(&entry);
        let owners = paths.owners(details.local.ip());
        details.complete(&mut host, &owners);
        examined.push(Examined { id: subflow.id, details });
    }
    examine_subflows(found, &paths, token, &examined);
    let further = examined.iter().filter(|subflow| subflow.details.is_additional);
    let joined: Vec<&Examined> =
        further.clone().filter(|subflow| subflow.details.is_joined).collect();
    let has_pending = further.clone().count() > joined.len();
    let manager = manager_of(door::choose(), sock, info);
    if !joined.is_empty() {
        let (max, count) = (usize::from(info.raw.mptcpi_subflows_max), joined.len());
        if manager == PathManager::Kernel && max > 0 && count >= max {
            found.add(FindingKind::LimitReached, &[("count", &count)]);
        }
        only_backup(found, token, &joined);
        return Ok(());
    }
    if unread > 1 {
        return Ok(());
    }
    if !is_ready(connection) {
        found.add(FindingKind::NotReady, &[]);
    }
    let peer = peers::peer(sock, token);
    if deny_join_id0::known(sock) == Some(true)
        || peer.as_ref().is_some_and(|peer| peer.denies_initial_address)
    {
        found.add(FindingKind::PeerDeniesInitialAddress, &[]);
    }
    let is_server = is_accepted(sock) == Some(true);
    match manager {
        PathManager::Userspace => {
            let (token, (_, interface)) = (format!("{token:08x}"), paths.second());
            found.add(FindingKind::Controlled, &[("token", &token), ("interface", &interface)]);
            host::rights(found);
        }
        PathManager::Kernel | PathManager::Unknown => {
            let has_announced = match peer {
                Some(peer) => !peer.addresses.is_empty(),
                None => counter("AddAddr") > 0,
            };
            let end = if is_server { End::Server } else { End::Client };
            path_manager::examine_kernels(found, &paths, end, has_announced);
            // The kernel has used the address of an endpoint, and nothing came of it.
            if !has_pending && !is_server && info.raw.mptcpi_local_addr_used > 0 {
                found.add(FindingKind::JoinRefused, &[]);
            }
        }
    }
    if is_server {
        found.add(FindingKind::Accepted, &[]);
    } else {
        paths.examine(found);
    }
    Ok(())
}

/// Examines each subflow.
fn examine_subflows(found: &mut Findings, paths: &Paths<'_>, token: u32, examined: &[Examined]) {
    let token = format!("{token:08x}");
    for Examined { id, details } in examined {
        let (local, remote) = (details.local, details.remote);
        let words: &[(&str, &dyn Display)] = &[("local", &local), ("id", id), ("token", &token)];
        if details.is_address_gone {
            found.add(FindingKind::SubflowAddressGone, words);
        } else if details.is_carrier_gone {
            found.add(FindingKind::SubflowCarrierGone, words);
        }
        if !details.is_additional {
            continue;
        }
        if details.state == SubflowState::SynSent {
            let (ip, peer) = (local.ip(), remote.ip());
            let ends: &[(&str, &dyn Display)] =
                &[("local", &local), ("remote", &remote), ("ip", &ip), ("peer", &peer)];
            found.add(FindingKind::JoinUnanswered, ends);
        } else if details.state == SubflowState::Established && !details.is_joined {
            found.add(FindingKind::JoinUnconfirmed, &[]);
        }
        if details.interface_index.is_none() && !details.is_address_gone {
            elsewhere(found, paths, *id, (local, remote));
        }
    }
}

/// Examines whether a subflow that is not bound to an interface leaves by the one that owns its address.
fn elsewhere(
    found: &mut Findings,
    paths: &Paths<'_>,
    id: u32,
    (local, remote): (SocketAddr, SocketAddr),
) {
    let owners = paths.owners(local.ip());
    let to = crate::shared::route::Destination::new(paths.sock, remote, OPERATION);
    let (Some(owner), Ok(Some(route))) = (owners.first(), to.route(Some(local.ip()), 0)) else {
        return;
    };
    if !route.is_local() && !owners.contains(&route.interface) {
        let (interface, ip) = (paths.name(*owner), local.ip());
        found.add(
            FindingKind::SubflowElsewhere,
            &[("id", &id), ("local", &local), ("ip", &ip), ("interface", &interface)],
        );
    }
}

/// Examines whether a further subflow carries data.
fn only_backup(found: &mut Findings, token: u32, joined: &[&Examined]) {
    let is_backup =
        |subflow: &&&Examined| subflow.details.is_backup || subflow.details.is_remote_backup;
    if let (Some(first), true) = (joined.first(), joined.iter().all(|subflow| is_backup(&subflow)))
    {
        let token = format!("{token:08x}");
        found.add(FindingKind::OnlyBackup, &[("token", &token), ("id", &first.id)]);
    }
}
