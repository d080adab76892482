//! What `ss` shows of a connection, to compare the library's answers with.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use subflows::Subflow;
use subflows_lab::oracle::{self, SsSubflow};
use subflows_lab::{Namespace, wait_until};

use super::SOON;

/// A subflow by its two ends; v4-mapped addresses are shown as IPv4.
pub type Ends = (SocketAddr, SocketAddr);

pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn ends(local: SocketAddr, remote: SocketAddr) -> Ends {
    (canonical(local), canonical(remote))
}

/// The ends of a subflow, as the library returns them.
pub fn ends_of(subflow: &Subflow) -> Ends {
    (subflow.local, subflow.remote)
}

/// Checks that ss shows this subflow as usable.
#[track_caller]
pub fn is_joined(namespace: &Namespace, token: u32, subflow: &Subflow) {
    let found = ss_find(namespace, token, ends_of(subflow)).unwrap();
    assert!(found.flags.contains('e') && found.state == "ESTAB", "{found:?}");
}

/// The connection's token: the only thing that the judge takes from the library.
pub fn token(sock: &TcpStream) -> u32 {
    subflows::info(sock).unwrap().token
}

/// Tokens as ss writes them.
pub fn number(token: &str) -> u32 {
    u32::from_str_radix(token, 16).unwrap()
}

/// The live subflows of the connection with this token, as ss shows them. A subflow that this end has
/// closed does not count, although it still waits for the peer's acknowledgement.
pub fn ss_of(namespace: &Namespace, token: u32) -> Vec<SsSubflow> {
    let mut subflows = oracle::ss_subflows(namespace);
    let is_live = |state: &str| ["ESTAB", "SYN-SENT", "SYN-RECV", "CLOSE-WAIT"].contains(&state);
    subflows.retain(|subflow| number(&subflow.token) == token && is_live(&subflow.state));
    subflows
}

/// The subflow with exactly these ends.
pub fn ss_find(namespace: &Namespace, token: u32, (local, remote): Ends) -> Option<SsSubflow> {
    let wanted = ends(local, remote);
    ss_of(namespace, token).into_iter().find(|found| ends(found.local, found.remote) == wanted)
}

/// A number from the details of ss, which does not show numbers that are zero.
pub fn ss_number(subflow: &SsSubflow, name: &str) -> u64 {
    let value =
        subflow.details.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix(':'));
    value.map_or(0, |value| value.parse().unwrap())
}

/// What ss shows, as pairs of addresses.
pub fn by_ss(namespace: &Namespace, token: u32) -> BTreeSet<Ends> {
    ss_of(namespace, token).iter().map(|found| ends(found.local, found.remote)).collect()
}

/// What `list` returns, as pairs of addresses.
pub fn listed(namespace: &Namespace, sock: &TcpStream) -> BTreeSet<Ends> {
    let subflows = namespace.run(|| subflows::list(sock)).unwrap();
    let found: BTreeSet<Ends> = subflows.iter().map(|s| ends(s.local, s.remote)).collect();
    assert_eq!(found.len(), subflows.len(), "listed twice: {subflows:?}");
    found
}

/// Waits until `list` and ss both show exactly these.
#[track_caller]
pub fn agree(namespace: &Namespace, sock: &TcpStream, expected: &BTreeSet<Ends>) {
    let (token, deadline) = (token(sock), Instant::now() + SOON);
    let mut seen = Default::default();
    wait_until(2 * SOON, "list and ss to agree", || {
        seen = (listed(namespace, sock), by_ss(namespace, token));
        (seen.0 == *expected && seen.1 == *expected) || Instant::now() > deadline
    });
    assert_eq!(seen.0, *expected, "list");
    assert_eq!(seen.1, *expected, "ss");
}

/// The same subflows as the other end sees them.
pub fn mirrored(expected: &BTreeSet<Ends>) -> BTreeSet<Ends> {
    expected.iter().map(|&(local, remote)| (remote, local)).collect()
}
