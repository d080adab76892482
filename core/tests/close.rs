//! Closing while another subflow is still being opened. The rest of `close` is in the scenarios.

mod common;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use common::judge::{self, Ends, agree, ends_of as ends, mirrored};
use common::{Pair, SOON, controlled, networks, open_handed};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use subflows::{ErrorKind, Open, Opening, Result, State, Subflow, SubflowState};
use subflows_lab::{
    CHUNK, DropSegments, Net, WireOptions, has_sysctl, pattern, skip, skip_unless_ready, wait_until,
};

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
fn one_that_is_being_opened_can_be_closed() {
    skip_unless_ready!();
    for net in networks() {
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
            // The pending open fails before its deadline.
            wait_until(Duration::from_secs(3), "the open to end", || opening.advance().is_err());
            assert!(pair.moves_data());
            net.paths[1].plug_in().unwrap();
        }
    }
}

/// How long a connection lives without a subflow: before Linux 6.7 a minute.
const CLOSE_TIMEOUT: &str = "net.mptcp.close_timeout";

/// A network whose second path drops the segments that complete a join, and the subflow on it that
/// is answered but not joined.
fn answered_only(test: impl Fn(&Net, &Pair, Opening<&TcpStream>, &DropSegments)) {
    for drops in [DropSegments::third_ack_of_join, DropSegments::fourth_ack_of_join] {
        let perfect = WireOptions::default();
        let net = open_handed(Net::wires(&[("wifi", perfect), ("lte", perfect)]).unwrap());
        for namespace in [&net.client, &net.server] {
            if has_sysctl(CLOSE_TIMEOUT) {
                namespace.set_sysctl(CLOSE_TIMEOUT, "1").unwrap();
            }
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

/// A subflow once counted as soon as its TCP handshake was over, when the peer may still reset it
/// or has not yet received the last segment.
#[test]
fn the_last_joined_one_went_while_another_was_only_answered() {
    skip_unless_ready!();
    answered_only(|net, pair, opening, drops| {
        let initial = subflows::list(&pair.client).unwrap()[0].id;
        assert_eq!(kind(subflows::close(&pair.client, initial)), ErrorKind::InvalidState);
        assert!(pair.moves_data());
        // Once the other subflow is joined, this one may be closed.
        drops.stop();
        let second = joined(opening);
        subflows::close(&pair.client, initial).unwrap();
        both_have(net, pair, &[&second]);
        assert!(pair.moves_data());
    });
}

#[test]
fn a_forced_close_keeps_a_half_open_subflow() {
    skip_unless_ready!();
    answered_only(|net, pair, opening, drops| {
        let initial = subflows::list(&pair.client).unwrap()[0].id;
        subflows::force_close(&pair.client, initial).unwrap();
        drops.stop();
        let second = joined(opening);
        both_have(net, pair, &[&second]);
        assert!(pair.moves_data());
    });
}

/// Once the path manager destroyed the last joined subflow while the other one was given up: no
/// subflow was left, and the connection stayed.
#[test]
fn a_forced_close_left_a_connection_without_subflows_forever() {
    skip_unless_ready!();
    if !has_sysctl(CLOSE_TIMEOUT) {
        return skip("this kernel has no net.mptcp.close_timeout");
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

/// Reads what arrives, waiting by poll, until `is_enough` or the end of the stream. Returns how much has
/// been read in all.
#[track_caller]
fn receive(mut sock: &TcpStream, mut received: u64, is_enough: impl Fn(u64) -> bool) -> u64 {
    let mut chunk = vec![0; CHUNK];
    while !is_enough(received) {
        let mut entry = [PollFd::new(sock.as_fd(), PollFlags::POLLIN)];
        let ready = poll(&mut entry, PollTimeout::try_from(SOON).unwrap()).unwrap();
        assert_ne!(ready, 0, "nothing arrives after {received} bytes");
        let length = sock.read(&mut chunk).unwrap();
        if length == 0 {
            break;
        }
        assert_eq!(chunk[..length], *pattern(received, length), "after {received} bytes");
        received += length as u64;
    }
    received
}

/// The peer has written everything and shut down its direction. Its kernel is still sending when this
/// end closes a subflow.
#[test]
fn what_was_under_way_before_the_end_of_the_stream_was_lost() {
    const BYTES: u64 = 400_000;
    skip_unless_ready!();
    let slow = WireOptions {
        delay: Duration::from_millis(10),
        rate_bits_per_second: Some(4_000_000),
        ..WireOptions::default()
    };
    for closed in [0, 1] {
        let net = open_handed(Net::wires(&[("wifi", slow), ("lte", slow)]).unwrap());
        for to in net.paths[0].server_ips() {
            let pair = controlled(&net, to);
            let _entered = net.client.enter().unwrap();
            let options = Open::new().local(net.paths[1].client_ip(to));
            subflows::open(&pair.client, &options).unwrap();
            let id = subflows::list(&pair.client).unwrap()[closed].id;
            let sender = thread::spawn(move || {
                let mut sent = 0;
                while sent < BYTES {
                    let rest = pattern(sent, (BYTES - sent) as usize);
                    sent += (&pair.server).write(rest).unwrap() as u64;
                }
                pair.server.shutdown(Shutdown::Write).unwrap();
                pair.server
            });
            let received =
                receive(&pair.client, 0, |so_far| so_far > 10_000 && sender.is_finished());
            assert!(received < BYTES, "nothing was under way");
            subflows::close(&pair.client, id).unwrap();
            assert_eq!(receive(&pair.client, received, |_| false), BYTES);
        }
    }
}
