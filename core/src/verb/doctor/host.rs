//! What this kernel and this process have: Multipath TCP, netlink, the settings, the rights.

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;

use super::finding::{FindingKind, Findings};
use crate::cause;
use crate::door::{self, Missing, Right};
use crate::shared::new_socket::{Family, new_socket};
use crate::shared::{counters, no_mptcp, privilege, settings};
use crate::sys::sock_diag::{NO_TCP_DIAG, SockDiag};
use crate::sys::{fcntl, socket};

/// Counters of the kernel that are not 0 if a connection fell back, and show why.
const FALLBACKS: [&str; 13] = [
    "MPCapableFallbackACK",
    "MPCapableFallbackSYNACK",
    "MPCapableSYNTXDrop",
    "MPCapableSYNTXDisabled",
    "MPFallbackTokenInit",
    "MPCapableDataFallback",
    "DSSCorruptionFallback",
    "DSSNoMatchTCP",
    "DataCsumErr",
    "InfiniteMapRx",
    "MPFailRx",
    "MD5SigFallback",
    "DssFallback",
];

/// Examines what every connection of this process needs. Returns false if there is no Multipath TCP at all.
pub(super) fn examine(found: &mut Findings) -> bool {
    if let Some(cause) = no_mptcp::cause() {
        let kind = match cause {
            cause::SWITCHED_OFF => FindingKind::SwitchedOff,
            cause::NO_MPTCP => FindingKind::NoMptcp,
            _ => FindingKind::MptcpDenied,
        };
        found.add(kind, &[]);
        return false;
    }
    if std::fs::metadata(settings::FOLDER).is_err() {
        found.add(FindingKind::HiddenSettings, &[]);
    }
    black_hole(found);
    if privilege::cause(libc::EINVAL) == Some(cause::NETLINK_DENIED) {
        found.add(FindingKind::NetlinkDenied, &[]);
    }
    true
}

/// Examines what this process may do. Only a program that opens subflows itself needs it.
pub(super) fn rights(found: &mut Findings) {
    let door = door::choose();
    if found.has(FindingKind::NetlinkDenied) {
        return;
    }
    let diag = SockDiag::open().and_then(|mut diag| diag.prove_tcp());
    if diag.is_err_and(|refusal| refusal.errno == NO_TCP_DIAG) {
        found.add(FindingKind::NoTcpDiag, &[]);
    }
    if let Err(missing) = door.check(Right::Steer) {
        no_right(found, &missing);
    } else if let Err(missing) = door.check(Right::TakeControl) {
        match missing.row {
            Some(cause::READ_ONLY_SETTINGS) => found.add(FindingKind::ReadOnlySettings, &[]),
            // Reported already.
            Some(cause::HIDDEN_SETTINGS) => {}
            _ => no_right(found, &missing),
        }
    }
}

fn no_right(found: &mut Findings, missing: &Missing) {
    found.add(FindingKind::NoRight, &[("cause", &missing.cause), ("remedy", &missing.remedy)]);
}

/// Examines what the kernel has counted since the network namespace exists.
pub(super) fn counted(found: &mut Findings) {
    let counters = fallbacks();
    if !counters.is_empty() {
        found.add(FindingKind::Fallbacks, &[("counters", &counters)]);
    }
    let count = counter("MPJoinRejected");
    if count > 0 {
        found.add(FindingKind::JoinsRejected, &[("count", &count)]);
    }
}

/// The counters that show why connections of this network namespace fell back; empty if none did.
pub(super) fn fallbacks() -> String {
    let all = counters::read().ok().flatten().unwrap_or_default();
    let counted = all.iter().filter(|one| one.value > 0 && FALLBACKS.contains(&one.name.as_str()));
    let counted: Vec<_> = counted.map(|one| format!("{} {}", one.name, one.value)).collect();
    counted.join(", ")
}

/// The value of one of the kernel's counters; 0 if this kernel lacks it.
pub(super) fn counter(name: &str) -> u64 {
    counters::value(name).unwrap_or(0)
}

/// The kernel does not report whether connections are plain TCP because of a black hole. It counts each that
/// is. So one is tried, if there was a black hole, over the loopback interface to a port of this process at
/// which nothing listens.
fn black_hole(found: &mut Findings) {
    let seconds = settings::number("blackhole_timeout").unwrap_or(0);
    if seconds == 0 || counter("Blackhole") == 0 {
        return;
    }
    let before = counter("MPCapableSYNTXDisabled");
    let attempt = || -> std::io::Result<()> {
        let closed = socket::new(libc::AF_INET, libc::SOCK_STREAM, 0)?;
        socket::bind(closed.as_fd(), (IpAddr::V4(Ipv4Addr::LOCALHOST), 0).into())?;
        let Ok(sock) = new_socket(Family::V4, "doctor") else { return Ok(()) };
        fcntl::set_nonblocking(sock.as_fd(), true)?;
        // Whether it is refused does not matter.
        let _ = socket::connect(sock.as_fd(), socket::local_address(closed.as_fd())?);
        Ok(())
    };
    if attempt().is_ok() && counter("MPCapableSYNTXDisabled") > before {
        found.add(FindingKind::BlackHole, &[("seconds", &seconds)]);
    }
}
