//! `probe`: one server, many, and the hop at which options vanish.

mod common;

use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd};
use std::process::{Command, Stdio};

use common::*;
use serde_json::Value;
use subflows::table::Record;
use subflows::{Listen, ProbeReport};
use subflows_lab::traffic;
use subflows_lab::{
    BoxSpec, EchoOptions, Middlebox, Namespace, Net, OnPort, Wire, WireOptions, oracle,
    skip_unless_ready,
};

fn net() -> Net {
    Net::wires(&[("wifi", WireOptions::default())]).unwrap()
}

fn middlebox(name: &str) -> Box<dyn Middlebox> {
    format!("wifi={name}").parse::<BoxSpec>().unwrap().middlebox()
}

#[test]
fn one_server_gets_a_verdict_and_its_meaning() {
    skip_unless_ready!();
    let net = net();
    for ip in net.paths[0].server_ips() {
        let server = traffic::serve_echo(&net.server, (ip, 0).into()).unwrap();
        let address = server.local_addr().to_string();
        let text = subflows(&net.client, &["probe", &address]).ok();
        assert!(text.starts_with("Mptcp ") && text.contains("DATA_FIN"), "{text}");
        let json = subflows(&net.client, &["probe", "--json", &address]).json();
        let fields = ProbeReport::FIELDS.iter().map(|field| field.name);
        assert_eq!(names(&json), ["host"].into_iter().chain(fields).collect::<Vec<_>>());
        assert_eq!((&json["host"], &json["verdict"]), (&address.into(), &"Mptcp".into()));
    }
    let refused = format!("{}:9", net.paths[0].server_v4);
    let run = subflows(&net.client, &["probe", &refused]);
    assert!(run.code == Some(1) && run.stdout.starts_with("Refused "), "{run:?}");
    let error = subflows(&net.client, &["probe", "no..name"]).fails(1);
    assert!(error.contains("no..name:") && error.contains("getent ahosts"), "{error}");
    net.client.set_sysctl("net.mptcp.enabled", "0").unwrap();
    let error = subflows(&net.client, &["probe", &refused]).fails(1);
    assert!(error.contains("switched off"), "{error}");
}

#[test]
fn data_is_sent_only_if_it_is_asked_for() {
    skip_unless_ready!();
    let net = net();
    let server = traffic::serve_echo(&net.server, (net.paths[0].server_v4, 0).into()).unwrap();
    let port = server.local_addr().port();
    net.paths[0].wire().unwrap().add(OnPort::new(port, middlebox("strip-later")));
    let address = server.local_addr().to_string();
    let bare = subflows(&net.client, &["probe", &address]);
    assert!(bare.code == Some(1) && bare.stdout.starts_with("Unconfirmed "), "{bare:?}");
    let with_data = subflows(&net.client, &["probe", &address, "--data", "?"]);
    assert!(with_data.stdout.starts_with("Stripped "), "{with_data:?}");
}

/// The servers of a network namespace: one listener, which has as many addresses.
fn loopback_servers(count: u32) -> (Namespace, Vec<String>) {
    let namespace = Namespace::new().unwrap();
    let options = Listen::new().backlog(4096);
    let listener = namespace.run(|| subflows::listen("0.0.0.0:0", &options)).unwrap();
    let port = listener.local_addr().unwrap().port();
    // It keeps no descriptor of a connection.
    std::thread::spawn(move || while listener.accept().is_ok() {});
    let address = |index| format!("{}:{port}", Ipv4Addr::from(0x7f01_0000 + index));
    let addresses = (0..count).map(address).collect();
    (namespace, addresses)
}

#[test]
fn many_servers_are_read_from_a_file_or_from_standard_input() {
    skip_unless_ready!();
    let (namespace, addresses) = loopback_servers(300);
    let folder = Folder::new();
    let file = folder.file("hosts.txt");
    let text = format!("# servers\n\n{}\n", addresses.join("\n"));
    fs::write(&file, &text).unwrap();
    let hosts_of = |output: &str| {
        let host = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["verdict"], "Mptcp", "{line}");
            line["host"].as_str().unwrap().to_owned()
        };
        let mut hosts: Vec<_> = output.lines().map(host).collect();
        hosts.sort_unstable();
        hosts
    };
    let mut expected = addresses.clone();
    expected.sort_unstable();
    let run = subflows(&namespace, &["probe", "--json", "--from", &file, "--parallel", "7"]);
    assert_eq!(run.stderr, "subflows: 300 hosts: 300 Mptcp (100.0 %)\n");
    assert_eq!(hosts_of(&run.ok()), expected);

    let mut command = namespace.command(SUBFLOWS);
    command.args(["probe", "--json", "--from", "-"]).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The pipe is closed behind it.
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(hosts_of(&String::from_utf8(output.stdout).unwrap()), expected);
}

