//! `subflows connect`: netcat's job over several paths, and ssh's ProxyCommand.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::thread;

use common::*;
use subflows::Listen;
use subflows_lab::oracle::ss_subflows;
use subflows_lab::{Net, skip_unless_ready, wait_until};

fn network() -> Net {
    let net = Net::two_subnets().unwrap();
    net.raise_limits().unwrap();
    net
}

fn listen(net: &Net, ip: IpAddr) -> (TcpListener, [String; 2]) {
    let address = SocketAddr::new(ip, 0);
    let listener = net.server.run(|| subflows::listen(address, &Listen::new())).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    (listener, [ip.to_string(), port])
}

fn connect(net: &Net, options: &[&str], place: &[String; 2]) -> Command {
    let mut command = net.client.command(SUBFLOWS);
    command.arg("connect").args(options).args(place);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn ends(mut child: Child) -> (String, String) {
    let (mut out, mut errors) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert!(child.wait().unwrap().success(), "{errors}");
    (out, errors)
}

#[test]
fn both_directions_end_by_themselves() {
    skip_unless_ready!();
    let net = network();
    for ip in net.paths[0].server_ips() {
        let (listener, place) = listen(&net, ip);
        let mut child = connect(&net, &["--report"], &place).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(b"question").unwrap();
        drop(input);
        let (mut accepted, _) = listener.accept().unwrap();
        let mut question = String::new();
        // Until the end of standard input.
        accepted.read_to_string(&mut question).unwrap();
        assert_eq!(question, "question");
        accepted.write_all(b"answer").unwrap();
        drop(accepted);
        let (out, errors) = ends(child);
        assert_eq!(out, "answer");
        // The kernel counts the end of the stream as a byte.
        let is_whole = |received| errors.contains(&format!("8 bytes sent, {received} received"));
        assert!(is_whole(6) || is_whole(7), "{errors}");
    }
}

/// The peer ends its direction first, and reads on: nothing of standard input is lost.
#[test]
fn the_upload_goes_on_after_the_end_of_the_peer() {
    skip_unless_ready!();
    let net = network();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let sent: Vec<u8> = (0..5 << 20).map(|place: usize| (place % 251) as u8).collect();
    fs::write(&file, &sent).unwrap();
    let (listener, place) = listen(&net, net.paths[0].server_v4.into());
    let mut command = connect(&net, &[], &place);
    let mut child = command.stdin(fs::File::open(&file).unwrap()).spawn().unwrap();
    let (mut accepted, _) = listener.accept().unwrap();
    accepted.shutdown(Shutdown::Write).unwrap();
    // The end is passed on at once.
    child.stdout.as_mut().unwrap().read_to_end(&mut Vec::new()).unwrap();
    let mut received = Vec::new();
    accepted.read_to_end(&mut received).unwrap();
    assert!(received == sent, "{} of {} bytes", received.len(), sent.len());
    ends(child);
}

#[test]
fn the_other_paths_carry_on_when_the_first_cable_is_pulled() {
    skip_unless_ready!();
    let net = network();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let sent: Vec<u8> = (0..8 << 20).map(|place: usize| (place % 251) as u8).collect();
    fs::write(&file, &sent).unwrap();
    let interface = net.paths[1].client_interface.clone();
    for (ip, option) in net.paths[0].server_ips().into_iter().zip(["--via", "--backup"]) {
        let (listener, place) = listen(&net, ip);
        let mut command = connect(&net, &[option, &interface], &place);
        let child = command.stdin(fs::File::open(&file).unwrap()).spawn().unwrap();
        let (mut accepted, _) = listener.accept().unwrap();
        let mut received = vec![0; 1 << 20];
        accepted.read_exact(&mut received).unwrap();
        wait_until(SOON, "the second path", || ss_subflows(&net.client).len() == 2);
        net.paths[0].pull_cable().unwrap();
        accepted.read_to_end(&mut received).unwrap();
        assert!(received == sent, "{} of {} bytes", received.len(), sent.len());
        drop(accepted);
        ends(child);
        net.paths[0].plug_in().unwrap();
    }
}

#[test]
fn a_path_that_cannot_be_opened_is_reported_and_the_connection_goes_on() {
    skip_unless_ready!();
    let net = network();
    let (listener, place) = listen(&net, net.paths[0].server_v4.into());
    let mut child = connect(&net, &["--via", "nowhere0"], &place).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"question").unwrap();
    let (mut accepted, _) = listener.accept().unwrap();
    let mut question = String::new();
    accepted.read_to_string(&mut question).unwrap();
    accepted.write_all(b"answer").unwrap();
    drop(accepted);
    let (out, errors) = ends(child);
    assert_eq!(out, "answer");
    assert!(errors.contains("no path by nowhere0: "), "{errors}");
}

