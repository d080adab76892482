//! What answers at the remote address.

use std::collections::HashSet;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use subflows::{Connect, Doctor, ErrorKind, FindingKind, Listen};
use subflows_lab::traffic;
use subflows_lab::{
    BoxSpec, DropSegments, EchoOptions, Middlebox, Net, OnPort, WireOptions, oracle, skip,
    skip_unless_ready, wait_until,
};

use crate::common::{SOON, deny, expect_error, on_new_port, without_listener};
use crate::{checked, examined, has, is_first, is_healthy, listeners};

#[test]
fn what_answers_is_found() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    net.join_by_kernel().unwrap();
    for (listener, to) in listeners(&net) {
        is_healthy(&examined(&net.client, Some(to)));

        // The flag is of connections that begin from now on.
        let flag = "net/mptcp/allow_join_initial_addr_port";
        net.server.set_sysctl(flag, "0").unwrap();
        let found = examined(&net.client, Some(to));
        is_first(&found, FindingKind::PeerDeniesInitialAddress, &["add_addr_accepted"]);
        net.server.set_sysctl(flag, "1").unwrap();
        drop(listener);

        let plain = net.server.run(|| TcpListener::bind((to.ip(), 0))).unwrap();
        let found = examined(&net.client, Some(plain.local_addr().unwrap()));
        is_first(&found, FindingKind::PeerWithoutMptcp, &[&to.ip().to_string()]);

        let found = examined(&net.client, None);
        has(&found, FindingKind::Fallbacks, &["MPCapableFallbackSYNACK"]);

        let closed = without_listener(&net.server, to.ip());
        is_first(&examined(&net.client, Some(closed)), FindingKind::Refused, &["refuses"]);

        let elsewhere = if to.is_ipv4() { "198.51.100.1" } else { "2001:db8:f::1" };
        let family = if to.is_ipv4() { "-4" } else { "-6" };
        net.client.ip(&[family, "route", "add", "prohibit", elsewhere]).unwrap();
        let remote = SocketAddr::new(elsewhere.parse().unwrap(), 443);
        is_first(&examined(&net.client, Some(remote)), FindingKind::Unreachable, &["prohibit"]);

        thread::scope(|scope| {
            let denied = || {
                net.client.enter_for_good().unwrap();
                deny::deny_all(libc::SYS_connect, libc::EPERM);
                subflows::doctor(&Doctor::new().remote(plain.local_addr().unwrap())).unwrap()
            };
            let found = scope.spawn(denied).join().unwrap();
            is_first(&found, FindingKind::ConnectDenied, &["policy"]);
        });
    }
    for remote in ["0.0.0.0:443", "[::]:443", "224.0.0.1:443", "192.0.2.1:0"] {
        let options = Doctor::new().remote(remote.parse::<SocketAddr>().unwrap());
        expect_error(subflows::doctor(&options), ErrorKind::InvalidArgument);
    }
}

/// What is between the client and a server, and what the doctor finds first.
fn middleboxes() -> Vec<(Box<dyn Middlebox>, FindingKind)> {
    let named = |name: &str| format!("wifi={name}").parse::<BoxSpec>().unwrap().middlebox();
    let resets = DropSegments::all(|segment| !segment.is_syn && segment.mptcp().next().is_some());
    vec![
        (named("strip-syn"), FindingKind::PeerWithoutMptcp),
        (named("drop-syn"), FindingKind::SynDropped),
        (named("reset-syn"), FindingKind::SynRejected),
        (named("strip-third-ack"), FindingKind::PeerUnconfirmed),
        (Box::new(EchoOptions::with_key()), FindingKind::OptionsEchoed),
        (Box::new(resets.resetting()), FindingKind::ConnectionReset),
        (Box::new(DropSegments::all(|segment| segment.is_syn)), FindingKind::Silent),
    ]
}