#[test]
fn what_cannot_be_probed_is_reported_and_the_others_go_on() {
    skip_unless_ready!();
    let (namespace, addresses) = loopback_servers(2);
    let folder = Folder::new();
    let file = folder.file("hosts.txt");
    let text = format!("{}\nnot a host\nno..name\n127.0.0.1:9\n", addresses[0]);
    fs::write(&file, text).unwrap();
    let run = subflows(&namespace, &["probe", "--from", &file, &addresses[1]]);
    assert_eq!(run.code, Some(1));
    assert_eq!(run.stdout.matches("Mptcp ").count(), 2, "{run:?}");
    assert!(run.stdout.contains("Refused "), "{run:?}");
    for text in ["`not a host` is not HOST[:PORT]", "no..name:", "5 hosts: 2 Mptcp (40.0 %)"] {
        assert!(run.stderr.contains(text), "{text}: {run:?}");
    }
    let error = subflows(&namespace, &["probe", "--from", "/no/such/file"]).fails(1);
    assert!(error.contains("cannot read /no/such/file"), "{error}");
}

/// The reader of the output may pause for as long as it wants: no probe waits for it.
#[test]
fn a_slow_reader_delays_no_probe() {
    skip_unless_ready!();
    let (namespace, addresses) = loopback_servers(600);
    let folder = Folder::new();
    let file = folder.file("hosts.txt");
    fs::write(&file, addresses.join("\n")).unwrap();
    let mut command = namespace.command(SUBFLOWS);
    command.args(["probe", "--json", "--from", &file]).stdin(Stdio::null());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // Nothing is read until all have been probed, and a pipe holds less than that.
    let accepted = || oracle::nstat(&namespace, "MPTcpExtMPCapableACKRX");
    subflows_lab::wait_until(SOON * 3, "all probes", || accepted() == 600);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stdout.len() > 65_536, "{}", output.stdout.len());
}

/// A client, three routers and a server in a row. The wire is between the first and the second router.
struct Row {
    hosts: Vec<Namespace>,
    wire: Wire,
}

const HOSTS: usize = 5;
const WIRE: usize = 1;

impl Row {
    fn new() -> Row {
        let hosts: Vec<_> = (0..HOSTS).map(|_| Namespace::new().unwrap()).collect();
        let cables = Namespace::new().unwrap();
        for host in &hosts {
            for (key, value) in [
                ("net.ipv4.ip_forward", "1"),
                ("net.ipv6.conf.all.forwarding", "1"),
                // Each SYN of a trace is answered.
                ("net.ipv4.icmp_ratelimit", "0"),
                ("net.ipv6.icmp.ratelimit", "0"),
            ] {
                host.set_sysctl(key, value).unwrap();
            }
        }
        let path = |host: &Namespace| {
            format!("/proc/{}/fd/{}", std::process::id(), host.as_fd().as_raw_fd())
        };
        for (link, pair) in hosts.windows(2).enumerate() {
            let ends = [("right", &pair[0]), ("left", &pair[1])];
            if link == WIRE {
                for (inner, (outer, host)) in ["c", "s"].into_iter().zip(ends) {
                    let netns = path(host);
                    let commands = format!(
                        "link add {inner} type veth peer name {outer} netns {netns}\n\
                         link set dev {inner} arp off up\n"
                    );
                    cables.ip_batch(&commands).unwrap();
                }
            } else {
                let netns = path(&pair[1]);
                let command = format!("link add right type veth peer name left netns {netns}\n");
                pair[0].ip_batch(&command).unwrap();
            }
            for (host, (name, _)) in ends.into_iter().enumerate() {
                let number = host + 1;
                let commands = format!(
                    "address add 10.0.{link}.{number}/24 dev {name}\n\
                     address add fd00:{link}::{number}/64 dev {name} nodad\nlink set {name} up\n"
                );
                pair[host].ip_batch(&commands).unwrap();
            }
        }
        for (place, host) in hosts.iter().enumerate() {
            // To the right by default, to the left for the client's network.
            if place + 1 < HOSTS {
                let next = format!(
                    "route add default via 10.0.{place}.2\nroute add default via fd00:{place}::2\n"
                );
                host.ip_batch(&next).unwrap();
            }
            if place > 1 {
                let link = place - 1;
                let back = format!(
                    "route add 10.0.0.0/24 via 10.0.{link}.1\nroute add fd00:0::/64 via fd00:{link}::1\n"
                );
                host.ip_batch(&back).unwrap();
            }
        }
        let wire = Wire::join(&cables, "c", "s", WireOptions::default()).unwrap();
        Row { hosts, wire }
    }

