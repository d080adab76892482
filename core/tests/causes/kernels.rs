//! Kernels without a module or an option.

use subflows::{
    Announce, Connect, ConnectionsOptions, ErrorKind, EventKind, Events, Family, Listen, Open,
    State,
};
use subflows_lab::{Net, ready, skip_unless_ready};

use crate::common::child::{helper, only_as_child, plays};
use crate::common::{LOOPBACK, connect_between, deny, is_without};
use crate::{fails_with, lacks};

#[test]
#[ignore = "a child of other tests"]
fn helper_without_tcp_diag() {
    only_as_child!();
    let namespace = subflows_lab::Namespace::new().unwrap();
    let _entered = namespace.enter().unwrap();
    let (kind, text, remedy) = (ErrorKind::Unsupported, "TCP sockets", "modprobe tcp_diag");
    lacks("details", text, remedy);
    for ip in LOOPBACK {
        let pair = connect_between(&namespace, &namespace, ip, &Connect::new().control(true));
        assert!(!subflows::status(&pair.client).unwrap().is_ready);
        pair.make_ready();
        assert!(subflows::status(&pair.client).unwrap().is_ready);
        fails_with(subflows::open(&pair.client, &Open::new()), kind, text, remedy);
        // Nothing was begun.
        assert_eq!(subflows::info(&pair.client).unwrap().subflows, Some(1));
        let announce = || subflows::announce(&pair.client, ip, &Announce::new());
        if is_without("full_info") {
            // The ids of subflows are numbers of that table.
            fails_with(subflows::list(&pair.client), kind, text, remedy);
            fails_with(subflows::details(&pair.client, 1), kind, text, remedy);
            fails_with(subflows::close(&pair.client, 1), kind, text, remedy);
            fails_with(announce(), kind, text, remedy);
        } else {
            let [only] = &subflows::list(&pair.client).unwrap()[..] else { panic!("not one") };
            fails_with(subflows::details(&pair.client, only.id), kind, text, remedy);
            let last = subflows::close(&pair.client, only.id).unwrap_err();
            assert_eq!(last.kind(), ErrorKind::InvalidState);
            // The path manager's own list of addresses is enough for this.
            announce().unwrap().withdraw().unwrap();
        }
        fails_with(subflows::addresses(&pair.client), kind, text, remedy);
        let with = ConnectionsOptions::new().subflows(true);
        fails_with(subflows::connections(&with), kind, text, remedy);
        fails_with(Events::of_namespace(), kind, text, remedy);
        let all = subflows::connections(&ConnectionsOptions::new()).unwrap();
        assert!(!all.is_empty());
        assert!(pair.moves_data());
        if is_without("full_info") {
            fails_with(subflows::events(&pair.client), kind, text, remedy);
            continue;
        }
        let mut events = subflows::events(&pair.client).unwrap();
        // More than fit in the buffer.
        (0..300).for_each(|_| drop(subflows::listen((ip, 0), &Listen::new()).unwrap()));
        let kinds = std::iter::from_fn(|| events.try_next().unwrap()).map(|event| event.kind);
        assert_eq!(kinds.collect::<Vec<_>>(), [EventKind::Lost]);
    }
}

/// The kernel answers each look-up as if the subflow did not exist: `open` once took a good subflow for
/// one that the peer had taken back, and destroyed it. After lost events, a stream of one connection
/// reported nothing but errors.
#[test]
fn without_tcp_diag_open_once_destroyed_the_good_subflow() {
    skip_unless_ready!();
    for without in ["tcp_diag", "tcp_diag,full_info"] {
        let mut helper = helper("kernels::helper_without_tcp_diag");
        helper.env("SUBFLOWS_WITHOUT", without);
        plays(&mut helper);
    }
}

/// From <linux/mptcp.h>.
const SOL_MPTCP: i32 = 284;

#[test]
#[ignore = "a child of other tests"]
fn helper_without_mptcp_info() {
    only_as_child!();
    let namespace = subflows_lab::Namespace::new().unwrap();
    let _entered = namespace.enter().unwrap();
    for errno in [libc::EOPNOTSUPP, libc::ENOPROTOOPT] {
        deny::deny(libc::SYS_getsockopt, (1, SOL_MPTCP), errno);
        let (kind, text, remedy) = (ErrorKind::Unsupported, "state of Multipath TCP", "Linux 5.16");
        lacks("info", text, remedy);
        for family in [Family::V4, Family::V6] {
            let sock = subflows::socket(family).unwrap();
            fails_with(subflows::status(&sock), kind, text, remedy);
            fails_with(subflows::take_control(&sock), kind, text, remedy);
            fails_with(subflows::upgrade(&sock), kind, text, remedy);
        }
        for ip in LOOPBACK {
            let pair = connect_between(&namespace, &namespace, ip, &Connect::new());
            assert!(pair.moves_data());
            fails_with(subflows::status(&pair.client), kind, text, remedy);
            fails_with(subflows::list(&pair.client), kind, text, remedy);
            fails_with(subflows::info(&pair.client), kind, text, remedy);
            fails_with(subflows::open(&pair.client, &Open::new()), kind, text, remedy);
            fails_with(subflows::close(&pair.client, 1), kind, text, remedy);
        }
    }
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    assert_eq!(subflows::status(&tcp).unwrap().state, State::Tcp);
}

/// Linux 5.6 to 5.15 have no MPTCP_INFO: every connection was once reported as fallen back.
#[test]
fn before_5_16_every_connection_once_fell_back() {
    if ready() {
        plays(&mut helper("kernels::helper_without_mptcp_info"));
    }
}

/// `connections` once showed a fallen-back connection as a Multipath TCP one.
#[test]
fn a_connection_that_fell_back_is_listed_as_such() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    for to in net.paths[0].server_ips() {
        let plain = net.server.run(|| std::net::TcpListener::bind((to, 0))).unwrap();
        let to_plain = plain.local_addr().unwrap();
        let fallen = net.client.run(|| subflows::connect(to_plain, &Connect::new())).unwrap();
        let _accepted = plain.accept().unwrap();
        assert_eq!(subflows::status(&fallen).unwrap().state, State::FellBack);
        let listener = net.server.run(|| subflows::listen((to, 0), &Listen::new())).unwrap();
        let to_mptcp = listener.local_addr().unwrap();
        let _good = net.client.run(|| subflows::connect(to_mptcp, &Connect::new())).unwrap();
        let all = net.client.run(|| subflows::connections(&ConnectionsOptions::new())).unwrap();
        let of = |remote| all.iter().find(|found| found.remote == remote).unwrap();
        assert!(of(to_plain).is_fallen_back);
        assert!(!of(to_mptcp).is_fallen_back);
        let token = of(to_plain).token;
        assert!(net.client.run(|| subflows::connection(token)).unwrap().is_fallen_back);
    }
}
