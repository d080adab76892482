//! What the examples do: the network and the peer of each story, and what is checked.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use subflows::{Announce, Connect, Listen, Open};
use subflows_lab::{
    CHUNK, Namespace, Net, Program, StripMptcp, WireOptions, oracle, pattern, wait_until,
};

use crate::players::Player;
use crate::table::{Download, Example, Proof, Story, Verdicts};

/// Long enough for valgrind on a busy machine.
const SOON: Duration = Duration::from_secs(60);
const MIB: u64 = 1 << 20;

/// An example of a language.
pub(crate) struct Run<'a> {
    pub(crate) player: &'a Player,
    pub(crate) example: &'a Example,
}

impl Run<'_> {
    /// A client of a server at that address.
    fn client(&self, net: &Net, address: SocketAddr) -> Command {
        self.player.command(&net.client, self.example.file, address)
    }

    /// A server at the address of the first path.
    fn server(&self, net: &Net, port: u16) -> Command {
        let address = SocketAddr::new(net.paths[0].server_v4.into(), port);
        self.player.command(&net.server, self.example.file, address)
    }
}

/// Plays an example; panics with the reason if it does not do what it should.
pub(crate) fn play(run: &Run<'_>) {
    match &run.example.story {
        Story::ListAndOpen => list_and_open(run),
        Story::Download(download) => survives(run, download),
        Story::Paths(line) => paths(run, line),
        Story::ServerReport => server_report(run),
        Story::AsyncServerReport => async_server_report(run),
        Story::Watch => watch(run),
        Story::LargeAnswers => large_answers(run),
        Story::FallbackReport(verdicts) => fallback_report(run, verdicts),
    }
}

fn listen(net: &Net) -> (TcpListener, SocketAddr) {
    let to = SocketAddr::new(net.paths[0].server_v4.into(), 0);
    let listener = net.server.run(|| subflows::listen(to, &Listen::new())).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Two paths over which a transfer takes some time. Their round trip is so long that `open` does
/// not hold the new subflow back.
fn wires() -> Net {
    let rate = WireOptions {
        delay: Duration::from_millis(1),
        rate_bits_per_second: Some(50_000_000),
        ..WireOptions::default()
    };
    Net::wires(&[("first", rate), ("second", rate)]).unwrap()
}

/// The client's addresses of the established subflows, according to ss.
fn open_locals(namespace: &Namespace) -> Vec<IpAddr> {
    let subflows = oracle::ss_subflows(namespace).into_iter();
    let open = subflows.filter(|subflow| subflow.state == "ESTAB");
    let mut locals: Vec<_> = open.map(|subflow| subflow.local.ip().to_canonical()).collect();
    locals.sort();
    locals
}

/// Without a server, a client ends with 1 and a message that names `connect`.
fn complains(run: &Run<'_>, extra: &[&str]) {
    let net = Net::two_subnets().unwrap();
    let nowhere = SocketAddr::new(net.paths[0].server_v4.into(), 443);
    let output = run.client(&net, nowhere).args(extra).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "without a server: {text}");
    assert!((run.player.complaint)(&text), "without a server it prints: {text}");
}

fn list_and_open(run: &Run<'_>) {
    let net = Net::two_subnets().unwrap();
    let (listener, address) = listen(&net);
    let mut command = run.client(&net, address);
    let mut program = Program::start({
        command.arg(&net.paths[1].client_interface);
        command
    });
    let mut stream = program.accepted_by(&listener);
    stream.write_all(b"!").unwrap();
    let lines = program.end();
    assert_eq!(lines.len(), 3, "{lines:?}");
    for (line, path) in lines.iter().zip(&net.paths) {
        let ends = [path.client_v4.to_string(), address.ip().to_string()];
        assert!(ends.iter().all(|ip| line.contains(ip)), "{ends:?} in {line}");
    }
    assert_eq!(lines[2], "1 left");
    complains(run, &[&net.paths[1].client_interface]);
}

/// Ends a sender when it is dropped, also if a check fails.
struct Tap<'a>(&'a AtomicBool);

