//! One connection: why it has no second subflow, why it is plain TCP, and what is wrong with its subflows.

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;

use subflows::{Connect, ErrorKind, Family, Finding, FindingKind};
use subflows_lab::{
    DropSegments, Namespace, Net, StripMptcp, WireOptions, ignores_interfaces, oracle,
    skip_unless_ready, wait_until,
};

use crate::common::child::{helper_without_rights, only_as_child, plays};
use crate::common::{
    Pair, SOON, connect, controlled, expect_error, open_handed, raw, userspace, ways::second,
};
use crate::{checked, examined, has, is_first, is_healthy, wait_for};

/// What the doctor finds about a connection.
#[track_caller]
fn diagnosed(namespace: &Namespace, sock: &(impl AsFd + Sync)) -> Vec<Finding> {
    checked(namespace.run(|| subflows::diagnose(sock)).unwrap())
}

/// A connection whose paths the kernel manages, and that is ready for them.
fn managed(net: &Net, to: std::net::IpAddr) -> Pair {
    let pair = connect(net, to, &Connect::new());
    pair.make_ready();
    pair
}

/// The number of subflows of each connection of the client.
fn has_joined(net: &Net, pair: &Pair, count: usize) {
    wait_until(SOON, "the kernel's subflows", || {
        let listed = net.client.run(|| subflows::list(&pair.client)).unwrap();
        let joined = |id| {
            net.client.run(|| subflows::details(&pair.client, id)).is_ok_and(|one| one.is_joined)
        };
        listed.iter().filter(|one| joined(one.id)).count() == count
    });
}

#[test]
fn the_state_of_a_socket_is_found() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let server = |to| net.server.run(|| TcpListener::bind((to, 0))).unwrap();
    for to in net.paths[0].server_ips() {
        let family = if to.is_ipv4() { Family::V4 } else { Family::V6 };
        let idle = net.client.run(|| subflows::socket(family)).unwrap();
        is_first(&diagnosed(&net.client, &idle), FindingKind::NotConnected, &["connect(2)"]);

        let plain = server(to);
        let address = plain.local_addr().unwrap();
        let client = net.client.run(|| TcpStream::connect(address)).unwrap();
        is_first(&diagnosed(&net.client, &client), FindingKind::PlainSocket, &["subflows run"]);
        let client = net.client.run(|| subflows::connect(address, &Connect::new())).unwrap();
        let counted = ["MPCapableFallbackSYNACK"];
        is_first(&diagnosed(&net.client, &client), FindingKind::FellBack, &counted);

        let pair = connect(&net, to, &Connect::new());
        is_first(&diagnosed(&net.client, &pair.client), FindingKind::NotReady, &["byte"]);
        pair.make_ready();
        let found = diagnosed(&net.server, &pair.server);
        has(&found, FindingKind::Accepted, &["subflows doctor on the client"]);
        let elsewhere = net.server.run(|| subflows::diagnose(&pair.client));
        expect_error(elsewhere, ErrorKind::OtherNamespace);

        raw::set_i32(&pair.listener, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, 30).unwrap();
        let found = diagnosed(&net.server, &pair.listener);
        is_first(&found, FindingKind::DeferAccept, &["AcceptFilter", "by 3"]);
        raw::set_i32(&pair.listener, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, 0).unwrap();
        assert_eq!(diagnosed(&net.server, &pair.listener), []);

        pair.client.shutdown(Shutdown::Write).unwrap();
        is_first(&diagnosed(&net.client, &pair.client), FindingKind::HalfClosed, &["shutdown"]);
        pair.server.shutdown(Shutdown::Both).unwrap();
        let mut found = Vec::new();
        wait_until(SOON, "the end of the connection", || {
            found = diagnosed(&net.client, &pair.client);
            found[0].kind != FindingKind::HalfClosed
        });
        is_first(&found, FindingKind::Closed, &[]);
    }
    let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    expect_error(subflows::diagnose(&datagrams), ErrorKind::InvalidArgument);
}

