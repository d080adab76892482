//! Joins that fail: who or what ended them.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use subflows::{Connect, ErrorKind, Open, Opening, Subflow, SubflowState};
use subflows_lab::{
    DropSegments, Net, StripMptcp, WireOptions, ignores_interfaces, skip, skip_unless_ready,
    wait_until,
};

use crate::common::ways::{peer, pull_cable, second};
use crate::common::{self, Pair, SOON, is_without, open_handed, raw};
use crate::fails_with;

/// A controlled connection of each family, over a network whose second path is a wire.
fn wires() -> Net {
    let perfect = WireOptions::default();
    open_handed(Net::wires(&[("wifi", perfect), ("lte", perfect)]).unwrap())
}

fn controlled(net: &Net) -> Vec<Pair> {
    net.paths[0].server_ips().map(|to| common::controlled(net, to)).into()
}

fn finished(mut opening: Opening<&TcpStream>) -> Result<Subflow, subflows::Error> {
    let end = Instant::now() + SOON;
    loop {
        assert!(Instant::now() < end, "the opening does not end");
        match opening.advance() {
            Ok(None) => std::thread::sleep(Duration::from_millis(10)),
            Ok(Some(subflow)) => return Ok(subflow),
            Err(error) => return Err(error),
        }
    }
}

/// The error once was that the peer had reset it, or that the whole connection was closed.
#[test]
fn a_join_that_this_host_ended_was_once_the_peers_fault() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
    let pairs = controlled(&net);
    pull_cable(&net, 1);
    for pair in pairs {
        let _entered = net.client.enter().unwrap();
        let options = second(&net, &pair).timeout(2 * SOON);
        let begin = || {
            let opening = Opening::begin(&pair.client, &options).unwrap();
            (subflows::list(&pair.client).unwrap().last().unwrap().clone(), opening)
        };
        let (kind, text) = (ErrorKind::NoSuchSubflow, "this host closed the subflow");

        let (half_open, opening) = begin();
        subflows::close(&pair.client, half_open.id).unwrap();
        fails_with(finished(opening), kind, text, "Open it again");

        let (half_open, opening) = begin();
        let port = format!(":{}", half_open.local.port());
        net.client.output("ss", &["-K", "-tn", "sport", "=", &port]).unwrap();
        fails_with(finished(opening), kind, text, "Open it again");
        assert!(pair.moves_data());
    }
}

/// After the peer's answer, nothing distinguishes the two but who is asked.
#[test]
fn an_answered_join_that_this_host_ended_is_not_refused() {
    skip_unless_ready!();
    let net = wires();
    let drops = DropSegments::third_ack_of_join();
    net.paths[1].wire().unwrap().add(drops.clone());
    for pair in controlled(&net) {
        let _entered = net.client.enter().unwrap();
        let options = second(&net, &pair).timeout(2 * SOON);
        for is_closed in [true, false] {
            let mut opening = Opening::begin(&pair.client, &options).unwrap();
            let mut last = None;
            wait_until(SOON, "the answer", || {
                assert!(opening.advance().unwrap().is_none());
                last = subflows::list(&pair.client).unwrap().last().cloned();
                last.as_ref().is_some_and(|last| {
                    last.local.ip() != pair.client.local_addr().unwrap().ip()
                        && last.state == SubflowState::Established
                })
            });
            let last = last.unwrap();
            if is_closed {
                subflows::close(&pair.client, last.id).unwrap();
            } else {
                let port = format!(":{}", last.local.port());
                net.client.output("ss", &["-K", "-tn", "sport", "=", &port]).unwrap();
            }
            if is_closed && is_without("addresses_by_token") {
                // The kernel's event is the one of a reset by the peer, and nothing else distinguishes them.
                fails_with(finished(opening), ErrorKind::PeerLimit, "then reset it", "limit");
                continue;
            }
            let (kind, text) = (ErrorKind::NoSuchSubflow, "this host closed the subflow");
            fails_with(finished(opening), kind, text, "Open it again");
        }
        assert!(pair.moves_data());
    }
}

#[test]
fn a_listener_that_is_gone_and_a_firewall_are_named() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
    for mut pair in controlled(&net) {
        let options = second(&net, &pair);
        let open = || net.client.run(|| subflows::open(&pair.client, &options));
        // MP_JOIN is the first option of Multipath TCP in a SYN, after four others.
        let family = if peer(&pair).is_ipv4() { "ip" } else { "ip6" };
        net.server
            .nft(&format!(
                "table {family} refuse {{ chain i {{ type filter hook input priority 0; \
                 tcp flags syn @th,336,4 0x1 reject with tcp reset; }}; }}"
            ))
            .unwrap();
        fails_with(open(), ErrorKind::Refused, "refused the subflow", "firewall");
        net.server.nft(&format!("delete table {family} refuse")).unwrap();
        open().unwrap();

        let elsewhere = net.server.run(|| subflows::listen("127.0.0.1:0", &Default::default()));
        let listener = std::mem::replace(&mut pair.listener, elsewhere.unwrap());
        common::close_listener(&net.server, listener);
        let gone = net.client.run(|| subflows::open(&pair.client, &options));
        fails_with(gone, ErrorKind::Refused, "refused the subflow", "listener is still open");
        assert!(pair.moves_data());
    }
}