#[test]
fn without_the_right_the_remedy_names_the_broker() {
    skip_unless_ready!();
    if !has_nobody() {
        return;
    }
    let net = network();
    let (_listener, place) = listen(&net, net.paths[0].server_v4.into());
    let folder = Folder::new();
    let mut command = net.client.command("setpriv");
    as_nobody(&mut command, folder.command());
    command.env("SUBFLOWS_BROKER", "none").args(["connect", "--via", "lo"]).args(&place);
    assert!(Run::of(&mut command).fails(3).contains("subflows broker"));
}

/// As ssh does with `ProxyUseFdpass yes`: it takes the socket, and waits for the end of the command.
#[test]
fn the_socket_is_passed_and_its_paths_are_opened() {
    skip_unless_ready!();
    let net = network();
    let (listener, place) = listen(&net, net.paths[0].server_v4.into());
    let interface = &net.paths[1].client_interface;
    let script = "
import array, socket, subprocess, sys
ours, theirs = socket.socketpair()
proxy = subprocess.Popen(sys.argv[1:], stdin=theirs, stdout=theirs)
theirs.close()
data, ancillary, _, _ = ours.recvmsg(1, socket.CMSG_SPACE(4))
assert proxy.wait() == 0
sock = socket.socket(fileno=array.array('i', ancillary[0][2])[0])
assert sock.recv(6) == b'banner'
sock.sendall(b'question')
assert sock.recv(1) == b'!'
sock.close()
";
    let mut command = net.client.command("python3");
    command.args(["-c", script, SUBFLOWS, "connect", "--fdpass", "--via", interface]).args(&place);
    let client = thread::spawn(move || Run::of(&mut command));
    let (mut accepted, _) = listener.accept().unwrap();
    accepted.write_all(b"banner").unwrap();
    accepted.read_exact(&mut [0; 8]).unwrap();
    wait_until(SOON, "the second path", || ss_subflows(&net.server).len() == 2);
    accepted.write_all(b"!").unwrap();
    // The process that opened the paths keeps no descriptor.
    assert_eq!(accepted.read(&mut [0]).unwrap(), 0);
    client.join().unwrap().ok();
    accepted.shutdown(Shutdown::Both).unwrap();

    let mut without = connect(&net, &["--fdpass"], &place);
    let told = Run::of(without.stdin(Stdio::null())).fails(2);
    assert!(told.contains("ProxyUseFdpass"), "{told}");
}

#[test]
fn mistakes_are_named() {
    skip_unless_ready!();
    let net = network();
    let (_listener, [ip, port]) = listen(&net, net.paths[0].server_v4.into());
    let of = |words: [&str; 2]| {
        let words = words.map(str::to_owned);
        Run::of(connect(&net, &[], &words).stdin(Stdio::null()))
    };
    assert!(of([&ip, "port"]).fails(2).contains("PORT"));
    assert!(of(["no such host", &port]).fails(2).contains("getent"));
    assert!(of([&ip, "1"]).fails(1).contains("refused"));
}
