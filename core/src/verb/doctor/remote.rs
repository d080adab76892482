//! One connection to the remote address, to see what answers.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use super::finding::{FindingKind, Findings};
use super::paths::is_nowhere;
use crate::door;
use crate::door::events::follow;
use crate::error::{Error, ErrorKind, Result};
use crate::shared::settings;
use crate::sys::event::KernelEvents;
use crate::sys::{address, mptcp, socket};
use crate::wait::connecting::{Connect, Connecting};

const OPERATION: &str = "doctor";
/// How long before the kernel would try without Multipath TCP the connection ends.
const MARGIN: Duration = Duration::from_millis(500);
/// The most datagrams of events that are read: more than the kernel keeps for this socket.
const READS: usize = 4096;

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

/// Connects, and examines what answers.
pub(super) fn examine(found: &mut Findings, remote: SocketAddr, timeout: Duration) -> Result<()> {
    let end = Instant::now() + timeout;
    // Without the right, what the peer says about its addresses stays unknown.
    let events = follow(door::choose(), None, OPERATION).ok();
    let stream = match connect(remote, (timeout / 2).min(before_black_hole())) {
        Ok(stream) => stream,
        Err(error) if error.kind() == ErrorKind::InvalidArgument => {
            return Err(error.during(OPERATION));
        }
        Err(error) => {
            failed(found, remote, &error, end);
            return Ok(());
        }
    };
    match mptcp::info(stream.as_fd()) {
        Ok(info) if !info.is_fallen_back() => {
            let token = info.raw.mptcpi_token;
            if events.is_some_and(|events| denies_initial_address(events, token)) {
                found.add(FindingKind::PeerDeniesInitialAddress, &[]);
            }
        }
        // The kernel did not try.
        _ if found.has(FindingKind::BlackHole) => {}
        _ => found.add(FindingKind::PeerWithoutMptcp, &[("remote", &remote)]),
    }
    Ok(())
}

fn connect(remote: SocketAddr, timeout: Duration) -> Result<TcpStream> {
    let mut connecting = Connecting::begin(&[remote], &Connect::new().timeout(timeout))?;
    while !connecting.advance()? {
        connecting.wait()?;
    }
    connecting.finish()
}

/// How long a connection may wait for its first answer. After this number of repetitions, the kernel tries
/// without Multipath TCP, and if that succeeds, takes the path for a black hole. The first repetition comes
/// after one second, and each further one after twice the time.
fn before_black_hole() -> Duration {
    let repetitions = settings::number("syn_retrans_before_tcp_fallback").unwrap_or(2).min(6);
    Duration::from_secs((1 << repetitions) - 1).saturating_sub(MARGIN).max(MARGIN)
}

/// Examines why a connection failed.
fn failed(found: &mut Findings, remote: SocketAddr, error: &Error, end: Instant) {
    let kind = match error.kind() {
        ErrorKind::Unreachable => FindingKind::Unreachable,
        ErrorKind::NotPermitted => FindingKind::ConnectDenied,
        ErrorKind::Refused => FindingKind::Refused,
        ErrorKind::TimedOut => {
            // Not zero, which would be an error.
            let rest = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            if TcpStream::connect_timeout(&remote, rest).is_ok() {
                return found.add(FindingKind::SynDropped, &[("remote", &remote)]);
            }
            FindingKind::Silent
        }
        _ => FindingKind::ConnectFailed,
    };
    let what = error.detail_text().unwrap_or(error.kind().what());
    found.add(kind, &[("error", &what), ("remedy", &error.remedy())]);
}

/// Reports whether the peer of that connection accepts no further subflow to its initial address. The kernel
/// has sent the event before the connection was established.
fn denies_initial_address(mut events: KernelEvents, token: u32) -> bool {
    let mut denies = false;
    for _ in 0..READS {
        let taken = events
            .take(|event| denies |= event.token == Some(token) && event.denies_initial_address);
        match taken {
            Ok(true) => {}
            Err(refusal) if refusal.errno == libc::ENOBUFS => {}
            _ => break,
        }
    }
    denies
}
