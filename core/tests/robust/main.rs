//! Programs that use the library for weeks, fork, close all their descriptors, have threads in several
//! namespaces or receive signals all the time still get right answers, and lose no descriptors.

#[path = "../common/mod.rs"]
mod common;

mod arguments;
mod descriptors;
mod fork;
mod ids;
mod leaks;
mod namespaces;
mod off;
mod signals;
mod threads;

use common::judge::canonical;
use common::{Pair, SOON, child};
use subflows::{Open, Subflow};
use subflows_lab::{Net, wait_until};

/// A controlled connection over IPv4 (0) or IPv6 (1), ready for more subflows.
fn controlled(net: &Net, family: usize) -> Pair {
    common::controlled(net, net.paths[0].server_ips()[family])
}

/// From the second path, for a thread inside the client's namespace.
fn open(net: &Net, pair: &Pair) -> subflows::Result<Subflow> {
    subflows::open(&pair.client, &second(net, pair))
}

/// Linux 6.1 gives the initial subflow of a controlled connection another id.
fn may_be_initial(address_id: u8) -> bool {
    address_id == 0 || common::is_without("full_info")
}

fn second(net: &Net, pair: &Pair) -> Open {
    let to = pair.client.peer_addr().unwrap().ip();
    Open::new().local(net.paths[1].client_ip(to))
}

/// Closes the subflow, and waits until the peer no longer counts it against its limit.
fn close(net: &Net, pair: &Pair, subflow: &Subflow) {
    subflows::close(&pair.client, subflow.id).unwrap();
    wait_until(SOON, "the peer to stop counting it", || {
        let theirs = net.server.run(|| subflows::list(&pair.server)).unwrap();
        let counted = subflows::info(&pair.server).unwrap().subflows.unwrap();
        let is_gone = theirs.iter().all(|theirs| canonical(theirs.remote) != subflow.local);
        is_gone && counted as usize <= theirs.len()
    });
}

/// Runs a helper of this binary in a process of its own, and fails if it fails.
#[track_caller]
fn in_a_process_of_its_own(helper: &str) {
    child::plays(&mut child::helper(helper));
}
