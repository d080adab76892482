//! What ss shows of a connection, for comparison with the answers of a library.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use subflows_lab::oracle::{self, SsSubflow};
use subflows_lab::{Namespace, Pauses};

use crate::ends::{Ends, canonical};
use crate::step_error::{Result, failed};

/// The longest wait for something that should happen at once, on a busy machine.
pub const SOON: Duration = Duration::from_secs(10);

/// Repeats a check until it returns no reason against success.
pub fn soon(mut reason: impl FnMut() -> Result<Option<String>>) -> Result {
    let deadline = Instant::now() + SOON;
    let mut pauses = Pauses::new(Duration::from_millis(5), Duration::from_millis(40));
    while let Some(why) = reason()? {
        if Instant::now() > deadline {
            return failed(format!("not within {SOON:?}: {why}"));
        }
        pauses.pause();
    }
    Ok(())
}

/// The number of a token, which ss writes in hexadecimal digits.
fn number(token: &str) -> u32 {
    u32::from_str_radix(token, 16).unwrap_or(0)
}

/// The token of the connection with these ends, by `ss -M`.
pub fn token(namespace: &Namespace, ends: Ends) -> Option<u32> {
    let shown = oracle::ss_connections(namespace);
    let is_it = |local, remote| (canonical(local), canonical(remote)) == ends;
    let found = shown.iter().find(|shown| is_it(shown.local, shown.remote));
    found.map(|found| number(&found.token))
}

/// How many received bytes of the connection with these ends are unread, by `ss -M`.
pub fn unread(namespace: &Namespace, ends: Ends) -> u64 {
    let shown = oracle::ss_connections(namespace);
    let is_it = |local, remote| (canonical(local), canonical(remote)) == ends;
    let found = shown.iter().find(|shown| is_it(shown.local, shown.remote));
    found.map_or(0, |found| found.unread)
}

/// The addresses of all listeners, by `ss -l`.
pub fn listeners(namespace: &Namespace) -> Result<BTreeSet<SocketAddr>> {
    let shown = namespace.output("ss", &["-Htln"])?;
    // The columns are: state, receive queue, send queue, local address, peer address.
    let address = |line: &str| line.split_whitespace().nth(3)?.parse().ok();
    Ok(shown.lines().filter_map(address).map(canonical).collect())
}

/// Whether this kernel hides from a process without privileges which sockets are subflows: it does before
/// Linux 6.15. The namespace has a subflow.
pub fn hides_subflows(namespace: &Namespace) -> Result<bool> {
    const NOBODY: [&str; 5] = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
    let shown = namespace.output("setpriv", &[&NOBODY[..], &["ss", "-tniH"]].concat())?;
    Ok(!shown.contains("tcp-ulp-mptcp"))
}

/// Whether `ss -M` shows a connection with this token.
pub fn knows(namespace: &Namespace, token: u32) -> bool {
    oracle::ss_connections(namespace).iter().any(|shown| number(&shown.token) == token)
}

/// The live subflows of the connection with this token. A subflow that this end has closed is not
/// live: it only waits for the acknowledgement of the peer.
pub fn subflows(namespace: &Namespace, token: u32) -> Vec<SsSubflow> {
    let mut subflows = oracle::ss_subflows(namespace);
    let is_live = |state: &str| ["ESTAB", "SYN-SENT", "SYN-RECV", "CLOSE-WAIT"].contains(&state);
    subflows.retain(|subflow| number(&subflow.token) == token && is_live(&subflow.state));
    subflows
}

/// The ends of these subflows.
pub fn ends(namespace: &Namespace, token: u32) -> BTreeSet<Ends> {
    subflows(namespace, token).iter().map(ends_of).collect()
}

/// The subflow with these ends.
pub fn find(namespace: &Namespace, token: u32, ends: Ends) -> Option<SsSubflow> {
    subflows(namespace, token).into_iter().find(|found| ends_of(found) == ends)
}

fn ends_of(subflow: &SsSubflow) -> Ends {
    (canonical(subflow.local), canonical(subflow.remote))
}