impl Drop for Tap<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends the pattern until the condition holds, or this many bytes; returns the number of bytes.
fn send(mut stream: TcpStream, limit: Option<u64>, is_enough: &AtomicBool) -> u64 {
    stream.set_write_timeout(Some(SOON)).unwrap();
    let mut sent = 0;
    loop {
        let is_over = limit.map_or_else(|| is_enough.load(Ordering::Relaxed), |all| sent == all);
        if is_over {
            return sent;
        }
        let left = limit.map_or(CHUNK as u64, |all| all - sent);
        let chunk = pattern(sent, left.min(CHUNK as u64) as usize);
        stream.write_all(chunk).unwrap();
        sent += chunk.len() as u64;
    }
}

fn data(length: u64) -> Vec<u8> {
    let chunks = (0..length).step_by(CHUNK);
    chunks.flat_map(|at| pattern(at, (length - at).min(CHUNK as u64) as usize).to_vec()).collect()
}

/// Waits until a path has carried this much more to the client.
fn wait_for_data(net: &Net, path: usize, more: u64) {
    let carried = || net.paths[path].bytes().unwrap().to_client;
    let before = carried();
    wait_until(SOON, "data on a path", || carried() > before + more);
}

fn survives(run: &Run<'_>, download: &Download) {
    let net = wires();
    let (listener, address) = listen(&net);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let mut command = if download.is_http {
        let mut command = run.player.program(&net.client, run.example.file);
        command.arg(format!("http://{address}/"));
        command
    } else {
        run.client(&net, address)
    };
    // Java's agent has the interface as an option already.
    let mut extra = if download.prints_opened { vec!["second"] } else { vec![] };
    if let Proof::File = download.proof {
        extra.push(file.to_str().unwrap());
    }
    command.args(&extra);
    let mut program = Program::start(command);
    let mut stream = program.accepted_by(&listener);
    let limit = download.is_http.then_some(16 * MIB);
    if let Some(limit) = limit {
        assert_ne!(stream.read(&mut [0; 4096]).unwrap(), 0, "no request");
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {limit}\r\n\r\n").unwrap();
    }
    let is_enough = AtomicBool::new(false);
    let (net, [first, second]) = (&net, [0, 1].map(|path| IpAddr::from(net.paths[path].client_v4)));
    let sent = thread::scope(|scope| {
        let tap = Tap(&is_enough);
        let sending = scope.spawn(|| send(stream, limit, &is_enough));
        wait_for_data(net, 1, MIB);
        assert_eq!(open_locals(&net.client), [first, second]);
        net.paths[0].pull_cable().unwrap();
        if download.prints_dropped {
            assert!(program.line().starts_with("opened "));
            program.line_with("dropped ");
            assert_eq!(open_locals(&net.client), [second]);
        }
        wait_for_data(net, 1, MIB);
        drop(tap);
        sending.join().unwrap()
    });
    let (lines, expected) = (program.end(), data(sent));
    let fold = |sum: u64, byte: &u8| sum.rotate_left(5).wrapping_add(u64::from(*byte));
    let checksum = match download.proof {
        Proof::Rotated => format!(", checksum {:016x}", expected.iter().fold(0, fold)),
        Proof::Crc32 => format!(", checksum {:08x}", crc32fast::hash(&expected)),
        Proof::File => {
            assert!(fs::read(&file).unwrap() == expected, "the file differs from what was sent");
            String::new()
        }
    };
    assert_eq!(lines.last(), Some(&format!("{sent} bytes{checksum}")), "{lines:?}");
    // Some languages write to a pipe only when they end.
    let has_printed = lines.iter().any(|line| line.starts_with("opened "));
    let is_left = download.prints_opened && !download.prints_dropped;
    assert_eq!(has_printed, is_left, "{lines:?}");
    if !download.is_http {
        complains(run, &extra);
    }
}

