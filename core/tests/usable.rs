//! Without these, `open` hands out subflows that carry nothing: not yet joined, taken back by the
//! peer, or somebody else's.

mod common;

use std::collections::{BTreeSet, HashSet};
use std::net::{IpAddr, TcpStream};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use common::judge::{self, Ends, agree, mirrored, ss_find};
use common::{Pair, SOON, open_handed};
use subflows::{Connect, ErrorKind, Open, Opening, Result, Subflow};
use subflows_lab::oracle::SsSubflow;
use subflows_lab::{DropSegments, Net, WireOptions, ready, wait_until};

fn controlled(net: &Net, to: IpAddr) -> Pair {
    let pair = common::connect(net, to, &Connect::new().control(true));
    pair.make_ready();
    pair
}

fn two_wires() -> Net {
    let perfect = WireOptions::default();
    open_handed(Net::wires(&[("wifi", perfect), ("lte", perfect)]).unwrap())
}

/// From the second path.
fn second(net: &Net, to: IpAddr) -> Open {
    Open::new().local(net.paths[1].client_ip(to))
}

fn ends(subflow: &Subflow) -> Ends {
    (subflow.local, subflow.remote)
}

/// The initial subflow alone, as the client sees it.
fn initial(pair: &Pair) -> BTreeSet<Ends> {
    BTreeSet::from([(pair.client.local_addr().unwrap(), pair.client.peer_addr().unwrap())])
}

/// Subflows from the second path, by ss.
fn seconds(net: &Net, sock: &TcpStream, to: IpAddr) -> Vec<SsSubflow> {
    let mut subflows = judge::ss_of(&net.client, judge::token(sock));
    subflows.retain(|subflow| subflow.local.ip() == net.paths[1].client_ip(to));
    subflows
}

fn is_answered_only(subflow: &SsSubflow) -> bool {
    subflow.state == "ESTAB" && !subflow.flags.contains('e')
}

/// Opens, and asks ss at once.
fn open_and_look(net: &Net, sock: &TcpStream, options: &Open) -> Result<SsSubflow> {
    net.client.run(|| {
        let subflow = subflows::open(sock, options)?;
        let found = ss_find(&net.client, judge::token(sock), ends(&subflow));
        Ok(found.expect("ss shows what was opened"))
    })
}

#[test]
fn open_returns_after_both_acknowledgements() {
    if !ready() {
        return;
    }
    let net = open_handed(Net::far().unwrap());
    for to in net.paths[0].server_ips() {
        let pair = controlled(&net, to);
        let start = Instant::now();
        let found = open_and_look(&net, &pair.client, &second(&net, to)).unwrap();
        assert!(start.elapsed() >= Duration::from_millis(200), "two round trips are not over");
        assert!(found.flags.contains('e') && found.state == "ESTAB", "{found:?}");
        assert!(pair.moves_data());
    }
}

#[test]
fn an_answer_alone_is_not_reported() {
    if !ready() {
        return;
    }
    let net = open_handed(Net::far().unwrap());
    for to in net.paths[0].server_ips() {
        let pair = controlled(&net, to);
        let entered = net.client.enter().unwrap();
        let mut opening = Opening::begin(&pair.client, &second(&net, to)).unwrap();
        let mut answered = 0;
        let subflow = loop {
            let before = seconds(&net, &pair.client, to);
            if let Some(subflow) = opening.advance().unwrap() {
                break subflow;
            }
            answered += before.iter().filter(|found| is_answered_only(found)).count();
            opening.wait().unwrap();
        };
        assert!(answered > 0, "ss never showed it between answer and join");
        let found = ss_find(&net.client, judge::token(&pair.client), ends(&subflow)).unwrap();
        assert!(found.flags.contains('e'), "{found:?}");
        drop(entered);
    }
}

#[test]
fn beyond_the_peers_limit_it_says_so() {
    if !ready() {
        return;
    }
    thread::scope(|scope| {
        for build in [Net::two_subnets, Net::far] {
            for limit in [0, 1] {
                scope.spawn(move || {
                    let net = build().unwrap();
                    let limits = ["mptcp", "limits", "set", "subflows", &limit.to_string()];
                    net.server.ip(&limits).unwrap();
                    net.paths[0].server_ips().iter().for_each(|&to| exceed(&net, to, limit));
                });
            }
        }
    });
}

