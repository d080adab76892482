//! Without these, an example in Python could fail. test_plot.py tests plot.py, which needs
//! matplotlib.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::{Running, SOON, interpreter, listen, root, two_wires};
use subflows_lab::{Namespace, Net, StripMptcp, WireOptions, oracle, wait_until};

fn sources() -> Vec<PathBuf> {
    let folder = fs::read_dir(root().join("examples/python")).unwrap();
    let sources = folder.map(|entry| entry.unwrap().path());
    let mut sources: Vec<_> =
        sources.filter(|path| path.extension().is_some_and(|ending| ending == "py")).collect();
    sources.sort();
    sources
}

fn example(namespace: &Namespace, name: &str) -> Command {
    let mut command = interpreter(namespace);
    command.arg(root().join("examples/python").join(name));
    command
}

/// The client's addresses of the open subflows in the namespace, as ss shows them.
fn open_locals(namespace: &Namespace) -> Vec<IpAddr> {
    let subflows = oracle::ss_subflows(namespace).into_iter();
    let open = subflows.filter(|subflow| subflow.state == "ESTAB");
    let mut locals: Vec<_> = open.map(|subflow| subflow.local.ip()).collect();
    locals.sort();
    locals
}

#[test]
fn a_second_path_comes_and_goes() {
    if !subflows_lab::ready() {
        return;
    }
    let net = Net::two_subnets().unwrap();
    let (listener, address) = listen(&net);
    let mut command = example(&net.client, "list_and_open.py");
    command.arg(address.ip().to_string()).arg(address.port().to_string());
    command.arg(&net.paths[1].client_interface);
    let mut running = Running::start(command);
    let mut stream = running.accepted_by(&listener);
    stream.write_all(b"!").unwrap();
    let lines = running.end();
    assert_eq!(lines.len(), 3, "{lines:?}");
    for (line, path) in lines.iter().zip(&net.paths) {
        let ends = format!(": {} -> {}, ", path.client_v4, address.ip());
        assert!(line.contains(&ends), "{line}");
    }
    assert_eq!(lines[2], "1 left");
}

/// Ends the sender, also if a test fails.
struct Tap<'a>(&'a AtomicBool);

impl Drop for Tap<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends until it is enough, and returns what was sent.
fn pour(mut stream: TcpStream, is_enough: &AtomicBool) -> Vec<u8> {
    let (mut sent, mut state) = (Vec::new(), 0u32);
    while !is_enough.load(Ordering::Relaxed) {
        let start = sent.len();
        sent.extend((0..16 * 1024).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        }));
        stream.write_all(&sent[start..]).unwrap();
    }
    sent
}

#[test]
fn a_download_survives_its_first_cable() {
    if !subflows_lab::ready() {
        return;
    }
    let net = two_wires("second");
    let (listener, address) = listen(&net);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let mut command = example(&net.client, "download.py");
    command.arg(address.ip().to_string()).arg(address.port().to_string());
    command.arg("second").arg(&file);
    let mut running = Running::start(command);
    let stream = running.accepted_by(&listener);
    let is_enough = AtomicBool::new(false);
    let sent = thread::scope(|scope| {
        let tap = Tap(&is_enough);
        let pouring = scope.spawn(|| pour(stream, &is_enough));
        let opened = format!("opened {} -> {}", net.paths[1].client_v4, address.ip());
        assert_eq!(running.line(), opened);
        let carries = |more: u64| {
            let from = net.paths[1].bytes().unwrap().to_client;
            wait_until(SOON, "the second path carries data", || {
                net.paths[1].bytes().unwrap().to_client > from + more
            });
        };
        carries(1 << 20);
        let both = [net.paths[0].client_v4, net.paths[1].client_v4].map(IpAddr::from);
        assert_eq!(open_locals(&net.client), both);
        net.paths[0].pull_cable().unwrap();
        carries(1 << 20);
        drop(tap);
        pouring.join().unwrap()
    });
    assert_eq!(running.end(), [format!("{} bytes", sent.len())]);
    assert!(fs::read(&file).unwrap() == sent, "the file is not what was sent");
}