fn paths(run: &Run<'_>, expected: &str) {
    let net = wires();
    let (listener, address) = listen(&net);
    let mut command = run.client(&net, address);
    command.arg("second");
    let mut program = Program::start(command);
    let stream = program.accepted_by(&listener);
    let is_enough = AtomicBool::new(false);
    let sent = thread::scope(|scope| {
        let tap = Tap(&is_enough);
        let sending = scope.spawn(|| send(stream, None, &is_enough));
        (0..2).for_each(|path| wait_for_data(&net, path, MIB));
        let both = [net.paths[0].client_v4, net.paths[1].client_v4].map(IpAddr::from);
        assert_eq!(open_locals(&net.client), both);
        drop(tap);
        sending.join().unwrap()
    });
    let lines = program.end();
    assert!(lines.iter().any(|line| line == expected), "{lines:?}");
    assert!(lines.contains(&format!("{sent} bytes")), "{sent}: {lines:?}");
    for (path, line) in net.paths.iter().zip(&lines[lines.len() - 2..]) {
        let ends = format!(": {} -> {}, ", path.client_v4, address.ip());
        assert!(line.contains(&ends), "{line}");
        let reported: u64 = line.split(' ').nth_back(1).unwrap().parse().unwrap();
        let wire = path.bytes().unwrap().to_client;
        // The wire counts headers as well.
        assert!(reported > MIB / 2 && reported < wire, "{line}, and {wire} by the wire");
    }
    complains(run, &["second"]);
}

/// A connection to a server from the client's namespace, whose second subflow is opened by the test.
fn controlled(net: &Net, address: SocketAddr) -> TcpStream {
    let options = Connect::new().control(true);
    let stream = net.client.run(|| subflows::connect(address, &options)).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream
}

fn open_second(net: &Net, stream: &TcpStream, is_backup: bool) -> u32 {
    let second = Open::new().interface(net.paths[1].client_interface.as_str()).backup(is_backup);
    net.client.run(|| subflows::open(stream, &second)).unwrap().id
}

fn server_report(run: &Run<'_>) {
    let net = Net::two_subnets().unwrap();
    let mut command = run.server(&net, 0);
    command.arg("2");
    let mut server = Program::start(command);
    let address = server.line().strip_prefix("listening on ").unwrap().parse().unwrap();
    let mut client = controlled(&net, address);
    client.read_exact(&mut [0; 6]).unwrap();
    open_second(&net, &client, true);
    client.write_all(b"!").unwrap();
    let line = server.line();
    assert!(line.contains(&net.paths[0].client_v4.to_string()), "{line}");
    let line = server.line();
    assert!(line.contains(&net.paths[1].client_v4.to_string()), "{line}");
    assert!(line.ends_with(", backup"), "{line}");

    let mut plain = net.client.run(|| TcpStream::connect(address)).unwrap();
    plain.write_all(b"!").unwrap();
    let line = server.line();
    // Each language writes the state in its own way.
    assert!(line.to_lowercase().ends_with("one path only (tcp)"), "{line}");
}

fn async_server_report(run: &Run<'_>) {
    let net = Net::two_subnets().unwrap();
    let mut server = Program::start(run.server(&net, 0));
    let line = server.line();
    let port: u16 = line.rsplit(' ').next().unwrap().parse().unwrap();
    let (host, here) = (net.paths[0].server_v4, net.paths[0].client_v4);
    assert_eq!(line, format!("listening on {host} port {port}"));
    let mut client = controlled(&net, (host, port).into());
    client.read_exact(&mut [0; 6]).unwrap();
    open_second(&net, &client, true);
    client.write_all(b"paths?\n").unwrap();
    assert_eq!(server.line(), format!("{here}: {host} <- {here}, 7 bytes"));
    let there = net.paths[1].client_v4;
    assert_eq!(server.line(), format!("{here}: {host} <- {there}, 0 bytes, backup"));

    let mut plain = net.client.run(|| TcpStream::connect((host, port))).unwrap();
    plain.write_all(b"paths?\n").unwrap();
    assert_eq!(server.line(), format!("{here}: one path only (TCP)"));
}

/// The second path of one client is opened and closed; the other client has one path only.
fn watch(run: &Run<'_>) {
    let net = Net::two_subnets().unwrap();
    let mut command = run.server(&net, 443);
    command.arg("2");
    let mut server = Program::start(command);
    let address = SocketAddr::new(net.paths[0].server_v4.into(), 443);
    let options = Connect::new().control(true);
    let mut client = None;
    wait_until(SOON, "the server to listen", || {
        client = net.client.run(|| subflows::connect(address, &options)).ok();
        client.is_some()
    });
    let mut client = client.unwrap();
    assert!(server.line().ends_with(": accepted"));
    client.write_all(b"hello").unwrap();
    let second = open_second(&net, &client, false);
    server.line_with(": SubflowEstablished");
    assert_eq!(oracle::ss_connections(&net.server).len(), 1);
    net.client.run(|| subflows::close(&client, second)).unwrap();
    server.line_with(": SubflowClosed");

    let plain = net.client.run(|| TcpStream::connect(address)).unwrap();
    server.line_with(": one path only");
    drop(plain);
    server.line_with(": gone");
    drop(client);
    let lines = server.end();
    assert!(lines.last().is_some_and(|line| line.ends_with(": gone")), "{lines:?}");
}

