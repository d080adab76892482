//! Eight threads on one connection do not get into each other's way.

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use subflows::{ErrorKind, Open, Subflow};
use subflows_lab::{Net, skip_unless_ready};

use super::common::judge::{self, Ends, ends_of as ends};
use super::common::ways::initial;
use super::common::{Pair, open_handed};
use super::{close, controlled, may_be_initial, open, second};

/// Fewer threads open subflows than the peer's limit of eight, so that none is rejected.
const OPENERS: usize = 4;
const READERS: usize = 4;
const ROUNDS: usize = 60;

/// No data is in flight: Linux 6.18 itself damages the stream if subflows are opened and closed
/// under load, also by `ip mptcp endpoint` alone.
#[test]
fn eight_threads_share_one_connection() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
    for family in [0, 1] {
        let pair = controlled(&net, family);
        let initial = judge::by_ss(&net.client, judge::token(&pair.client));
        let (working, is_over) = (AtomicUsize::new(OPENERS), AtomicBool::new(false));
        thread::scope(|scope| {
            for _ in 0..OPENERS {
                scope.spawn(|| {
                    let _ending = Ending(&working, &is_over);
                    net.client.run(|| opens_and_closes(&net, &pair));
                });
            }
            for _ in 0..READERS {
                scope.spawn(|| net.client.run(|| reads(&pair, &is_over)));
            }
        });
        judge::agree(&net.client, &pair.client, &initial);
        assert!(pair.moves_data());
    }
}

/// Sets the flag when the last thread ends, also if a thread panics.
struct Ending<'a>(&'a AtomicUsize, &'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if self.0.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.1.store(true, Ordering::SeqCst);
        }
    }
}

fn list(pair: &Pair) -> Vec<Subflow> {
    subflows::list(&pair.client).unwrap()
}

fn opens_and_closes(net: &Net, pair: &Pair) {
    for _ in 0..ROUNDS {
        let own = open(net, pair).unwrap();
        let is_listed = || list(pair).iter().any(|found| found.id == own.id);
        assert!(is_listed());
        let details = subflows::details(&pair.client, own.id).unwrap();
        assert_eq!((details.local, details.remote), (own.local, own.remote));
        assert!(details.is_joined);
        close(net, pair, &own);
        assert!(!is_listed());
        let again = subflows::close(&pair.client, own.id);
        assert_eq!(again.unwrap_err().kind(), ErrorKind::NoSuchSubflow);
    }
}

fn reads(pair: &Pair, is_over: &AtomicBool) {
    let token = judge::token(&pair.client);
    let initial = list(pair)[0].clone();
    while !is_over.load(Ordering::SeqCst) {
        let subflows = list(pair);
        assert!(subflows.len() <= 1 + OPENERS, "{subflows:?}");
        assert_eq!((subflows[0].id, subflows[0].local), (initial.id, initial.local));
        let distinct: HashSet<u32> = subflows.iter().map(|subflow| subflow.id).collect();
        assert_eq!(distinct.len(), subflows.len());
        for subflow in &subflows {
            // Another thread may have closed the subflow: then the error must report that.
            match subflows::details(&pair.client, subflow.id) {
                Ok(details) => assert_eq!(details.local, subflow.local),
                Err(error) => assert_eq!(error.kind(), ErrorKind::NoSuchSubflow, "{error}"),
            }
        }
        assert!(subflows::status(&pair.client).unwrap().is_ready);
        assert_eq!(subflows::connection(token).unwrap().local, initial.local);
        let known = subflows::addresses(&pair.client).unwrap();
        assert_eq!(known[0].ip, initial.local.ip());
        assert!(may_be_initial(known[0].id));
    }
}

#[test]
fn eight_that_open_at_once_open_eight() {
    skip_unless_ready!();
    let (laptop, subnets) = (Net::laptop().unwrap(), Net::two_subnets().unwrap());
    for net in [open_handed(laptop), open_handed(subnets)] {
        for family in [0, 1] {
            let to = net.paths[0].server_ips()[family];
            let pair = controlled(&net, family);
            open_eight(&net, &pair, &second(&net, &pair), net.paths[1].client_ip(to));
            // From the address of the initial subflow.
            let pair = controlled(&net, family);
            open_eight(&net, &pair, &Open::new(), net.paths[0].client_ip(to));
        }
    }
}

fn open_eight(net: &Net, pair: &Pair, options: &Open, local: IpAddr) {
    const COUNT: usize = 8;
    let barrier = Barrier::new(COUNT);
    let open = || {
        let _entered = net.client.enter().unwrap();
        barrier.wait();
        subflows::open(&pair.client, options).unwrap()
    };
    let opened: Vec<Subflow> = thread::scope(|scope| {
        let threads: Vec<_> = (0..COUNT).map(|_| scope.spawn(open)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let ids: HashSet<u32> = opened.iter().map(|subflow| subflow.id).collect();
    assert_eq!(ids.len(), COUNT, "{opened:?}");
    let mut expected: BTreeSet<Ends> = opened.iter().map(ends).collect();
    assert_eq!(expected.len(), COUNT, "{opened:?}");
    assert!(opened.iter().all(|subflow| subflow.local.ip() == local), "{opened:?}");
    let listed = net.client.run(|| subflows::list(&pair.client)).unwrap();
    for subflow in &opened {
        let found = judge::ss_find(&net.client, judge::token(&pair.client), ends(subflow));
        assert!(found.is_some_and(|found| found.flags.contains('e')), "{subflow:?}");
        let same = listed.iter().find(|listed| listed.id == subflow.id).unwrap();
        assert_eq!(ends(same), ends(subflow), "the id belongs to another subflow");
    }
    expected.extend(initial(pair));
    judge::agree(&net.client, &pair.client, &expected);
    judge::agree(&net.server, &pair.server, &judge::mirrored(&expected));
    assert!(pair.moves_data());
}
