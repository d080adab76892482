//! Data that a program sends right after `open` arrive undamaged, although some kernels would damage them
//! (`core/src/wait/opening/rest.rs`).
//!
//! `SUBFLOWS_PLAYS` is the number of runs of each case; the default is 12. Without the rest, 10 to
//! 18 of 100 messages to the server arrived damaged.

mod common;

use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use common::transfer::Transfer;
use common::trap::{Trap, is_readable};
use common::{SOON, open_handed};
use subflows::kernel::{LocalAddress, PathManagerSocket};
use subflows::{Connect, EventKind, Open};
use subflows_lab::{Net, Random, skip_unless_ready, wait_until};

const HEAD: &[u8] = b"the head of a message, which announces what follows\n";
const BODY: usize = 300_000;

fn plays() -> usize {
    std::env::var("SUBFLOWS_PLAYS").map_or(12, |plays| plays.parse().expect("a number of plays"))
}

fn body() -> Vec<u8> {
    let mut body = vec![0; BODY];
    Random::new(1).fill(&mut body);
    body
}

/// A message in two writes, head and body, as every HTTP client and server sends it.
fn send(mut stream: &TcpStream, body: &[u8]) {
    stream.write_all(HEAD).unwrap();
    stream.write_all(body).unwrap();
}

/// Whether the message arrives as it was sent.
fn receives(mut stream: &TcpStream, body: &[u8]) -> bool {
    let mut received = vec![0; HEAD.len() + body.len()];
    stream.read_exact(&mut received).is_ok() && received == [HEAD, body].concat()
}

/// Waits until the connection has been idle for so long that both ends sleep: the one that wakes up
/// next runs at once, and interrupts the other in the middle of its system call.
fn wait_until_idle(net: &Net, sock: &TcpStream) {
    wait_until(SOON, "the connection to be idle", || {
        let subflows = net.client.run(|| subflows::list(sock)).unwrap();
        subflows.iter().all(|subflow| subflow.last_data_received_ms >= 50)
    });
}

#[derive(Clone, Copy, Debug)]
enum Direction {
    Up,
    Down,
}

/// A small exchange, one more subflow, a message. Returns whether the message arrived as sent.
fn play(net: &Net, to: IpAddr, options: &Open, direction: Direction, body: &[u8]) -> bool {
    let pair = common::connect(net, to, &Connect::new().control(true));
    let (mut client, mut byte) = (&pair.client, [0]);
    thread::scope(|scope| {
        let server = scope.spawn(|| {
            let (mut server, mut byte) = (&pair.server, [0]);
            server.write_all(b"!").unwrap();
            server.read_exact(&mut byte).unwrap();
            server.write_all(&byte).unwrap();
            match direction {
                Direction::Up => receives(server, body),
                // The client requests the message after it has opened one more subflow.
                Direction::Down => {
                    server.read_exact(&mut byte).unwrap();
                    send(server, body);
                    true
                }
            }
        });
        client.read_exact(&mut byte).unwrap();
        wait_until_idle(net, client);
        let entered = net.client.enter().unwrap();
        client.write_all(b"?").unwrap();
        client.read_exact(&mut byte).unwrap();
        subflows::open(client, options).unwrap();
        let is_intact = match direction {
            Direction::Up => {
                send(client, body);
                true
            }
            Direction::Down => {
                client.write_all(b"!").unwrap();
                receives(client, body)
            }
        };
        drop(entered);
        server.join().unwrap() && is_intact
    })
}

fn damaged(net: &Net, to: IpAddr, options: &Open, direction: Direction) -> usize {
    let body = body();
    (0..plays()).filter(|_| !play(net, to, options, direction, &body)).count()
}

fn messages_arrive_intact(build: fn() -> std::io::Result<Net>) {
    skip_unless_ready!();
    let net = open_handed(build().unwrap());
    for to in net.paths[0].server_ips() {
        for path in &net.paths {
            for direction in [Direction::Up, Direction::Down] {
                let options = Open::new().interface(&path.client_interface);
                let start = Instant::now();
                let damaged = damaged(&net, to, &options, direction);
                let interface = &path.client_interface;
                eprintln!(
                    "{direction:?} by {interface} to {to}: {damaged} of {} damaged, {:.1} s",
                    plays(),
                    start.elapsed().as_secs_f64()
                );
                assert_eq!(damaged, 0, "{direction:?} by {interface} to {to}");
            }
        }
    }
}

#[test]
fn messages_after_open_on_two_cables() {
    messages_arrive_intact(Net::two_subnets);
}