    fn client(&self) -> &Namespace {
        &self.hosts[0]
    }

    fn server(&self) -> &Namespace {
        &self.hosts[HOSTS - 1]
    }
}

fn trace(net: &Row, address: SocketAddr) -> (Run, Value) {
    let run = subflows(net.client(), &["probe", "--trace", "--json", &address.to_string()]);
    let json = serde_json::from_str(&run.stdout).expect(&run.stderr);
    (run, json)
}

fn shown(json: &Value) -> Vec<&str> {
    let hops = json["hops"].as_array().unwrap().iter();
    hops.map(|hop| hop["mp_capable"].as_str().unwrap()).collect()
}

#[test]
fn a_trace_finds_the_hop_at_which_the_option_vanishes() {
    skip_unless_ready!();
    let net = Row::new();
    for (server, first, second) in
        [("10.0.3.2", "10.0.0.2", "10.0.1.2"), ("fd00:3::2", "fd00::2", "fd00:1::2")]
    {
        let ip: IpAddr = server.parse().unwrap();
        let listen = || net.server().run(|| subflows::listen((ip, 0), &Listen::new())).unwrap();
        let plain = net.server().run(|| TcpListener::bind((ip, 0))).unwrap();
        let (open, stripped) = (listen(), listen());
        let [open, stripped, plain] =
            [&open, &stripped, &plain].map(|one| one.local_addr().unwrap());
        net.wire.add(OnPort::new(stripped.port(), middlebox("strip-syn")));

        let (run, json) = trace(&net, open);
        assert_eq!(shown(&json), ["present", "present", "present", "answered"], "{json}");
        assert_eq!(json["hops"][0]["address"], first);
        assert_eq!(run.code, Some(0));

        let (run, json) = trace(&net, stripped);
        assert_eq!(shown(&json), ["present", "absent", "absent", "not answered"], "{json}");
        assert_eq!((&json["present_until"], &json["absent_from"]), (&1.into(), &2.into()));
        let between = format!("between {first} (hop 1) and {second} (hop 2)");
        assert!(json["conclusion"].as_str().unwrap().contains(&between), "{json}");
        assert_eq!(run.code, Some(1));

        let (_, json) = trace(&net, plain);
        assert_eq!(shown(&json), ["present", "present", "present", "not answered"], "{json}");
        assert_eq!(json["absent_from"], Value::Null);
        let text = json["conclusion"].as_str().unwrap();
        assert!(text.contains("the host has no Multipath TCP"), "{text}");

        let port = 999 + u16::from(ip.is_ipv6());
        net.wire.add(OnPort::new(port, EchoOptions::exactly()));
        let echo = SocketAddr::new(ip, port).to_string();
        let run = subflows(net.client(), &["probe", "--trace", &echo]);
        assert!(run.stdout.contains("echoes options"), "{run:?}");
    }
    if has_nobody() {
        let folder = Folder::new();
        let mut command = net.client().command("setpriv");
        as_nobody(&mut command, folder.command());
        let error = Run::of(command.args(["probe", "--trace", "10.0.3.2"])).fails(3);
        assert!(error.contains("CAP_NET_RAW"), "{error}");
    }
}

#[test]
fn the_lab_has_middleboxes_for_any_program() {
    skip_unless_ready!();
    let lab = |box_of: &str, script: &str| {
        let arguments = ["lab", "--quiet", "--box", box_of, "wifi", "--", "sh", "-c", script];
        Run::of(Command::new(SUBFLOWS).args(arguments))
    };
    let run = lab("wifi=reset-syn", &format!("exec '{SUBFLOWS}' probe $SUBFLOWS_LAB_SERVER:9"));
    assert!(run.stdout.starts_with("Refused "), "{run:?}");
    let run = lab("lte=nat", "true");
    assert!(run.code == Some(2) && run.stderr.contains("Use one of: wifi."), "{run:?}");
    let run = lab("wifi=moon", "true");
    assert!(run.code == Some(2) && run.stderr.contains("strip-syn-ack"), "{run:?}");
}
