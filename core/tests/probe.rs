//! `probe` in one network with a server behind each middlebox: each gets its own verdict, and the kernel never
//! notices a black hole.

mod common;

use std::collections::HashSet;
use std::io::Write;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use common::child::{helper_without_rights, only_as_child, plays};
use common::on_new_port;
use subflows::{Connect, Probe, ProbeReport, Probing, State, Verdict};
use subflows_lab::traffic::{self, Server};
use subflows_lab::{
    BoxSpec, DropSegments, EchoOptions, Middlebox, Namespace, Net, OnPort, WireOptions, oracle,
    skip, skip_unless_ready, wait_until,
};

/// Long enough on a busy machine.
const LONG: Duration = Duration::from_secs(30);
/// The kernel's counters that a connection through a black hole changes.
const COUNTERS: [&str; 3] =
    ["MPTcpExtBlackhole", "MPTcpExtMPCapableSYNTXDrop", "MPTcpExtMPCapableSYNTXDisabled"];

/// A network whose kernel notices black holes, as it does by default.
fn network() -> Net {
    let near = WireOptions { delay: Duration::from_millis(1), ..WireOptions::default() };
    let net = Net::wires(&[("wifi", near)]).unwrap();
    if net.client.fall_back_by_syns().unwrap() {
        net.client.set_sysctl("net.mptcp.blackhole_timeout", "3600").unwrap();
    }
    net
}

fn by_name(name: &str) -> Box<dyn Middlebox> {
    format!("wifi={name}").parse::<BoxSpec>().unwrap().middlebox()
}

