//! What answers at the remote address.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use super::finding::{FindingKind, Findings};
use super::paths::is_nowhere;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::{address, socket};
use crate::wait::connecting::{Connect, Connecting};
use crate::wait::probing::{Probe, ProbeReport, Probing, Verdict};

const OPERATION: &str = "doctor";
/// How long it takes at most to find out again why no packet reaches the remote address.
const AGAIN: Duration = Duration::from_secs(1);

/// Refuses what is not the address of a host.
pub(super) fn checked(remote: SocketAddr) -> Result<SocketAddr> {
    if is_nowhere(remote) {
        return Err(Error::argument(OPERATION, format!("{remote} is not an address of a host"))
            .with_remedy("Pass the address and the port of a server."));
    }
    Ok(match remote {
        SocketAddr::V6(v6) => address::unmapped(v6),
        v4 => v4,
    })
}

/// A socket of the calling thread's network namespace, to ask about it.
pub(super) fn any_socket() -> Result<OwnedFd> {
    let inet = socket::new(libc::AF_INET, libc::SOCK_DGRAM, 0);
    let any = inet.or_else(|_| socket::new(libc::AF_INET6, libc::SOCK_DGRAM, 0));
    any.map_err(|error| Error::from_io(OPERATION, &error))
}

/// Begins to connect. `None` if that has failed, which is a finding then.
pub(super) fn begin(
    found: &mut Findings,
    remote: SocketAddr,
    timeout: Duration,
) -> Result<Option<Probing>> {
    match Probing::begin(remote, &Probe::new().timeout(timeout)) {
        Ok(probing) => Ok(Some(probing)),
        Err(error) => not_tried(found, error).map(|()| None),
    }
}

/// Examines why there is no report.
pub(super) fn not_tried(found: &mut Findings, error: Error) -> Result<()> {
    match error.kind() {
        ErrorKind::InvalidArgument => return Err(error.during(OPERATION)),
        // The kernel did not try.
        ErrorKind::Unsupported if found.has(FindingKind::BlackHole) => {}
        ErrorKind::NotPermitted => failed(found, FindingKind::ConnectDenied, &error),
        _ => failed(found, FindingKind::ConnectFailed, &error),
    }
    Ok(())
}

/// Examines what answers.
pub(super) fn examine(found: &mut Findings, report: &ProbeReport) {
    let remote = report.remote;
    let kind = match report.verdict {
        Verdict::Mptcp => {
            if report.is_join_denied == Some(true) {
                found.add(FindingKind::PeerDeniesInitialAddress, &[]);
            }
            return;
        }
        Verdict::Unreachable => {
            // The error has the route that is missing, or that rejects packets.
            if let Err(error) = connect(remote) {
                failed(found, FindingKind::Unreachable, &error);
            }
            return;
        }
        Verdict::Unconfirmed => FindingKind::PeerUnconfirmed,
        Verdict::Tcp => FindingKind::PeerWithoutMptcp,
        Verdict::Stripped => FindingKind::OptionsStripped,
        Verdict::Echoed => FindingKind::OptionsEchoed,
        Verdict::BlackHole => FindingKind::SynDropped,
        Verdict::Blocked => FindingKind::SynRejected,
        Verdict::Reset => FindingKind::ConnectionReset,
        Verdict::Refused => FindingKind::Refused,
        Verdict::Silent => FindingKind::Silent,
    };
    found.add(kind, &[("remote", &remote), ("ip", &remote.ip())]);
}

/// Connects, for the words of the error.
fn connect(remote: SocketAddr) -> Result<()> {
    let mut connecting = Connecting::begin(&[remote], &Connect::new().timeout(AGAIN))?;
    while !connecting.advance()? {
        connecting.wait()?;
    }
    Ok(())
}

fn failed(found: &mut Findings, kind: FindingKind, error: &Error) {
    let what = error.detail_text().unwrap_or(error.kind().what());
    found.add(kind, &[("error", &what), ("remedy", &error.remedy())]);
}