fn exceed(net: &Net, to: IpAddr, limit: usize) {
    let pair = controlled(net, to);
    let mut expected = initial(&pair);
    let open = || net.client.run(|| subflows::open(&pair.client, &second(net, to)));
    expected.extend((0..limit).map(|_| ends(&open().unwrap())));
    for _ in 0..2 {
        let start = Instant::now();
        let error = open().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PeerLimit, "{error}");
        assert!(start.elapsed() < Duration::from_secs(3), "it took {:?}", start.elapsed());
        agree(&net.client, &pair.client, &expected);
        assert!(pair.moves_data());
    }
    agree(&net.server, &pair.server, &mirrored(&expected));
}

#[test]
fn a_third_ack_lost_at_the_peer_is_waited_for() {
    if !ready() {
        return;
    }
    wait_for_the_join(DropSegments::third_ack_of_join);
}

#[test]
fn a_fourth_ack_lost_on_its_way_to_us_is_waited_for() {
    if !ready() {
        return;
    }
    wait_for_the_join(DropSegments::fourth_ack_of_join);
}

fn wait_for_the_join(drops: fn() -> DropSegments) {
    let net = two_wires();
    for to in net.paths[0].server_ips() {
        let pair = controlled(&net, to);
        let drops = drops();
        net.paths[1].wire().unwrap().add(drops.clone());
        let found = thread::scope(|scope| {
            let patient = second(&net, to).timeout(Duration::from_secs(30));
            let client = &pair.client;
            let net = &net;
            let opening = scope.spawn(move || open_and_look(net, client, &patient));
            // Dropped, repeated, and dropped again.
            wait_until(SOON, "the acknowledgement to be lost", || {
                let found = seconds(net, client, to);
                assert!(found.iter().all(|found| !found.flags.contains('e')), "{found:?}");
                drops.dropped() >= 2 && found.iter().any(is_answered_only)
            });
            assert!(!opening.is_finished(), "reported before it was joined");
            drops.stop();
            opening.join().unwrap().unwrap()
        });
        assert!(found.flags.contains('e') && found.state == "ESTAB", "{found:?}");
        assert!(pair.moves_data());
    }
}

#[test]
fn a_join_that_is_never_acknowledged_times_out() {
    if !ready() {
        return;
    }
    thread::scope(|scope| {
        for drops in [DropSegments::third_ack_of_join, DropSegments::fourth_ack_of_join] {
            scope.spawn(move || {
                let net = two_wires();
                net.paths[1].wire().unwrap().add(drops());
                net.paths[0].server_ips().iter().for_each(|&to| time_out(&net, to));
            });
        }
    });
}

fn time_out(net: &Net, to: IpAddr) {
    let pair = controlled(net, to);
    let limit = Duration::from_millis(700);
    let options = second(net, to).timeout(limit);
    let start = Instant::now();
    let error = net.client.run(|| subflows::open(&pair.client, &options)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    assert!(start.elapsed() >= limit, "it gave up after {:?}", start.elapsed());
    agree(&net.client, &pair.client, &initial(&pair));
    agree(&net.server, &pair.server, &mirrored(&initial(&pair)));
    assert!(pair.moves_data());
}

#[test]
fn eight_at_once_are_eight() {
    if !ready() {
        return;
    }
    let (laptop, subnets) = (Net::laptop().unwrap(), Net::two_subnets().unwrap());
    for net in [open_handed(laptop), open_handed(subnets)] {
        for to in net.paths[0].server_ips() {
            open_eight(&net, to, &second(&net, to), net.paths[1].client_ip(to));
            // Beside the initial one.
            open_eight(&net, to, &Open::new(), net.paths[0].client_ip(to));
        }
    }
}

fn open_eight(net: &Net, to: IpAddr, options: &Open, local: IpAddr) {
    const COUNT: usize = 8;
    let pair = controlled(net, to);
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
        let found = ss_find(&net.client, judge::token(&pair.client), ends(subflow));
        assert!(found.is_some_and(|found| found.flags.contains('e')), "{subflow:?}");
        let same = listed.iter().find(|listed| listed.id == subflow.id).unwrap();
        assert_eq!(ends(same), ends(subflow), "the id names another one");
    }
    expected.extend(initial(&pair));
    agree(&net.client, &pair.client, &expected);
    agree(&net.server, &pair.server, &mirrored(&expected));
    assert!(pair.moves_data());
}