/// Requests this many bytes; byte number N is the low part of N.
fn ask(stream: &mut TcpStream, bytes: usize) {
    stream.set_read_timeout(Some(SOON)).unwrap();
    writeln!(stream, "{bytes}").unwrap();
    let mut answer = vec![0; bytes];
    stream.read_exact(&mut answer).unwrap();
    assert!(answer.iter().enumerate().all(|(place, byte)| *byte == place as u8));
}

fn large_answers(run: &Run<'_>) {
    const LARGE: usize = 8 << 20;
    let net = wires();
    net.server.set_sysctl("net.mptcp.path_manager", "userspace").unwrap();
    let mut command = run.server(&net, 0);
    command.arg(&net.paths[1].server_interface).arg("2");
    let mut server = Program::start(command);
    let address = server.line().strip_prefix("listening on ").unwrap().parse().unwrap();

    let mut plain = net.client.run(|| TcpStream::connect(address)).unwrap();
    ask(&mut plain, LARGE);
    assert_eq!(server.line(), format!("{LARGE} bytes over one path"));
    drop(plain);

    let mut client = controlled(&net, address);
    ask(&mut client, LARGE);
    assert_eq!(server.line(), format!("{LARGE} bytes over one path"), "no other is announced");
    let second = IpAddr::V4(net.paths[1].client_v4);
    let at_any_port = Announce::new().port(0);
    let _announced = net.client.run(|| subflows::announce(&client, second, &at_any_port)).unwrap();
    ask(&mut client, LARGE);
    assert_eq!(server.line(), format!("{LARGE} bytes over two paths"));
    assert!(net.paths[1].bytes().unwrap().to_client > MIB);
    ask(&mut client, 6);
    assert_eq!(server.line(), "6 bytes over one path");
    let subflows = || net.client.run(|| subflows::list(&client)).unwrap();
    wait_until(SOON, "the second path to be closed", || subflows().len() == 1);
}

/// What the report prints: after the handshake, after the first byte, and then.
fn report(run: &Run<'_>, middlebox: Option<StripMptcp>, switch: &str) -> [String; 3] {
    let net = Net::wires(&[("wire", WireOptions::default())]).unwrap();
    net.client.set_sysctl("net.mptcp.enabled", switch).unwrap();
    if let Some(middlebox) = middlebox {
        net.paths[0].wire().unwrap().add(middlebox);
    }
    let (listener, address) = listen(&net);
    let mut program = Program::start(run.client(&net, address));
    let mut stream = program.accepted_by(&listener);
    let first = program.line();
    stream.write_all(b"!").unwrap();
    let second = program.line_with("after the first byte: ");
    let rest = program.end().join("\n");
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "the program has not closed the connection");
    let first = first.strip_prefix("after the handshake: ").expect(&first);
    let second = second.strip_prefix("after the first byte: ").expect(&second);
    [first.to_owned(), second.to_owned(), rest]
}

fn fallback_report(run: &Run<'_>, verdicts: &Verdicts) {
    let Verdicts { mptcp, mptcp_and_ready, fell_back, switched_off, details } = *verdicts;
    let cases = [
        (None, "1", [mptcp, mptcp_and_ready]),
        (Some(StripMptcp::from_syn()), "1", [fell_back, fell_back]),
        (Some(StripMptcp::after_handshake()), "1", [mptcp, fell_back]),
        (None, "0", [switched_off, switched_off]),
    ];
    for (middlebox, switch, [first, second]) in cases {
        let printed = report(run, middlebox, switch);
        assert!(printed[0].starts_with(first), "{first:?}: {printed:?}");
        assert!(printed[1].starts_with(second), "{second:?}: {printed:?}");
        if let Some([ready, otherwise]) = details {
            let expected = if second == mptcp_and_ready { ready } else { otherwise };
            assert!(printed[2].contains(expected), "{expected:?}: {printed:?}");
        }
    }
    complains(run, &[]);
}
