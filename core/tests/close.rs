//! Without these, `close` leaves subflows behind, closes the wrong one, or takes the connection
//! with it.

mod common;

use std::collections::BTreeSet;
use std::net::{IpAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use common::judge::{self, Ends, agree, mirrored};
use common::{Pair, SOON, open_handed};
use subflows::{Connect, ErrorKind, Open, Opening, Result, State, Subflow, SubflowState};
use subflows_lab::{DropSegments, Namespace, Net, WireOptions, ready, wait_until};

fn ends(subflow: &Subflow) -> Ends {
    (subflow.local, subflow.remote)
}

fn controlled(net: &Net, to: IpAddr) -> Pair {
    let pair = common::connect(net, to, &Connect::new().control(true));
    pair.make_ready();
    pair
}

fn open(net: &Net, pair: &Pair, path: usize) -> Subflow {
    let local = net.paths[path].client_ip(pair.client.peer_addr().unwrap().ip());
    net.client.run(|| subflows::open(&pair.client, &Open::new().local(local))).unwrap()
}

fn close(namespace: &Namespace, sock: &TcpStream, id: u32) -> Result<()> {
    namespace.run(|| subflows::close(sock, id))
}

fn list(namespace: &Namespace, sock: &TcpStream) -> Vec<Subflow> {
    namespace.run(|| subflows::list(sock)).unwrap()
}

fn kind(result: Result<()>) -> ErrorKind {
    result.unwrap_err().kind()
}

/// What the caller of `close` sees when it returns, and both ends soon after.
#[track_caller]
fn both_have(net: &Net, pair: &Pair, expected: &[&Subflow]) {
    let expected: BTreeSet<Ends> = expected.iter().map(|subflow| ends(subflow)).collect();
    assert_eq!(judge::listed(&net.client, &pair.client), expected, "at once");
    agree(&net.client, &pair.client, &expected);
    agree(&net.server, &pair.server, &mirrored(&expected));
}

#[test]
fn one_goes_and_the_others_stay() {
    if !ready() {
        return;
    }
    for net in [Net::two_subnets(), Net::laptop(), Net::far()] {
        let net = open_handed(net.unwrap());
        for to in net.paths[0].server_ips() {
            let pair = controlled(&net, to);
            let [initial] = &list(&net.client, &pair.client)[..] else { panic!("not one") };
            let extra = [1, 1, 0].map(|path| open(&net, &pair, path));
            both_have(&net, &pair, &[initial, &extra[0], &extra[1], &extra[2]]);
            close(&net.client, &pair.client, extra[1].id).unwrap();
            both_have(&net, &pair, &[initial, &extra[0], &extra[2]]);
            assert!(pair.moves_data());
            // Its address has a subflow left, and takes another.
            let again = open(&net, &pair, 1);
            assert!(extra.iter().all(|extra| extra.id != again.id), "an id was used again");
            both_have(&net, &pair, &[initial, &extra[0], &extra[2], &again]);
            close(&net.client, &pair.client, initial.id).unwrap();
            both_have(&net, &pair, &[&extra[0], &extra[2], &again]);
            assert!(pair.moves_data());
        }
    }
}

#[test]
fn what_is_not_there_cannot_be_closed() {
    if !ready() {
        return;
    }
    let net = open_handed(Net::two_subnets().unwrap());
    for to in net.paths[0].server_ips() {
        let pair = controlled(&net, to);
        let [initial] = &list(&net.client, &pair.client)[..] else { panic!("not one") };
        let extra = [1, 1].map(|path| open(&net, &pair, path));
        for unknown in [0, initial.id.wrapping_add(1000), u32::MAX] {
            assert_eq!(kind(close(&net.client, &pair.client, unknown)), ErrorKind::NoSuchSubflow);
        }
        both_have(&net, &pair, &[initial, &extra[0], &extra[1]]);
        for subflow in [&extra[0], initial] {
            close(&net.client, &pair.client, subflow.id).unwrap();
            let twice = close(&net.client, &pair.client, subflow.id);
            assert_eq!(kind(twice), ErrorKind::NoSuchSubflow);
        }
        both_have(&net, &pair, &[&extra[1]]);
        assert!(pair.moves_data());
    }
}

#[test]
fn the_last_one_goes_only_by_force() {
    if !ready() {
        return;
    }
    let net = open_handed(Net::two_subnets().unwrap());
    for to in net.paths[0].server_ips() {
        for is_initial_last in [true, false] {
            let pair = controlled(&net, to);
            let mut last = list(&net.client, &pair.client).remove(0);
            if !is_initial_last {
                let second = open(&net, &pair, 1);
                close(&net.client, &pair.client, last.id).unwrap();
                last = second;
            }
            let refused = close(&net.client, &pair.client, last.id);
            assert_eq!(kind(refused), ErrorKind::InvalidState);
            both_have(&net, &pair, &[&last]);
            assert!(pair.moves_data());
            net.client.run(|| subflows::force_close(&pair.client, last.id)).unwrap();
            both_have(&net, &pair, &[]);
            // It lives on without a path, until it gets one.
            let status = net.client.run(|| subflows::status(&pair.client)).unwrap();
            assert_eq!(status.state, State::Mptcp);
            let second = open(&net, &pair, 1);
            both_have(&net, &pair, &[&second]);
            assert!(pair.moves_data());
        }
    }
}

/// Found by the test: the kernel keeps the initial subflow in its list while it waits for the peer
/// to acknowledge the end, which a peer behind a dead path never does.
#[test]
fn an_initial_subflow_over_a_dead_path_is_gone_at_once() {
    if !ready() {
        return;
    }
    for net in [Net::two_subnets(), Net::laptop(), Net::far()] {
        let net = open_handed(net.unwrap());
        for to in net.paths[0].server_ips() {
            let pair = controlled(&net, to);
            let [initial] = &list(&net.client, &pair.client)[..] else { panic!("not one") };
            let second = open(&net, &pair, 1);
            net.paths[0].pull_cable().unwrap();
            close(&net.client, &pair.client, initial.id).unwrap();
            let only = BTreeSet::from([ends(&second)]);
            assert_eq!(judge::listed(&net.client, &pair.client), only);
            assert_eq!(net.client.run(|| subflows::info(&pair.client)).unwrap().subflows, Some(1));
            agree(&net.client, &pair.client, &only);
            let twice = close(&net.client, &pair.client, initial.id);
            assert_eq!(kind(twice), ErrorKind::NoSuchSubflow);
            let last = close(&net.client, &pair.client, second.id);
            assert_eq!(kind(last), ErrorKind::InvalidState);
            assert!(pair.moves_data());
            net.paths[0].plug_in().unwrap();
        }
    }
}

#[test]
fn the_kernels_own_subflows_can_be_closed() {
    if !ready() {
        return;
    }
    for net in [Net::two_subnets(), Net::laptop()] {
        let net = net.unwrap();
        net.join_by_kernel().unwrap();
        for to in net.paths[0].server_ips() {
            for is_initial_closed in [false, true] {
                for is_server_closing in [false, true] {
                    close_the_kernels(&net, to, is_initial_closed, is_server_closing);
                }
            }
        }
    }
}

fn close_the_kernels(net: &Net, to: IpAddr, is_initial_closed: bool, is_server_closing: bool) {
    let pair = common::connect(net, to, &Connect::new());
    pair.make_ready();
    let mut both = Vec::new();
    wait_until(SOON, "the kernel to open the second", || {
        both = list(&net.client, &pair.client);
        both.len() == 2 && list(&net.server, &pair.server).len() == 2
    });
    agree(&net.client, &pair.client, &both.iter().map(ends).collect());
    let (close_it, keep) =
        if is_initial_closed { (&both[0], &both[1]) } else { (&both[1], &both[0]) };
    let (namespace, sock) = match is_server_closing {
        true => (&net.server, &pair.server),
        false => (&net.client, &pair.client),
    };
    let there = list(namespace, sock);
    let is_it = |subflow: &&Subflow| [subflow.local, subflow.remote].contains(&close_it.local);
    let id = there.iter().find(is_it).unwrap().id;
    close(namespace, sock, id).unwrap();
    assert_eq!(list(namespace, sock).len(), 1);
    assert_eq!(kind(close(namespace, sock, id)), ErrorKind::NoSuchSubflow);
    agree(&net.client, &pair.client, &BTreeSet::from([ends(keep)]));
    agree(&net.server, &pair.server, &mirrored(&BTreeSet::from([ends(keep)])));
    assert!(pair.moves_data());
    let last = list(namespace, sock)[0].id;
    assert_eq!(kind(close(namespace, sock, last)), ErrorKind::InvalidState);
    assert!(pair.moves_data());
}

#[test]
fn one_that_is_being_opened_can_be_closed() {
    if !ready() {
        return;
    }
    for net in [Net::two_subnets(), Net::laptop(), Net::far()] {
        let net = open_handed(net.unwrap());
        for to in net.paths[0].server_ips() {
            let pair = controlled(&net, to);
            net.paths[1].pull_cable().unwrap();
            let _entered = net.client.enter().unwrap();
            let options = Open::new().local(net.paths[1].client_ip(to)).timeout(SOON);
            let mut opening = Opening::begin(&pair.client, &options).unwrap();
            assert!(opening.advance().unwrap().is_none());
            let both = subflows::list(&pair.client).unwrap();
            let [initial, half_open] = &both[..] else { panic!("not two: {both:?}") };
            assert_eq!(half_open.state, SubflowState::SynSent);
            let seen = judge::ss_of(&net.client, judge::token(&pair.client));
            assert!(seen.iter().any(|seen| seen.state == "SYN-SENT"), "{seen:?}");
            subflows::close(&pair.client, half_open.id).unwrap();
            agree(&net.client, &pair.client, &BTreeSet::from([ends(initial)]));
            let twice = subflows::close(&pair.client, half_open.id);
            assert_eq!(kind(twice), ErrorKind::NoSuchSubflow);
            // Who was waiting for it learns that it is gone, and not at the deadline.
            wait_until(Duration::from_secs(3), "the open to end", || opening.advance().is_err());
            assert!(pair.moves_data());
            net.paths[1].plug_in().unwrap();
        }
    }
}

/// A network whose second path loses what completes a join, and the subflow there that is answered
/// and not joined.
fn answered_only(test: impl Fn(&Net, &Pair, Opening<&TcpStream>, &DropSegments)) {
    for drops in [DropSegments::third_ack_of_join, DropSegments::fourth_ack_of_join] {
        let perfect = WireOptions::default();
        let net = open_handed(Net::wires(&[("wifi", perfect), ("lte", perfect)]).unwrap());
        for namespace in [&net.client, &net.server] {
            namespace.set_sysctl("net.mptcp.close_timeout", "1").unwrap();
        }
        let v4_mapped = net.paths[0].server_v4.to_ipv6_mapped().into();
        for to in net.paths[0].server_ips().into_iter().chain([v4_mapped]) {
            let pair = controlled(&net, to);
            let drops = drops();
            net.paths[1].wire().unwrap().add(drops.clone());
            let _entered = net.client.enter().unwrap();
            let local = net.paths[1].client_ip(to.to_canonical());
            let options = Open::new().local(local).timeout(2 * SOON);
            let mut opening = Opening::begin(&pair.client, &options).unwrap();
            wait_until(SOON, "the answer to the first segment", || {
                assert!(opening.advance().unwrap().is_none());
                let both = subflows::list(&pair.client).unwrap();
                both.iter().filter(|s| s.state == SubflowState::Established).count() == 2
            });
            test(&net, &pair, opening, &drops);
            drops.stop();
        }
    }
}

fn joined(mut opening: Opening<impl AsFd>) -> Subflow {
    let mut joined = None;
    wait_until(SOON, "the join", || {
        joined = opening.advance().unwrap();
        joined.is_some()
    });
    joined.unwrap()
}

/// A subflow was counted as soon as its TCP handshake was over, when the peer may still take it back
/// or has never seen the end of it.
#[test]
fn the_last_joined_one_went_while_another_was_only_answered() {
    if !ready() {
        return;
    }
    answered_only(|net, pair, opening, drops| {
        let initial = subflows::list(&pair.client).unwrap()[0].id;
        assert_eq!(kind(subflows::close(&pair.client, initial)), ErrorKind::InvalidState);
        assert!(pair.moves_data());
        // Once the other is joined, it may go.
        drops.stop();
        let second = joined(opening);
        subflows::close(&pair.client, initial).unwrap();
        both_have(net, pair, &[&second]);
        assert!(pair.moves_data());
    });
}

#[test]
fn a_forced_close_beside_one_only_answered_leaves_that_one() {
    if !ready() {
        return;
    }
    answered_only(|net, pair, opening, drops| {
        let initial = subflows::list(&pair.client).unwrap()[0].id;
        subflows::force_close(&pair.client, initial).unwrap();
        drops.stop();
        let second = joined(opening);
        both_have(net, pair, &[&second]);
        assert!(pair.moves_data());
    });
}

/// The path manager destroyed the last joined one, and the other was given up: nothing was left, and
/// the connection stayed.
#[test]
fn a_forced_close_beside_one_only_answered_left_a_connection_for_ever() {
    if !ready() {
        return;
    }
    answered_only(|_, pair, opening, _| {
        let initial = subflows::list(&pair.client).unwrap()[0].id;
        subflows::force_close(&pair.client, initial).unwrap();
        drop(opening);
        wait_until(SOON, "the connection to end", || {
            subflows::status(&pair.client).unwrap().state == State::Closed
        });
    });
}
