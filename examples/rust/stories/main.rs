//! Runs every example as its user would, in networks of the lab.
#![allow(missing_docs)]

mod player;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use player::{Download, player};
use subflows::{Announce, Connect, Listen, Open};
use subflows_lab::{Net, StripMptcp, WireOptions, wait_until};

const SOON: Duration = Duration::from_secs(20);

fn output(mut command: Command) -> String {
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    text
}

fn listener(net: &Net) -> (TcpListener, SocketAddr) {
    let to = SocketAddr::new(IpAddr::V4(net.paths[0].server_v4), 0);
    let listener = net.server.run(|| subflows::listen(to, &Listen::new())).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// The program may end without a word: then nobody comes.
fn accept(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let mut stream = None;
    wait_until(SOON, "the program connects", || {
        stream = listener.accept().ok();
        stream.is_some()
    });
    stream.unwrap().0
}

#[test]
fn list_and_open() {
    if !subflows_lab::ready() {
        return;
    }
    let net = Net::two_subnets().unwrap();
    let (listener, address) = listener(&net);
    let mut command = player().program(&net.client, "list_and_open", address);
    command.arg(&net.paths[1].client_interface);
    let (text, _stream) = thread::scope(|scope| {
        let running = scope.spawn(|| output(command));
        let mut stream = accept(&listener);
        stream.write_all(b"!").unwrap();
        (running.join().unwrap(), stream)
    });
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[1].contains(&net.paths[1].client_v4.to_string()), "{text}");
    assert_eq!(lines[2], "1 left");
}

/// Two wires of 100 Mbit/s.
fn wires() -> Net {
    let rate = WireOptions { rate_bits_per_second: Some(100_000_000), ..WireOptions::default() };
    Net::wires(&[("first", rate), ("second", rate)]).unwrap()
}