/// The second path of one client is backup; another client has one path only.
#[test]
fn a_server_reports_its_clients_paths() {
    if !subflows_lab::ready() {
        return;
    }
    let net = Net::two_subnets().unwrap();
    let mut command = example(&net.server, "server.py");
    command.args([&net.paths[0].server_v4.to_string(), "0"]);
    let mut server = Running::start(command);
    let line = server.line();
    let port = line.rsplit(' ').next().unwrap().parse().unwrap();
    let (host, here) = (net.paths[0].server_v4, net.paths[0].client_v4);
    assert_eq!(line, format!("listening on {host} port {port}"));

    let options = subflows::Connect::new().control(true);
    let connect = || subflows::connect((IpAddr::from(host), port), &options);
    let mut client = net.client.run(connect).unwrap();
    client.read_exact(&mut [0; 6]).unwrap();
    let second = subflows::Open::new().interface(net.paths[1].client_interface.as_str());
    net.client.run(|| subflows::open(&client, &second.backup(true))).unwrap();
    client.write_all(b"paths?\n").unwrap();
    assert_eq!(server.line(), format!("{here}: {host} <- {here}, 7 bytes"));
    let there = net.paths[1].client_v4;
    assert_eq!(server.line(), format!("{here}: {host} <- {there}, 0 bytes, backup"));

    let mut plain = net.client.run(|| TcpStream::connect((host, port))).unwrap();
    plain.write_all(b"paths?\n").unwrap();
    assert_eq!(server.line(), format!("{here}: one path only (TCP)"));
}

/// The report with a middlebox on the way, without one, and with Multipath TCP switched off.
fn report(middlebox: Option<StripMptcp>, switch: &str) -> [String; 2] {
    let net = Net::wires(&[("wire", WireOptions::default())]).unwrap();
    net.client.set_sysctl("net.mptcp.enabled", switch).unwrap();
    if let Some(middlebox) = middlebox {
        net.paths[0].wire().unwrap().add(middlebox);
    }
    let (listener, address) = listen(&net);
    let mut command = example(&net.client, "fallback.py");
    command.arg(address.ip().to_string()).arg(address.port().to_string());
    let mut running = Running::start(command);
    let mut stream = running.accepted_by(&listener);
    let first = running.line();
    stream.write_all(b"!").unwrap();
    let lines = running.end();
    let [second] = &lines[..] else { panic!("{lines:?}") };
    let first = first.strip_prefix("after the handshake: ").expect(&first);
    let second = second.strip_prefix("after the first byte: ").expect(second);
    [first, second].map(str::to_owned)
}

#[test]
fn a_fallback_is_reported() {
    if !subflows_lab::ready() {
        return;
    }
    let [first, second] = report(None, "1");
    assert!(first.starts_with("Multipath TCP"), "{first}");
    assert_eq!(second, "Multipath TCP, and further paths can be opened");
    let [first, second] = report(Some(StripMptcp::from_syn()), "1");
    assert!(first.starts_with("plain TCP: the server, or a middlebox"), "{first}");
    assert_eq!(first, second);
    let [first, second] = report(Some(StripMptcp::after_handshake()), "1");
    assert!(first.starts_with("Multipath TCP"), "{first}");
    assert!(second.starts_with("plain TCP: the server, or a middlebox"), "{second}");
    let [first, second] = report(None, "0");
    assert!(first.starts_with("plain TCP: this kernel"), "{first}");
    assert_eq!(first, second);
}

/// A refused connection: one line of error, with a remedy.
#[test]
fn what_fails_is_told() {
    if !subflows_lab::ready() {
        return;
    }
    let net = Net::two_subnets().unwrap();
    let address = net.paths[0].server_v4.to_string();
    for name in ["list_and_open.py", "download.py", "fallback.py"] {
        let mut command = example(&net.client, name);
        command.args([&address, "443"]);
        match name {
            "list_and_open.py" => drop(command.arg("eth1")),
            "download.py" => drop(command.args(["eth1", "/dev/null"])),
            _ => {}
        }
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}: {text}");
        assert!(text.starts_with("connect: ") && text.lines().count() == 1, "{name}: {text}");
    }
}

/// A newcomer reads them as a whole.
#[test]
fn they_are_short() {
    assert_eq!(sources().len(), 5);
    for source in sources() {
        let text = fs::read_to_string(&source).unwrap();
        assert!(text.lines().count() < 100, "{} is too long", source.display());
        assert!(text.lines().all(|line| line.len() <= 110), "{}", source.display());
    }
}