#[test]
fn what_the_kernel_does_not_open_is_found() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    for to in net.paths[0].server_ips() {
        let pair = managed(&net, to);
        let second = net.paths[1].client_ip(to);
        let command = format!("ip mptcp endpoint add {second} dev eth1 subflow");
        is_first(&diagnosed(&net.client, &pair.client), FindingKind::NoEndpoint, &[&command]);
        let limit = |end: &Namespace, number| {
            end.ip(&["mptcp", "limits", "set", "subflows", number]).unwrap();
        };
        limit(&net.client, "0");
        is_first(&diagnosed(&net.client, &pair.client), FindingKind::LimitSubflows, &["limits"]);
        limit(&net.client, "1");
        if !ignores_interfaces() {
            // The command that the doctor named.
            let words: Vec<_> = command.split(' ').skip(1).collect();
            net.client.ip(&words).unwrap();
            has_joined(&net, &pair, 2);
            let found = diagnosed(&net.client, &pair.client);
            is_healthy(&found);
            has(&found, FindingKind::LimitReached, &["1 additional"]);
            net.client.ip(&["mptcp", "endpoint", "flush"]).unwrap();
        }
        limit(&net.client, "8");

        // An address that the peer announces, and that this end does not accept.
        let signal = net.paths[1].server_ips()[usize::from(to.is_ipv6())].to_string();
        let device = &net.paths[1].server_interface;
        net.server.ip(&["mptcp", "endpoint", "add", &signal, "dev", device, "signal"]).unwrap();
        let announced = || oracle::nstat(&net.client, "MPTcpExtAddAddr") > 0;
        wait_until(SOON, "the announcement", announced);
        let found = diagnosed(&net.client, &pair.client);
        has(&found, FindingKind::LimitAddAddrAccepted, &["add_addr_accepted 8"]);
        net.server.ip(&["mptcp", "endpoint", "flush"]).unwrap();
    }
}

#[test]
fn what_a_program_did_not_open_is_found() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
    for to in net.paths[0].server_ips() {
        let pair = controlled(&net, to);
        let token = net.client.run(|| subflows::status(&pair.client)).unwrap().token.unwrap();
        let command = format!("subflows open {token:08x} --interface eth1");
        is_first(&diagnosed(&net.client, &pair.client), FindingKind::Controlled, &[&command]);

        let options = second(&net, &pair).backup(true);
        let open = || net.client.run(|| subflows::open(&pair.client, &options)).unwrap();
        let extra = open();
        let found = diagnosed(&net.client, &pair.client);
        is_healthy(&found);
        let command = format!("subflows set-backup {token:08x} {} no", extra.id);
        has(&found, FindingKind::OnlyBackup, &[&command]);
        net.client.run(|| subflows::set_backup(&pair.client, extra.id, false)).unwrap();
        assert_eq!(diagnosed(&net.client, &pair.client), []);

        net.paths[1].carrier_down().unwrap();
        let carrier = FindingKind::SubflowCarrierGone;
        let found = wait_for(carrier, || diagnosed(&net.client, &pair.client));
        let close = format!("subflows close {token:08x} {}", extra.id);
        is_first(&found, carrier, &[&close]);
        net.paths[1].carrier_up().unwrap();

        let address = options.local.unwrap();
        let length = if to.is_ipv4() { 24 } else { 64 };
        let owned = format!("{address}/{length}");
        net.client.ip(&["address", "del", &owned, "dev", "eth1"]).unwrap();
        let found = diagnosed(&net.client, &pair.client);
        is_first(&found, FindingKind::SubflowAddressGone, &[&close]);
        let nodad: &[&str] = if to.is_ipv4() { &[] } else { &["nodad"] };
        net.client.ip(&[&["address", "add", &owned, "dev", "eth1"], nodad].concat()).unwrap();
        net.client.run(|| subflows::close(&pair.client, extra.id)).unwrap();

        // Such a subflow leaves with the address of eth1 by eth0.
        net.remove_rules().unwrap();
        let unbound = options.clone().unbound(true);
        net.client.run(|| subflows::open(&pair.client, &unbound)).unwrap();
        let found = diagnosed(&net.client, &pair.client);
        is_first(
            &found,
            FindingKind::SubflowElsewhere,
            &["eth1", &format!("rule add from {address}")],
        );
    }
}