#[test]
fn messages_after_open_behind_routers() {
    messages_arrive_intact(Net::laptop);
}

/// Sends a message from another thread than the one that opens a subflow, as soon as the subflow has
/// joined, while the server's socket is locked. Returns whether the message arrived as sent;
/// `None` if the machine was too slow for the test.
fn play_with_locked_server(net: &Net, to: IpAddr, trap: &Trap, body: &[u8]) -> Option<bool> {
    let pair = common::controlled(net, to);
    let is_joined = || {
        let subflows = subflows::list(&pair.client).unwrap();
        subflows.len() == 2 && subflows::details(&pair.client, subflows[1].id).unwrap().is_joined
    };
    thread::scope(|scope| {
        let server = scope.spawn(|| trap.send(&pair.server));
        wait_until(SOON, "the server's socket to be locked", || is_readable(trap.as_fd()));
        let opener = scope.spawn(|| {
            let options = Open::new().interface(&net.paths[1].client_interface);
            net.client.run(|| subflows::open(&pair.client, &options))
        });
        let _entered = net.client.enter().unwrap();
        wait_until(SOON, "the subflow to join", is_joined);
        let start = Instant::now();
        send(&pair.client, body);
        let is_resting = !opener.is_finished() && start.elapsed() < Duration::from_millis(40);
        trap.release();
        server.join().unwrap().unwrap();
        opener.join().unwrap().unwrap();
        let is_intact = receives(&pair.server, body);
        is_resting.then_some(is_intact)
    })
}

#[test]
fn messages_of_another_thread_during_open() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
    let body = &body()[..20_000];
    for to in net.paths[0].server_ips() {
        let mut told = false;
        for _ in 0..plays() {
            let Some(trap) = Trap::new_or_skip() else { return };
            let outcome = play_with_locked_server(&net, to, &trap, body);
            assert_ne!(outcome, Some(false), "to {to}: damaged");
            told |= outcome.is_some();
        }
        assert!(told, "to {to}: the machine was always too slow");
    }
}

/// The peer opens a subflow towards this end by the kernel's own command, and so without a rest.
/// This end sends as soon as an event reports the subflow. Returns whether the message arrived as
/// sent.
fn play_after_event(net: &Net, to: IpAddr, body: &[u8]) -> bool {
    let pair = common::connect(net, to, &Connect::new().control(true));
    let mut events = net.server.run(|| subflows::events(&pair.server)).unwrap();
    pair.make_ready();
    wait_until_idle(net, &pair.client);
    thread::scope(|scope| {
        let server = scope.spawn(|| {
            let mut kind = None;
            while kind != Some(EventKind::SubflowEstablished) {
                kind = Some(events.next(SOON).unwrap().expect("the subflow's event").kind);
            }
            send(&pair.server, body);
        });
        net.client.run(|| {
            let token = subflows::info(&pair.client).unwrap().token;
            let mut local = LocalAddress::new(net.paths[1].client_ip(to), 7);
            local.interface =
                nix::net::if_::if_nametoindex(&*net.paths[1].client_interface).unwrap();
            let remote = pair.client.peer_addr().unwrap();
            PathManagerSocket::open().unwrap().create(token, &local, remote).unwrap();
        });
        let is_intact = receives(&pair.client, body);
        server.join().unwrap();
        is_intact
    })
}

#[test]
fn messages_after_the_event_of_a_subflow_that_the_peer_opened() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
    let body = body();
    for to in net.paths[0].server_ips() {
        let damaged = (0..plays()).filter(|_| !play_after_event(&net, to, &body)).count();
        assert_eq!(damaged, 0, "to {to}");
    }
}

/// A transfer at full speed during which subflows are opened and closed.
#[test]
fn a_transfer_during_which_subflows_come_and_go() {
    skip_unless_ready!();
    let net = open_handed(Net::three_paths().unwrap());
    for to in net.paths[0].server_ips() {
        let pair = common::controlled(&net, to);
        let transfer = Transfer::start(&pair.client, &pair.server, 0);
        net.client.run(|| {
            for path in net.paths.iter().cycle().skip(1).take(plays() * 2) {
                let options = Open::new().interface(&path.client_interface);
                let subflow = subflows::open(&pair.client, &options).unwrap();
                transfer.wait_for(4 << 20);
                subflows::close(&pair.client, subflow.id).unwrap();
            }
        });
        eprintln!("{} MB", transfer.finish() >> 20);
    }
}
