//! What ss says of a connection, to hold a library's answers against.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use subflows_lab::Namespace;
use subflows_lab::oracle::{self, SsSubflow};

use crate::place::{Ends, canonical};
use crate::trouble::{Result, failed};

/// Long enough for anything on a busy machine that is not meant to take time.
pub const SOON: Duration = Duration::from_secs(10);

/// Between two looks at what no descriptor tells.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks again and again until there is no reason left against it.
pub fn soon(mut reason: impl FnMut() -> Result<Option<String>>) -> Result {
    let deadline = Instant::now() + SOON;
    while let Some(why) = reason()? {
        if Instant::now() > deadline {
            return failed(format!("not within {SOON:?}: {why}"));
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// Tokens as ss writes them.
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

/// How much was received on the connection with these ends and not read, by `ss -M`.
pub fn unread(namespace: &Namespace, ends: Ends) -> u64 {
    let shown = oracle::ss_connections(namespace);
    let is_it = |local, remote| (canonical(local), canonical(remote)) == ends;
    let found = shown.iter().find(|shown| is_it(shown.local, shown.remote));
    found.map_or(0, |found| found.unread)
}

/// Where somebody listens, by `ss -l`.
pub fn listeners(namespace: &Namespace) -> Result<BTreeSet<SocketAddr>> {
    let shown = namespace.output("ss", &["-Htln"])?;
    // State, what waits, how much may wait, address: the last three words are address and peer.
    let address = |line: &str| line.split_whitespace().nth(3)?.parse().ok();
    Ok(shown.lines().filter_map(address).map(canonical).collect())
}

/// Whether `ss -M` shows a connection with this token.
pub fn knows(namespace: &Namespace, token: u32) -> bool {
    oracle::ss_connections(namespace).iter().any(|shown| number(&shown.token) == token)
}

/// The subflows of the connection with this token. One that this end has closed is none any more:
/// all that it waits for is the peer's acknowledgement.
pub fn subflows(namespace: &Namespace, token: u32) -> Vec<SsSubflow> {
    let mut subflows = oracle::ss_subflows(namespace);
    let is_live = |state: &str| ["ESTAB", "SYN-SENT", "SYN-RECV", "CLOSE-WAIT"].contains(&state);
    subflows.retain(|subflow| number(&subflow.token) == token && is_live(&subflow.state));
    subflows
}

/// What it shows, as ends.
pub fn ends(namespace: &Namespace, token: u32) -> BTreeSet<Ends> {
    subflows(namespace, token).iter().map(ends_of).collect()
}

/// The one with exactly these ends.
pub fn find(namespace: &Namespace, token: u32, ends: Ends) -> Option<SsSubflow> {
    subflows(namespace, token).into_iter().find(|found| ends_of(found) == ends)
}

fn ends_of(subflow: &SsSubflow) -> Ends {
    (canonical(subflow.local), canonical(subflow.remote))
}