#[test]
fn joins_that_are_not_answered_confirmed_or_accepted_are_found() {
    skip_unless_ready!();
    let perfect = WireOptions::default();
    let net = Net::wires(&[("wifi", perfect), ("lte", perfect)]).unwrap();
    net.join_by_kernel().unwrap();
    let wire = net.paths[1].wire().unwrap();
    for to in net.paths[0].server_ips() {
        let found_of = |pair: &Pair, kind| wait_for(kind, || diagnosed(&net.client, &pair.client));
        let drops = DropSegments::join_syns();
        wire.add(drops.clone());
        let pair = managed(&net, to);
        let found = found_of(&pair, FindingKind::JoinUnanswered);
        is_first(&found, FindingKind::JoinUnanswered, &["traceroute --tcp"]);
        drops.stop();
        drop(pair);

        let drops = DropSegments::third_ack_of_join();
        wire.add(drops.clone());
        let pair = managed(&net, to);
        let found = found_of(&pair, FindingKind::JoinUnconfirmed);
        is_first(&found, FindingKind::JoinUnconfirmed, &["TCP_DEFER_ACCEPT"]);
        drops.stop();
        drop(pair);

        net.server.ip(&["mptcp", "limits", "set", "subflows", "0"]).unwrap();
        let pair = managed(&net, to);
        let found = found_of(&pair, FindingKind::JoinRefused);
        is_first(&found, FindingKind::JoinRefused, &["ip mptcp limits"]);
        if oracle::nstat_if_any(&net.server, "MPTcpExtMPJoinRejected").is_some() {
            has(&examined(&net.server, None), FindingKind::JoinsRejected, &["limits set"]);
        }
        net.server.ip(&["mptcp", "limits", "set", "subflows", "8"]).unwrap();

        let flag = "net/mptcp/allow_join_initial_addr_port";
        net.server.set_sysctl(flag, "0").unwrap();
        let pair = controlled(&net, to);
        let found = diagnosed(&net.client, &pair.client);
        has(&found, FindingKind::PeerDeniesInitialAddress, &["add_addr_accepted"]);
        net.server.set_sysctl(flag, "1").unwrap();
    }
}

/// The options go when the first data does.
#[test]
fn a_late_fallback_is_found_with_the_counter_that_shows_why() {
    skip_unless_ready!();
    let perfect = WireOptions::default();
    let net = Net::wires(&[("wifi", perfect), ("lte", perfect)]).unwrap();
    net.paths[0].wire().unwrap().add(StripMptcp::after_handshake());
    for to in net.paths[0].server_ips() {
        let pair = connect(&net, to, &Connect::new());
        (&pair.client).write_all(b"?").unwrap();
        pair.make_ready();
        let found = diagnosed(&net.client, &pair.client);
        is_first(&found, FindingKind::FellBack, &["counters: ", "middlebox"]);
        assert!(!found[0].explanation.contains("none"), "{found:?}");
    }
}

#[test]
#[ignore = "a child of other tests"]
fn helper_as_nobody() {
    only_as_child!();
    let listener = subflows::listen("127.0.0.1:0", &subflows::Listen::new()).unwrap();
    let to = listener.local_addr().unwrap();
    let client = subflows::connect(to, &Connect::new()).unwrap();
    let pair = Pair::accept(client, listener);
    pair.make_ready();
    let found = subflows::diagnose(&pair.client).unwrap();
    has(&found, FindingKind::NoRight, &["CAP_NET_ADMIN"]);
    is_first(&found, FindingKind::Controlled, &[]);
    let found = subflows::doctor(&subflows::Doctor::new().remote(to)).unwrap();
    has(&found, FindingKind::NoRight, &["CAP_NET_ADMIN"]);
    is_first(&found, FindingKind::UserspacePathManager, &[]);
}

/// A program without rights is diagnosed as any other, and its lack of the right is found where it matters.
#[test]
fn an_unprivileged_user_may_ask() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    userspace(&namespace);
    let _entered = namespace.enter().unwrap();
    plays(&mut helper_without_rights("connection::helper_as_nobody"));
}