#[test]
fn what_a_middlebox_does_is_found() {
    skip_unless_ready!();
    let perfect = WireOptions::default();
    let net = Net::wires(&[("wifi", perfect), ("lte", perfect)]).unwrap();
    net.join_by_kernel().unwrap();
    let wire = net.paths[0].wire().unwrap();
    let (mut silent, mut speaking, mut ports) = (Vec::new(), Vec::new(), HashSet::new());
    for ip in net.paths[0].server_ips() {
        for (middlebox, kind) in middleboxes() {
            let server = on_new_port(
                &mut ports,
                || traffic::serve_echo(&net.server, (ip, 0).into()).unwrap(),
                |server| server.local_addr().port(),
            );
            wire.add(OnPort::new(server.local_addr().port(), middlebox));
            silent.push((server, kind));
        }
        let listener = on_new_port(
            &mut ports,
            || net.server.run(|| subflows::listen((ip, 0), &Listen::new())).unwrap(),
            |listener| listener.local_addr().unwrap().port(),
        );
        listener.set_nonblocking(true).unwrap();
        let stripped = "wifi=strip-later".parse::<BoxSpec>().unwrap().middlebox();
        wire.add(OnPort::new(listener.local_addr().unwrap().port(), stripped));
        speaking.push(listener);
    }
    let examine = &|remote: SocketAddr| {
        let options = Doctor::new().remote(remote).timeout(Duration::from_secs(4));
        checked(net.client.run(|| subflows::doctor(&options)).unwrap())
    };
    thread::scope(|scope| {
        for (server, kind) in &silent {
            let remote = server.local_addr();
            scope.spawn(move || is_first(&examine(remote), *kind, &[&remote.ip().to_string()]));
        }
        // Only a server that speaks first shows this before the client sends data.
        for listener in &speaking {
            let remote = listener.local_addr().unwrap();
            let words = remote.ip().to_string();
            scope.spawn(move || {
                is_first(&examine(remote), FindingKind::OptionsStripped, &[&words]);
            });
            let mut accepted = None;
            wait_until(SOON, "the doctor's connection", || {
                accepted = listener.accept().ok();
                accepted.is_some()
            });
            // After the end of the data, which shows that the peer's offer was seen.
            let port = format!(":{}", remote.port());
            wait_until(SOON, "the end of the data", || {
                let shown = net.client.output("ss", &["-HMn", "dport", "=", &port]).unwrap();
                shown.contains("FIN-WAIT-1")
            });
            accepted.unwrap().0.write_all(b"220 ready").unwrap();
        }
    });
}

/// The doctor once would have been the cause of what it finds: after the third SYN, the kernel takes the path
/// for a black hole.
#[test]
fn a_path_that_drops_multipath_tcp_and_its_consequence_are_found() {
    skip_unless_ready!();
    let perfect = WireOptions::default();
    let net = Net::wires(&[("wifi", perfect), ("lte", perfect)]).unwrap();
    net.join_by_kernel().unwrap();
    let servers = listeners(&net);
    let has_black_holes = net.client.fall_back_by_syns().unwrap();
    let drops = DropSegments::mptcp_syns();
    let wire = net.paths[0].wire().unwrap();
    wire.add(drops.clone());
    let black_holes = || oracle::nstat_if_any(&net.client, "MPTcpExtBlackhole").unwrap_or(0);
    let to = servers[0].1;
    let found = examined(&net.client, Some(to));
    is_first(&found, FindingKind::SynDropped, &["option 30"]);
    assert_eq!(black_holes(), 0);
    if has_black_holes {
        // The lab switches it off.
        net.client.set_sysctl("net/mptcp/blackhole_timeout", "60").unwrap();
        let fallen = net.client.run(|| subflows::connect(to, &Connect::new())).unwrap();
        assert_eq!(subflows::status(&fallen).unwrap().state, subflows::State::FellBack);
        assert_eq!(black_holes(), 1);
        drops.stop();
        for remote in [None, Some(to)] {
            let found = examined(&net.client, remote);
            is_first(&found, FindingKind::BlackHole, &["sysctl net.mptcp.blackhole_timeout="]);
        }
        let words = &examined(&net.client, None)[0].remedy;
        let command = words.split(": ").nth(1).unwrap().trim_end_matches('.');
        let command: Vec<_> = command.split(' ').collect();
        net.client.output(command[0], &command[1..]).unwrap();
        is_healthy(&examined(&net.client, Some(to)));
    } else {
        skip("this kernel does not fall back because of lost SYNs");
        drops.stop();
    }
    net.paths[0].pull_cable().unwrap();
    let start = Instant::now();
    let options = Doctor::new().remote(to).timeout(Duration::from_secs(1));
    let found = net.client.run(|| subflows::doctor(&options)).unwrap();
    is_first(&found, FindingKind::Silent, &["answers neither"]);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}
