//! Middleboxes have the effect that their names promise, according to the kernel's counters.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use subflows_lab::traffic::{self, Server};
use subflows_lab::{
    Direction, DropSegments, Net, StripMptcp, Verdict, WireOptions, oracle, ready, skip,
    skip_unless_ready, wait_until,
};

const SOON: Duration = Duration::from_secs(10);
const BYTES: u64 = 300_000;

fn two_wires() -> Net {
    let short = WireOptions { delay: Duration::from_millis(1), ..WireOptions::default() };
    let net = Net::wires(&[("wifi", short), ("lte", short)]).unwrap();
    net.join_by_kernel().unwrap();
    net
}

fn on_first(net: &Net, is_v6: bool) -> (Server, TcpStream) {
    let ip = net.paths[0].server_ips()[usize::from(is_v6)];
    let server = traffic::serve_source(&net.server, (ip, 0).into(), BYTES).unwrap();
    let stream = net.client.run(|| traffic::connect(server.local_addr())).unwrap();
    (server, stream)
}

/// Once the middlebox is stopped, the join that it has delayed completes.
fn joins_without(drops: &DropSegments, net: &Net) {
    // The client calls it established, but not fully (e).
    let flags = joined_flags(net).unwrap();
    assert!(flags.contains('j') && !flags.contains('e'), "{flags}");
    drops.stop();
    wait_until(SOON, "the join", || joined_flags(net).is_some_and(|f| f.contains('e')));
}

/// Waits until both ends have fallen back.
fn fall_back(server: &Server, stream: &TcpStream) {
    wait_until(SOON, "both ends to fall back", || both_believe(server, stream) == [false, false]);
}

/// Whether client and server report MPTCP.
fn both_believe(server: &Server, stream: &TcpStream) -> [bool; 2] {
    let accepted = server.accepted().unwrap();
    [traffic::is_mptcp(stream).unwrap(), traffic::is_mptcp(&accepted[0]).unwrap()]
}

/// The flags of the joined subflow, once there is one.
fn joined_flags(net: &Net) -> Option<String> {
    let subflows = oracle::ss_subflows(&net.client);
    let joined = subflows.into_iter().find(|s| s.remote_token != "0000" && s.state == "ESTAB")?;
    Some(joined.flags)
}

#[test]
fn a_stripped_syn_is_plain_tcp() {
    skip_unless_ready!();
    for is_v6 in [false, true] {
        let net = two_wires();
        let strip = StripMptcp::from_syn();
        net.paths[0].wire().unwrap().add(strip.clone());
        let (server, stream) = on_first(&net, is_v6);
        traffic::fetch(&stream, BYTES).unwrap();
        assert_eq!(both_believe(&server, &stream), [false, false]);
        assert!(strip.stripped() >= 1);
        assert_eq!(oracle::nstat(&net.server, "MPTcpExtMPCapableSYNRX"), 0);
        assert_eq!(oracle::nstat(&net.client, "MPTcpExtMPCapableFallbackSYNACK"), 1);
        assert_eq!(oracle::nstat(&net.server, "TcpInCsumErrors"), 0);
    }
}

#[test]
fn options_that_vanish_after_the_handshake_mean_fallback() {
    skip_unless_ready!();
    for is_v6 in [false, true] {
        let net = two_wires();
        let strip = StripMptcp::after_handshake();
        net.paths[0].wire().unwrap().add(strip.clone());
        let (server, stream) = on_first(&net, is_v6);
        assert_eq!(oracle::nstat(&net.server, "MPTcpExtMPCapableSYNRX"), 1);
        traffic::fetch(&stream, BYTES).unwrap();
        fall_back(&server, &stream);
        assert!(strip.stripped() > 1);
        assert_eq!(oracle::nstat(&net.server, "TcpInCsumErrors"), 0);
        assert_eq!(oracle::nstat(&net.client, "TcpInCsumErrors"), 0);
    }
}

#[test]
fn options_that_vanish_under_way_mean_late_fallback() {
    skip_unless_ready!();
    for is_v6 in [false, true] {
        let perfect = WireOptions::default();
        let net = Net::wires(&[("wifi", perfect)]).unwrap();
        let strip = StripMptcp::when_enabled();
        net.paths[0].wire().unwrap().add(strip.clone());
        let (server, stream) = on_first(&net, is_v6);
        traffic::fetch(&stream, BYTES).unwrap();
        assert_eq!(both_believe(&server, &stream), [true, true]);
        strip.enable();
        traffic::fetch(&stream, BYTES).unwrap();
        fall_back(&server, &stream);
    }
}

#[test]
fn stripping_can_begin_in_the_middle_of_a_transfer() {
    skip_unless_ready!();
    let net = Net::wires(&[("wifi", WireOptions::default())]).unwrap();
    let strip = StripMptcp::after_payload(BYTES / 2);
    net.paths[0].wire().unwrap().add(strip.clone());
    let (_server, stream) = on_first(&net, false);
    (&stream).write_all(&[1]).unwrap();
    stream.set_nonblocking(true).unwrap();
    // The packet carries no information about the data. The sender, which still uses MPTCP, repeats
    // what seems unacknowledged, and the receiver accepts that as new data (seen on Linux 6.18).
    wait_until(SOON, "the receiver to fall back", || {
        let _ = (&stream).read(&mut [0; 10_000]);
        !traffic::is_mptcp(&stream).unwrap()
    });
    assert!(strip.stripped() > 0);
}