/// Serves 24 MiB, and pulls the first cable once the second path carries data.
fn survives(net: &Net, listener: &TcpListener, download: Download) {
    const SIZE: usize = 24 << 20;
    let data: Vec<u8> =
        (0..SIZE as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let Download { command, is_http, says_opened } = download;
    let text = thread::scope(|scope| {
        let running = scope.spawn(|| output(command));
        let mut stream = accept(listener);
        if is_http {
            assert_ne!(stream.read(&mut [0; 4096]).unwrap(), 0, "it asks for nothing");
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n").unwrap();
        }
        let sending = scope.spawn(|| stream.write_all(&data).map(|()| drop(stream)));
        wait_until(SOON, "the second path carries data", || {
            net.paths[1].bytes().unwrap().to_client > 1 << 20
        });
        net.paths[0].pull_cable().unwrap();
        sending.join().unwrap().unwrap();
        running.join().unwrap()
    });
    let checksum = player().checksum(&data);
    let opened = format!("opened {}", net.paths[1].client_v4);
    assert_eq!(text.contains(&opened), says_opened, "{text}");
    assert!(text.ends_with(&format!("{SIZE} bytes, checksum {checksum}\n")), "{text}");
}

#[test]
fn download_survives_its_first_cable() {
    if !subflows_lab::ready() {
        return;
    }
    let net = wires();
    let (listener, address) = listener(&net);
    let mut command = player().program(&net.client, "download", address);
    command.arg("second");
    survives(&net, &listener, Download { command, is_http: false, says_opened: true });
}

#[test]
fn download_by_what_others_use_survives_its_first_cable() {
    if !subflows_lab::ready() {
        return;
    }
    let net = wires();
    let (listener, address) = listener(&net);
    survives(&net, &listener, player().usual_download(&net.client, address, "second"));
}

/// A program that may go on for ever, and what it prints.
struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Running {
    fn start(mut command: Command) -> Running {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Running { child, output }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "it says no more");
        line.trim_end().to_owned()
    }

    /// A server's first line says where it listens.
    fn address(&mut self) -> SocketAddr {
        self.line().strip_prefix("listening on ").unwrap().parse().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn server_report() {
    if !subflows_lab::ready() {
        return;
    }
    let net = Net::two_subnets().unwrap();
    let any_port = SocketAddr::new(IpAddr::V4(net.paths[0].server_v4), 0);
    let mut command = player().program(&net.server, "server_report", any_port);
    command.arg("2");
    let mut server = Running::start(command);
    let address = server.address();

    let options = Connect::new().control(true);
    let mut client = net.client.run(|| subflows::connect(address, &options)).unwrap();
    client.read_exact(&mut [0; 6]).unwrap();
    let second = Open::new().interface(net.paths[1].client_interface.as_str());
    net.client.run(|| subflows::open(&client, &second.backup(true))).unwrap();
    client.write_all(b"!").unwrap();
    assert!(server.line().contains(&net.paths[0].client_v4.to_string()));
    let line = server.line();
    assert!(line.contains(&net.paths[1].client_v4.to_string()), "{line}");
    assert!(line.ends_with(", backup"), "{line}");

    let mut plain = net.client.run(|| TcpStream::connect(address)).unwrap();
    plain.write_all(b"!").unwrap();
    let line = server.line();
    // As each language writes it.
    assert!(line.to_lowercase().ends_with("one path only (tcp)"), "{line}");
}

/// What the server sends for a line with the number of bytes; each byte is the low part of its place.
fn ask(stream: &mut TcpStream, bytes: usize) {
    stream.set_read_timeout(Some(SOON)).unwrap();
    writeln!(stream, "{bytes}").unwrap();
    let mut answer = vec![0; bytes];
    stream.read_exact(&mut answer).unwrap();
    assert!(answer.iter().enumerate().all(|(place, byte)| *byte == place as u8));
}

#[test]
fn large_answers() {
    if !subflows_lab::ready() {
        return;
    }
    const LARGE: usize = 8 << 20;
    let net = wires();
    net.server.set_sysctl("net.mptcp.path_manager", "userspace").unwrap();
    let any_port = SocketAddr::new(IpAddr::V4(net.paths[0].server_v4), 0);
    let mut command = player().program(&net.server, "large_answers", any_port);
    command.arg(&net.paths[1].server_interface).arg("2");
    let mut server = Running::start(command);
    let address = server.address();

    let mut plain = net.client.run(|| TcpStream::connect(address)).unwrap();
    ask(&mut plain, LARGE);
    assert_eq!(server.line(), format!("{LARGE} bytes over one path"));
    drop(plain);

    let options = Connect::new().control(true);
    let mut client = net.client.run(|| subflows::connect(address, &options)).unwrap();
    ask(&mut client, LARGE);
    assert_eq!(server.line(), format!("{LARGE} bytes over one path"), "it knows of no other");

    let second = IpAddr::V4(net.paths[1].client_v4);
    let at_any_port = Announce::new().port(0);
    let _there = net.client.run(|| subflows::announce(&client, second, &at_any_port)).unwrap();
    ask(&mut client, LARGE);
    assert_eq!(server.line(), format!("{LARGE} bytes over two paths"));
    assert!(net.paths[1].bytes().unwrap().to_client > 1 << 20);
    ask(&mut client, 6);
    assert_eq!(server.line(), "6 bytes over one path");
    wait_until(SOON, "the second path is closed", || subflows::list(&client).unwrap().len() == 1);
}

/// What the report says with, and without, a middlebox on the way.
fn report(middlebox: Option<StripMptcp>) -> Vec<String> {
    let net = Net::wires(&[("wire", WireOptions::default())]).unwrap();
    if let Some(middlebox) = middlebox {
        net.paths[0].wire().unwrap().add(middlebox);
    }
    let (listener, address) = listener(&net);
    let mut client = Running::start(player().program(&net.client, "fallback_report", address));
    let mut stream = accept(&listener);
    let first = client.line();
    stream.write_all(b"!").unwrap();
    vec![first, client.line()]
}

#[test]
fn fallback_report() {
    if !subflows_lab::ready() {
        return;
    }
    let lines = report(None);
    assert!(lines.iter().all(|line| line.ends_with(": Multipath TCP")), "{lines:?}");
    let lines = report(Some(StripMptcp::from_syn()));
    assert!(lines.iter().all(|line| line.contains(": plain TCP")), "{lines:?}");
    let lines = report(Some(StripMptcp::after_handshake()));
    assert!(lines[0].ends_with(": Multipath TCP"), "{lines:?}");
    assert!(lines[1].contains(": plain TCP"), "{lines:?}");
}
