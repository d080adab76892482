//! Runs every example as its user would, in networks of the lab.
#![allow(missing_docs)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use subflows::Listen;
use subflows_lab::{Namespace, Net, StripMptcp, WireOptions, wait_until};

const SOON: Duration = Duration::from_secs(20);

/// The interpreter that plays examples/ruby/ in the place of these: STORIES_RUBY=ruby.
fn ruby() -> Option<std::ffi::OsString> {
    std::env::var_os("STORIES_RUBY")
}

/// The JVM that plays examples/java/ in the place of these: STORIES_JAVA=java, and where they and the
/// binding are, STORIES_CLASSES=subflows.jar:examples.
fn java() -> Option<std::ffi::OsString> {
    std::env::var_os("STORIES_JAVA")
}

fn program(namespace: &Namespace, name: &str) -> Command {
    if let Some(java) = java() {
        let mut command = namespace.command(java);
        let class: String =
            name.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
        command.arg("-cp").arg(std::env::var_os("STORIES_CLASSES").unwrap()).arg(class);
        return command;
    }
    if let Some(ruby) = ruby() {
        let mut command = namespace.command(ruby);
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        command.arg(folder.join(format!("../ruby/{name}.rb")));
        return command;
    }
    let path = match name {
        "list_and_open" => env!("CARGO_BIN_EXE_list_and_open"),
        "download" => env!("CARGO_BIN_EXE_download"),
        "download_tokio" => env!("CARGO_BIN_EXE_download_tokio"),
        "server_report" => env!("CARGO_BIN_EXE_server_report"),
        _ => env!("CARGO_BIN_EXE_fallback_report"),
    };
    namespace.command(path)
}

/// An address as an argument; Java wants host and port apart, as `InetSocketAddress` does.
fn at(command: &mut Command, address: SocketAddr) {
    match java() {
        Some(_) => command.arg(address.ip().to_string()).arg(address.port().to_string()),
        None => command.arg(address.to_string()),
    };
}

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

#[test]
fn list_and_open() {
    if !subflows_lab::ready() {
        return;
    }
    let net = Net::two_subnets().unwrap();
    let (listener, address) = listener(&net);
    let mut command = program(&net.client, "list_and_open");
    at(&mut command, address);
    command.arg(&net.paths[1].client_interface);
    let (text, _stream) = thread::scope(|scope| {
        let running = scope.spawn(|| output(command));
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"!").unwrap();
        (running.join().unwrap(), stream)
    });
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[1].contains(&net.paths[1].client_v4.to_string()), "{text}");
    assert_eq!(lines[2], "1 left");
}

/// Serves 24 MiB, and pulls the first cable once the second path carries data.
fn download(example: &str) {
    if !subflows_lab::ready() {
        return;
    }
    const SIZE: usize = 24 << 20;
    let rate = WireOptions { rate_bits_per_second: Some(100_000_000), ..WireOptions::default() };
    let net = Net::wires(&[("first", rate), ("second", rate)]).unwrap();
    let (listener, address) = listener(&net);
    let mut command = program(&net.client, example);
    match example {
        "download_http" => drop(command.arg(format!("http://{address}/"))),
        _ => at(&mut command, address),
    }
    command.arg("second");
    let data: Vec<u8> =
        (0..SIZE as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let text = thread::scope(|scope| {
        let running = scope.spawn(|| output(command));
        let (mut stream, _) = listener.accept().unwrap();
        if example == "download_http" {
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
    let checksum = match ruby().or_else(java) {
        Some(_) => format!("{:08x}", crc32fast::hash(&data)),
        None => format!("{:016x}", folded(&data)),
    };
    assert!(text.contains(&format!("opened {}", net.paths[1].client_v4)), "{text}");
    assert!(text.ends_with(&format!("{SIZE} bytes, checksum {checksum}\n")), "{text}");
}

/// As examples/rust/download.rs has it.
fn folded(data: &[u8]) -> u64 {
    data.iter().fold(0, |sum, byte| sum.rotate_left(5).wrapping_add(u64::from(*byte)))
}

#[test]
fn download_survives_its_first_cable() {
    download("download");
}

#[test]
fn download_by_what_others_use_survives_its_first_cable() {
    download(if ruby().is_some() { "download_http" } else { "download_tokio" });
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn server_report() {
    if !subflows_lab::ready() {
        return;
    }
    let net = Net::two_subnets().unwrap();
    let mut command = program(&net.server, "server_report");
    at(&mut command, SocketAddr::new(IpAddr::V4(net.paths[0].server_v4), 0));
    command.arg("2").stdout(Stdio::piped());
    let mut server = Running(command.spawn().unwrap());
    let mut lines = BufReader::new(server.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first = lines.next().unwrap();
    let address: SocketAddr = first.strip_prefix("listening on ").unwrap().parse().unwrap();

    let options = subflows::Connect::new().control(true);
    let mut client = net.client.run(|| subflows::connect(address, &options)).unwrap();
    client.read_exact(&mut [0; 6]).unwrap();
    let second = subflows::Open::new().interface(net.paths[1].client_interface.as_str());
    net.client.run(|| subflows::open(&client, &second.backup(true))).unwrap();
    client.write_all(b"!").unwrap();
    assert!(lines.next().unwrap().contains(&net.paths[0].client_v4.to_string()));
    let line = lines.next().unwrap();
    assert!(line.contains(&net.paths[1].client_v4.to_string()), "{line}");
    assert!(line.ends_with(", backup"), "{line}");

    let mut plain = net.client.run(|| TcpStream::connect(address)).unwrap();
    plain.write_all(b"!").unwrap();
    let line = lines.next().unwrap();
    // As each language writes it.
    assert!(line.to_lowercase().ends_with("one path only (tcp)"), "{line}");
}

/// What the report says with, and without, a middlebox on the way.
fn report(middlebox: Option<StripMptcp>) -> Vec<String> {
    let net = Net::wires(&[("wire", WireOptions::default())]).unwrap();
    if let Some(middlebox) = middlebox {
        net.paths[0].wire().unwrap().add(middlebox);
    }
    let (listener, address) = listener(&net);
    let mut command = program(&net.client, "fallback_report");
    at(&mut command, address);
    command.stdout(Stdio::piped());
    let mut client = Running(command.spawn().unwrap());
    let (mut stream, _) = listener.accept().unwrap();
    let mut lines = BufReader::new(client.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first = lines.next().unwrap();
    stream.write_all(b"!").unwrap();
    vec![first, lines.next().unwrap()]
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