#[test]
fn a_lost_third_ack_leaves_the_server_without_a_subflow() {
    skip_unless_ready!();
    for is_v6 in [false, true] {
        let net = two_wires();
        let drops = DropSegments::third_ack_of_join();
        net.paths[1].wire().unwrap().add(drops.clone());
        let (_server, stream) = on_first(&net, is_v6);
        traffic::fetch(&stream, BYTES).unwrap();
        wait_until(SOON, "the third packet to be dropped", || drops.dropped() > 0);
        assert_eq!(oracle::nstat(&net.client, "MPTcpExtMPJoinSynAckRx"), 1);
        assert_eq!(oracle::nstat(&net.server, "MPTcpExtMPJoinSynRx"), 1);
        assert_eq!(oracle::nstat(&net.server, "MPTcpExtMPJoinAckRx"), 0);
        // It is repeated, so the join completes later.
        joins_without(&drops, &net);
        assert_eq!(oracle::nstat(&net.server, "MPTcpExtMPJoinAckRx"), 1);
    }
}

#[test]
fn a_lost_fourth_ack_leaves_the_client_waiting() {
    skip_unless_ready!();
    for is_v6 in [false, true] {
        let net = two_wires();
        let drops = DropSegments::fourth_ack_of_join();
        net.paths[1].wire().unwrap().add(drops.clone());
        // A server that sends nothing on its own, so that only the ACK could complete the
        // handshake.
        let ip = net.paths[0].server_ips()[usize::from(is_v6)];
        let server = traffic::serve_echo(&net.server, (ip, 0).into()).unwrap();
        let stream = net.client.run(|| traffic::connect(server.local_addr())).unwrap();
        (&stream).write_all(b"x").unwrap();
        (&stream).read_exact(&mut [0]).unwrap();
        wait_until(SOON, "the fourth packet to be dropped", || drops.dropped() > 0);
        assert_eq!(oracle::nstat(&net.server, "MPTcpExtMPJoinAckRx"), 1);
        joins_without(&drops, &net);
    }
}

#[test]
fn joins_and_mptcp_itself_can_be_refused() {
    skip_unless_ready!();
    let net = two_wires();
    let joins = DropSegments::join_syns();
    net.paths[1].wire().unwrap().add(joins.clone());
    let (server, stream) = on_first(&net, false);
    traffic::fetch(&stream, BYTES).unwrap();
    wait_until(SOON, "a join to be dropped", || joins.dropped() > 0);
    assert_eq!(oracle::nstat(&net.server, "MPTcpExtMPJoinSynRx"), 0);
    assert_eq!(both_believe(&server, &stream), [true, true]);

    // The kernel tries plain TCP after its second repetition.
    if !net.client.fall_back_by_syns().unwrap() {
        return skip("before Linux 6.12, every repeated SYN has the option again");
    }
    let all = DropSegments::mptcp_syns();
    net.paths[0].wire().unwrap().add(all.clone());
    let (server, stream) = on_first(&net, true);
    traffic::fetch(&stream, BYTES).unwrap();
    assert_eq!(both_believe(&server, &stream), [false, false]);
    assert!(all.dropped() >= 2);
}

#[test]
fn any_closure_is_a_middlebox() {
    skip_unless_ready!();
    let net = two_wires();
    let wire = net.paths[0].wire().unwrap();
    let drops = DropSegments::all(|segment| segment.is_syn && !segment.is_ack).limit(1);
    wire.add(drops.clone());
    let (sender, seen) = std::sync::mpsc::channel();
    wire.add(move |direction: Direction, frame: &mut [u8]| {
        let _ = sender.send((direction, frame.len()));
        Verdict::Forward
    });
    let (_server, stream) = on_first(&net, false);
    traffic::fetch(&stream, BYTES).unwrap();
    assert_eq!(drops.dropped(), 1);
    assert_eq!(wire.counters(Direction::ToServer).filtered, 1);
    assert!(seen.try_iter().any(|(direction, _)| direction == Direction::ToClient));
}

#[test]
#[should_panic(expected = "seen in a middlebox")]
fn a_failed_assertion_in_a_middlebox_is_the_tests_failure() {
    if !ready() {
        panic!("seen in a middlebox, as good as");
    }
    let net = two_wires();
    net.paths[0]
        .wire()
        .unwrap()
        .add(|_: Direction, _: &mut [u8]| -> Verdict { panic!("seen in a middlebox") });
    let server = traffic::serve_echo(&net.server, (net.paths[0].server_v4, 0).into()).unwrap();
    let connect = traffic::Connect::new().timeout(Duration::from_millis(200));
    let _ = net.client.run(|| connect.to(server.local_addr()));
}