/// The error once was that the peer had reset the subflow, although this host did.
#[test]
fn a_middlebox_that_strips_the_option_is_named() {
    skip_unless_ready!();
    let net = wires();
    net.paths[1].wire().unwrap().add(StripMptcp::from_syn());
    for pair in controlled(&net) {
        let options = second(&net, &pair);
        let result = net.client.run(|| subflows::open(&pair.client, &options));
        fails_with(result, ErrorKind::Refused, "no Multipath TCP option", "removes");
        assert!(pair.moves_data());
    }
}

/// Apache's default. The third segment of a join has no data, so the server drops it.
#[test]
fn a_server_that_defers_accepts_is_named() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
    for pair in controlled(&net) {
        raw::set_i32(&pair.listener, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, 30).unwrap();
        let options = second(&net, &pair).timeout(Duration::from_secs(3));
        let result = net.client.run(|| subflows::open(&pair.client, &options));
        fails_with(result, ErrorKind::TimedOut, "nor repeated its answer", "TCP_DEFER_ACCEPT");
        assert!(pair.moves_data());
    }
}

/// A host with two ways out and a strict filter drops the answer itself. The command once named no setting
/// of an interface of a VLAN, whose name has a dot.
#[test]
fn the_reverse_path_filter_of_this_host_is_named_with_the_command_that_helps() {
    skip_unless_ready!();
    if ignores_interfaces() {
        return skip("the rules by which this kernel sends also satisfy the filter");
    }
    let mut net = open_handed(Net::two_subnets().unwrap());
    let name = "lte.7";
    net.paths[1].rename_client_interface(name).unwrap();
    let via = net.paths[1].server_v4.to_string();
    net.client
        .ip(&["route", "add", "default", "via", &via, "dev", name, "metric", "1000"])
        .unwrap();
    for interface in ["all", name] {
        net.client.set_sysctl(&format!("net/ipv4/conf/{interface}/rp_filter"), "1").unwrap();
    }
    let pairs = controlled(&net);
    let pair = &pairs[0];
    let options = second(&net, pair).timeout(Duration::from_millis(2500));
    let open = || net.client.run(|| subflows::open(&pair.client, &options));
    let remedy = format!("sysctl net/ipv4/conf/{name}/rp_filter=2");
    fails_with(open(), ErrorKind::TimedOut, "reverse-path filter", &remedy);
    net.client.output("sysctl", &[&remedy[7..]]).unwrap();
    open().unwrap();
    // A path that is silent for another reason is not blamed on the filter.
    pull_cable(&net, 1);
    fails_with(open(), ErrorKind::TimedOut, "did not answer", "Check that packets pass");
}

/// Unused ports are chosen by the library, but the remedy was once to choose another one.
#[test]
fn no_port_left_is_named() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
    for pair in controlled(&net) {
        net.client.set_sysctl("net/ipv4/ip_local_port_range", "40000 40019").unwrap();
        let _entered = net.client.enter().unwrap();
        let local = net.paths[1].client_ip(peer(&pair).ip());
        let hold = |port| std::net::TcpListener::bind((local, port)).unwrap();
        let _held: Vec<_> = (40_000..=40_019).map(hold).collect();
        let (kind, remedy) = (ErrorKind::AddressNotAvailable, "ip_local_port_range");
        let text = "no local port of net.ipv4.ip_local_port_range is left";
        fails_with(subflows::open(&pair.client, &second(&net, &pair)), kind, text, remedy);
        let bound = Connect::new().local((local, 0));
        fails_with(subflows::connect(peer(&pair), &bound), kind, text, remedy);
        let beyond = second(&net, &pair).local_port(41_000);
        subflows::open(&pair.client, &beyond).unwrap();
    }
}

/// Without an answer, the error names the way that was tried.
#[test]
fn no_route_names_the_question_to_ask() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
    for pair in controlled(&net) {
        let remote = if peer(&pair).is_ipv4() { "198.51.100.1:1" } else { "[2001:db8:ffff::1]:1" };
        let delete = "while ip route del default; do :; done; while ip -6 route del default; do :; done; true";
        let remote: std::net::SocketAddr = remote.parse().unwrap();
        net.client.output("sh", &["-c", delete]).unwrap();
        let name = &net.paths[1].client_interface;
        let options = Open::new().interface(name).remote(remote);
        let open = net.client.run(|| subflows::open(&pair.client, &options));
        let remedy = format!("ip route get {}", remote.ip());
        fails_with(open, ErrorKind::Unreachable, &remote.ip().to_string(), &remedy);
        let open = net.client.run(|| subflows::open(&pair.client, &options));
        fails_with(open, ErrorKind::Unreachable, &remote.ip().to_string(), &format!("oif {name}"));
        assert!(pair.moves_data());
    }
}

/// A reset without the option that has the reason: by a firewall, or a peer that is not Linux.
#[test]
fn an_answered_join_that_the_network_resets_is_the_peers() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
    let name = &net.paths[1].server_interface;
    net.server
        .nft(&format!(
            "table inet refuse {{ chain i {{ type filter hook input priority 0; iifname {name} \
             tcp flags & (syn | ack) == ack reject with tcp reset; }}; }}"
        ))
        .unwrap();
    for pair in controlled(&net) {
        let options = second(&net, &pair);
        let result = net.client.run(|| subflows::open(&pair.client, &options));
        fails_with(result, ErrorKind::PeerLimit, "answered the subflow, then reset it", "limit");
        assert!(pair.moves_data());
    }
}