/// What is between the client and one server, and the verdicts without and with data.
type Case = (&'static str, Option<Box<dyn Middlebox>>, Verdict, Verdict);

fn cases() -> Vec<Case> {
    let same = |name, verdict| (name, Some(by_name(name)), verdict, verdict);
    let mut cases = vec![
        ("nothing", None, Verdict::Mptcp, Verdict::Mptcp),
        same("strip-syn", Verdict::Tcp),
        same("strip-syn-ack", Verdict::Tcp),
        (
            "strip-third-ack",
            Some(by_name("strip-third-ack")),
            Verdict::Unconfirmed,
            Verdict::Stripped,
        ),
        ("strip-later", Some(by_name("strip-later")), Verdict::Unconfirmed, Verdict::Stripped),
        // Without data, there is none to strip.
        ("strip-data", Some(by_name("strip-data")), Verdict::Mptcp, Verdict::Stripped),
        same("drop-syn", Verdict::BlackHole),
        same("reset-syn", Verdict::Blocked),
        same("echo", Verdict::Tcp),
        same("split", Verdict::Mptcp),
        same("join", Verdict::Mptcp),
        same("rewrite-isn", Verdict::Mptcp),
        same("nat", Verdict::Mptcp),
        same("drop-join", Verdict::Mptcp),
        same("drop-add-addr", Verdict::Mptcp),
    ];
    let resets = DropSegments::all(|segment| !segment.is_syn && segment.mptcp().next().is_some());
    let silent = DropSegments::all(|segment| segment.is_syn);
    let deaf = DropSegments::all(|segment| !segment.is_syn);
    cases.push((
        "echo with a key",
        Some(Box::new(EchoOptions::with_key())),
        Verdict::Echoed,
        Verdict::Echoed,
    ));
    cases.push(("reset later", Some(Box::new(resets.resetting())), Verdict::Reset, Verdict::Reset));
    cases.push(("silence", Some(Box::new(silent)), Verdict::Silent, Verdict::Silent));
    cases.push(("silence later", Some(Box::new(deaf)), Verdict::Unconfirmed, Verdict::Unconfirmed));
    cases
}

fn options(has_data: bool) -> Probe {
    let options = Probe::new().timeout(Duration::from_secs(4));
    if has_data { options.data("?") } else { options }
}

/// A server for each case and each kind of probe, behind its middlebox.
fn serve(net: &Net, ip: IpAddr, ports: &mut HashSet<u16>) -> Vec<(String, Server, bool, Verdict)> {
    let wire = net.paths[0].wire().unwrap();
    let mut served = Vec::new();
    for has_data in [false, true] {
        for (name, middlebox, bare, with_data) in cases() {
            let server = on_new_port(
                ports,
                || traffic::serve_echo(&net.server, (ip, 0).into()).unwrap(),
                |server| server.local_addr().port(),
            );
            if let Some(middlebox) = middlebox {
                wire.add(OnPort::new(server.local_addr().port(), middlebox));
            }
            let verdict = if has_data { with_data } else { bare };
            served.push((format!("{name}, data {has_data}, {ip}"), server, has_data, verdict));
        }
    }
    served
}

fn counters(namespace: &Namespace) -> [Option<u64>; 3] {
    COUNTERS.map(|name| oracle::nstat_if_any(namespace, name))
}

#[test]
fn each_middlebox_gets_its_own_verdict() {
    skip_unless_ready!();
    let net = network();
    let before = counters(&net.client);
    let mut ports = HashSet::new();
    let servers: Vec<_> =
        net.paths[0].server_ips().iter().flat_map(|ip| serve(&net, *ip, &mut ports)).collect();
    let probe = |(_, server, has_data, _): &(String, Server, bool, Verdict)| {
        net.client.run(|| subflows::probe(server.local_addr(), &options(*has_data))).unwrap()
    };
    let reports: Vec<ProbeReport> = thread::scope(|scope| {
        let probes: Vec<_> = servers.iter().map(|case| scope.spawn(|| probe(case))).collect();
        probes.into_iter().map(|probe| probe.join().unwrap()).collect()
    });
    for ((name, server, _, verdict), report) in servers.iter().zip(reports) {
        assert_eq!(report.verdict, *verdict, "{name}");
        assert_eq!(report.remote, server.local_addr());
        let offers = [Verdict::Mptcp, Verdict::Unconfirmed, Verdict::Stripped, Verdict::Echoed];
        let offered = offers.contains(verdict);
        // A reset may come before the peer's offer is seen.
        if *verdict != Verdict::Reset {
            assert_eq!(report.is_checksum_enabled, offered.then_some(false), "{name}");
            assert_eq!(report.is_join_denied, offered.then_some(false), "{name}");
        }
        // One millisecond to the server, and one back; what copies options answers in its place, without the first.
        let least_us = if *verdict == Verdict::Echoed { 1000 } else { 2000 };
        let least = report.handshake_us.map(|time| time >= least_us);
        assert_eq!(least, (*verdict != Verdict::Silent).then_some(true), "{name}: {report:?}");
    }
    assert_eq!(counters(&net.client), before);
    let connected =
        net.client.run(|| subflows::connect(servers[0].1.local_addr(), &Connect::new()));
    assert_eq!(subflows::status(&connected.unwrap()).unwrap().state, State::Mptcp);
}

#[test]
fn what_is_not_there_is_refused_silent_or_unreachable() {
    skip_unless_ready!();
    let net = network();
    let probe = |address: SocketAddr, timeout: Duration| {
        let start = Instant::now();
        let options = Probe::new().timeout(timeout);
        let report = net.client.run(|| subflows::probe(address, &options)).unwrap();
        (report.verdict, start.elapsed())
    };
    for ip in net.paths[0].server_ips() {
        assert_eq!(probe((ip, 9).into(), LONG).0, Verdict::Refused);
    }
    net.client.ip(&["route", "flush", "exact", "default"]).unwrap();
    net.client.ip(&["route", "add", "unreachable", "198.51.100.0/24"]).unwrap();
    assert_eq!(probe("198.51.100.1:80".parse().unwrap(), LONG).0, Verdict::Unreachable);
    assert_eq!(probe("192.0.2.1:80".parse().unwrap(), LONG).0, Verdict::Unreachable);
    net.paths[0].pull_cable().unwrap();
    let (verdict, time) = probe((net.paths[0].server_v4, 80).into(), Duration::from_millis(300));
    assert_eq!(verdict, Verdict::Silent);
    assert!((Duration::from_millis(300)..Duration::from_secs(10)).contains(&time), "{time:?}");
}

#[test]
fn checksums_and_denied_joins_are_reported() {
    skip_unless_ready!();
    let net = network();
    net.server.set_sysctl("net.mptcp.checksum_enabled", "1").unwrap();
    net.server.set_sysctl("net.mptcp.allow_join_initial_addr_port", "0").unwrap();
    for ip in net.paths[0].server_ips() {
        let server = traffic::serve_echo(&net.server, (ip, 0).into()).unwrap();
        let report =
            net.client.run(|| subflows::probe(server.local_addr(), &Probe::new())).unwrap();
        let found = (report.verdict, report.is_checksum_enabled, report.is_join_denied);
        assert_eq!(found, (Verdict::Mptcp, Some(true), Some(true)));
    }
}

/// What was found depended on whether the server's first bytes came before the probe looked at its socket: they
/// make the connection fall back.
#[test]
fn a_server_that_speaks_first_is_not_taken_for_one_without_multipath_tcp() {
    skip_unless_ready!();
    let net = network();
    let cases = [
        ("strip-later", Verdict::Stripped),
        ("strip-third-ack", Verdict::Stripped),
        ("strip-syn-ack", Verdict::Tcp),
    ];
    let mut ports = HashSet::new();
    for ip in net.paths[0].server_ips() {
        for (name, verdict) in cases {
            let listen =
                || net.server.run(|| subflows::listen((ip, 0), &subflows::Listen::new())).unwrap();
            let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
            let listener = on_new_port(&mut ports, listen, port);
            let address = listener.local_addr().unwrap();
            net.paths[0].wire().unwrap().add(OnPort::new(address.port(), by_name(name)));
            // The counters of this thread's network namespace matter.
            net.client.run(|| {
                let mut probing = Probing::begin(address, &Probe::new()).unwrap();
                let (mut server, _) = listener.accept().unwrap();
                server.write_all(b"welcome").unwrap();
                let has_come = || {
                    let mut ss = net.server.command("ss");
                    let ss = ss.args(["-Htni", &format!("sport = :{}", address.port())]);
                    String::from_utf8(ss.output().unwrap().stdout).unwrap().contains("bytes_acked")
                };
                wait_until(LONG, "the first bytes arrive", has_come);
                let report = loop {
                    if let Some(report) = probing.advance().unwrap() {
                        break report;
                    }
                    probing.wait().unwrap();
                };
                assert_eq!(report.verdict, verdict, "{name}, {ip}");
            });
        }
    }
}

#[test]
fn a_server_that_defers_accepts_needs_data() {
    skip_unless_ready!();
    let net = network();
    let ip = net.paths[0].server_v4;
    let listener = net.server.run(|| subflows::listen((ip, 0), &subflows::Listen::new())).unwrap();
    common::raw::set_i32(&listener, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, 30).unwrap();
    let address = listener.local_addr().unwrap();
    let probe = |has_data| net.client.run(|| subflows::probe(address, &options(has_data))).unwrap();
    assert_eq!(probe(false).verdict, Verdict::Unconfirmed);
    assert_eq!(probe(true).verdict, Verdict::Mptcp);
}

/// What the helper probes, and the verdict that it expects.
const PROBED: [(&str, &str, &str); 3] = [
    ("SUBFLOWS_TEST_OPEN", "", "Mptcp"),
    ("SUBFLOWS_TEST_DROPPED", "drop-syn", "BlackHole"),
    ("SUBFLOWS_TEST_STRIPPED", "strip-syn", "Tcp"),
];

#[test]
#[ignore = "a child of other tests"]
fn helper_nobody() {
    only_as_child!();
    for (variable, _, verdict) in PROBED {
        let address: SocketAddr = std::env::var(variable).unwrap().parse().unwrap();
        let report = subflows::probe(address, &Probe::new()).unwrap();
        assert_eq!(report.verdict.name(), verdict);
        assert_eq!(report.is_join_denied, None);
    }
}

#[test]
fn an_unprivileged_user_may_probe() {
    skip_unless_ready!();
    let net = network();
    let ip = net.paths[0].server_v4;
    let serve = || traffic::serve_echo(&net.server, (ip, 0).into()).unwrap();
    let servers = PROBED.map(|probed| (probed, serve()));
    let _entered = net.client.enter().unwrap();
    let mut helper = helper_without_rights("helper_nobody");
    for ((variable, middlebox, _), server) in &servers {
        if !middlebox.is_empty() {
            let port = server.local_addr().port();
            net.paths[0].wire().unwrap().add(OnPort::new(port, by_name(middlebox)));
        }
        helper.env(variable, server.local_addr().to_string());
    }
    let before = counters(&net.client);
    match helper.output() {
        Ok(_) => plays(&mut helper),
        Err(_) => return skip("there is no other user here"),
    }
    assert_eq!(counters(&net.client), before);
}

#[test]
fn a_suspended_namespace_is_an_error() {
    skip_unless_ready!();
    let net = network();
    if !net.client.fall_back_by_syns().unwrap() {
        return skip("before Linux 6.12, the kernel does not notice black holes");
    }
    let ip = net.paths[0].server_v4;
    let server = traffic::serve_echo(&net.server, (ip, 0).into()).unwrap();
    let drops = DropSegments::mptcp_syns();
    net.paths[0].wire().unwrap().add(drops.clone());
    let stream =
        net.client.run(|| subflows::connect(server.local_addr(), &Connect::new())).unwrap();
    assert_eq!(subflows::status(&stream).unwrap().state, State::FellBack);
    drops.stop();
    let error = net.client.run(|| subflows::probe(server.local_addr(), &Probe::new())).unwrap_err();
    assert_eq!(error.kind(), subflows::ErrorKind::Unsupported);
    assert!(error.to_string().contains("suspended"), "{error}");
    // The remedy of the error.
    net.client.set_sysctl("net.mptcp.blackhole_timeout", "3600").unwrap();
    let report = net.client.run(|| subflows::probe(server.local_addr(), &Probe::new())).unwrap();
    assert_eq!(report.verdict, Verdict::Mptcp);
}
