//! A verb would answer differently in the same state for IPv4 and IPv6, for the side that connected
//! and the side that accepted; or it would do something to a socket that it should have refused.
#![allow(missing_docs)]

mod common;

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use subflows::{
    Announce, Connect, Connecting, ErrorKind, Family, Listen, Open, PathManager, State,
};
use subflows_lab::{DropSegments, Net, StripMptcp, WireOptions, wait_until};

use common::SOON;

/// What a verb answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Works,
    Refused(ErrorKind),
}
use Answer::{Refused, Works};

/// Every verb on a socket that exists, in an order in which one does not hinder the next.
const VERBS: [&str; 10] = [
    "info",
    "list",
    "addresses",
    "events",
    "details",
    "set_backup",
    "open",
    "announce",
    "close",
    "take_control",
];

type Column = [Answer; VERBS.len()];

/// The same answer for all verbs on one subflow, and for the others as given.
const fn column(
    reading: Answer,
    events: Answer,
    subflow: Answer,
    open: Answer,
    announce: Answer,
    take_control: Answer,
) -> Column {
    [reading, reading, reading, events, subflow, subflow, open, announce, subflow, take_control]
}

const fn refused(kind: ErrorKind) -> Answer {
    Refused(kind)
}

const NOT_CONNECTED: Answer = refused(ErrorKind::NotConnected);
const NO_SUCH: Answer = refused(ErrorKind::NoSuchSubflow);
const INVALID: Answer = refused(ErrorKind::InvalidState);
const NOT_READY: Answer = refused(ErrorKind::NotReady);
const NOT_MPTCP: Answer = refused(ErrorKind::NotMptcp);
const CLOSED: Answer = refused(ErrorKind::Closed);

const UNCONNECTED: Column =
    column(Works, NOT_CONNECTED, NO_SUCH, NOT_CONNECTED, NOT_CONNECTED, Works);
const LISTENING: Column =
    column(Works, NOT_CONNECTED, NO_SUCH, NOT_CONNECTED, NOT_CONNECTED, INVALID);
const CONNECTING: Column =
    column(Works, Works, NO_SUCH, refused(ErrorKind::TimedOut), NOT_READY, INVALID);
const PLAIN: Column = column(NOT_MPTCP, NOT_MPTCP, NOT_MPTCP, NOT_MPTCP, NOT_MPTCP, INVALID);
const OVER: Column = column(Works, CLOSED, CLOSED, CLOSED, CLOSED, Works);

fn ask(verb: &str, sock: BorrowedFd<'_>, local: IpAddr) -> subflows::Result<()> {
    let first = subflows::list(&sock).ok().and_then(|list| list.first().map(|first| first.id));
    let id = first.unwrap_or(1);
    let options = Open::new().local(local).timeout(Duration::from_millis(400));
    match verb {
        "info" => subflows::info(&sock).map(drop),
        "list" => subflows::list(&sock).map(drop),
        "addresses" => subflows::addresses(&sock).map(drop),
        "events" => subflows::events(&sock).map(drop),
        "details" => subflows::details(&sock, id).map(drop),
        "set_backup" => subflows::set_backup(&sock, id, false),
        "open" => subflows::open(&sock, &options).map(drop),
        "announce" => {
            subflows::announce(&sock, local, &Announce::new()).and_then(|here| here.withdraw())
        }
        "close" => subflows::close(&sock, id),
        _ => subflows::take_control(&sock),
    }
}

/// Asks everything of one socket in one state.
#[track_caller]
fn check(cell: &str, sock: &impl AsFd, local: IpAddr, state: State, listed: usize, want: &Column) {
    let status = subflows::status(sock).unwrap();
    assert_eq!(status.state, state, "{cell}");
    if state != State::Mptcp {
        assert!(!status.is_ready, "{cell}");
    }
    if let Ok(subflows) = subflows::list(sock) {
        assert_eq!(subflows.len(), listed, "{cell}: {subflows:?}");
    }
    let upgraded = match state {
        State::Unconnected => Works,
        State::Closed => *want.last().unwrap(),
        _ => INVALID,
    };
    assert_eq!(answer(subflows::upgrade(sock)), upgraded, "{cell}: upgrade");
    for (verb, want) in VERBS.iter().zip(want) {
        let got = ask(verb, sock.as_fd(), local);
        let text = got.as_ref().err().map(ToString::to_string);
        assert_eq!(answer(got), *want, "{cell}: {verb}: {text:?}");
    }
}

fn answer(result: subflows::Result<()>) -> Answer {
    result.map_or_else(|error| Refused(error.kind()), |()| Works)
}

/// The addresses of one family: the server's, and the client's on its last path.
fn addresses(net: &Net) -> [(IpAddr, IpAddr); 2] {
    let (first, last) = (&net.paths[0], net.paths.last().unwrap());
    [
        (first.server_v4.into(), last.client_v4.into()),
        (first.server_v6.into(), last.client_v6.into()),
    ]
}

fn listener(net: &Net, ip: IpAddr) -> TcpListener {
    net.server.run(|| subflows::listen(SocketAddr::new(ip, 0), &Listen::new())).unwrap()
}

#[test]
fn unconnected_bound_and_listening() {
    if !subflows_lab::ready() {
        return;
    }
    let net = Net::two_subnets().unwrap();
    let _inside = net.client.enter().unwrap();
    for (server, local) in addresses(&net) {
        let sock = subflows::socket(SocketAddr::new(local, 0)).unwrap();
        check("unconnected", &sock, local, State::Unconnected, 0, &UNCONNECTED);

        let sock = socket(local);
        nix_bind(&sock, SocketAddr::new(local, 0));
        check("bound", &sock, local, State::Unconnected, 0, &UNCONNECTED);

        let listener = subflows::listen(SocketAddr::new(local, 0), &Listen::new()).unwrap();
        check("listening", &listener, local, State::Listening, 0, &LISTENING);
        let _ = server;
    }
}

fn socket(local: IpAddr) -> OwnedFd {
    subflows::socket(if local.is_ipv4() { Family::V4 } else { Family::V6 }).unwrap()
}

fn nix_bind(sock: &OwnedFd, to: SocketAddr) {
    use std::os::fd::AsRawFd;
    let to = nix::sys::socket::SockaddrStorage::from(to);
    nix::sys::socket::bind(sock.as_raw_fd(), &to).unwrap();
}

#[test]
fn connecting() {
    if !subflows_lab::ready() {
        return;
    }
    let net = Net::two_subnets().unwrap();
    net.paths[0].pull_cable().unwrap();
    let _inside = net.client.enter().unwrap();
    for (server, local) in addresses(&net) {
        let connecting =
            Connecting::begin(SocketAddr::new(server, 9), &Connect::new().control(true)).unwrap();
        check("connecting", &connecting.fd(), local, State::Connecting, 0, &CONNECTING);
    }
}

#[test]
fn connected_before_and_after_the_first_byte() {
    if !subflows_lab::ready() {
        return;
    }
    let net = Net::two_subnets().unwrap();
    for (server, local) in addresses(&net) {
        let pair = common::connect(&net, server, &Connect::new().control(true));
        {
            let _inside = net.client.enter().unwrap();
            let status = subflows::status(&pair.client).unwrap();
            assert_eq!((status.is_ready, status.path_manager), (false, PathManager::Userspace));
            // The only subflow is not closed unasked; it may be made backup.
            let mut want = column(Works, Works, Works, NOT_READY, NOT_READY, INVALID);
            want[8] = INVALID;
            check("not ready", &pair.client, local, State::Mptcp, 1, &want);
        }
        pair.make_ready();
        {
            let _inside = net.client.enter().unwrap();
            assert!(subflows::status(&pair.client).unwrap().is_ready);
            let want = column(Works, Works, Works, Works, Works, INVALID);
            check("ready", &pair.client, local, State::Mptcp, 1, &want);
            assert_eq!(subflows::list(&pair.client).unwrap().len(), 1, "the first was closed");
        }
        // The kernel manages the server's side.
        let _inside = net.server.enter().unwrap();
        let status = subflows::status(&pair.server).unwrap();
        assert_eq!((status.is_ready, status.path_manager), (true, PathManager::Kernel));
        wait_until(SOON, "the server has seen the first close", || {
            subflows::list(&pair.server).unwrap().len() == 1
        });
        let kernel = refused(ErrorKind::NotControlled);
        let mut want = column(Works, Works, Works, kernel, kernel, INVALID);
        (want[5], want[8]) = (kernel, INVALID);
        check("accepted", &pair.server, server, State::Mptcp, 1, &want);
        assert!(pair.moves_data());
    }
}

#[test]
fn half_closed_by_either_side() {
    if !subflows_lab::ready() {
        return;
    }
    let net = Net::two_subnets().unwrap();
    for (server, local) in addresses(&net) {
        for who in ["us", "the peer"] {
            let pair = common::connect(&net, server, &Connect::new().control(true));
            pair.make_ready();
            let second = Open::new().local(local);
            net.client.run(|| subflows::open(&pair.client, &second)).unwrap();
            let closer = if who == "us" { &pair.client } else { &pair.server };
            closer.shutdown(Shutdown::Write).unwrap();
            let reader = if who == "us" { &pair.server } else { &pair.client };
            let mut reader: &TcpStream = reader;
            assert_eq!(reader.read(&mut [0]).unwrap(), 0, "the end is seen");
            let _inside = net.client.enter().unwrap();
            let mut want = column(Works, Works, Works, CLOSED, CLOSED, INVALID);
            want[6] = CLOSED;
            check(&format!("half-closed by {who}"), &pair.client, local, State::Mptcp, 2, &want);
        }
    }
}

/// A connection over a wire with a middlebox, after a byte in both directions.
fn behind(net: &Net, ip: IpAddr, middlebox: StripMptcp, switch_on: bool) -> common::Pair {
    net.paths[0].wire().unwrap().add(middlebox.clone());
    let pair = common::connect(net, ip, &Connect::new());
    assert!(pair.moves_data());
    if switch_on {
        middlebox.enable();
        assert!(pair.moves_data());
    }
    pair
}

#[test]
fn fallen_back_at_every_stage() {
    if !subflows_lab::ready() {
        return;
    }
    let stages: [(&str, fn() -> StripMptcp, bool); 3] = [
        ("fell back at the SYN", StripMptcp::from_syn, false),
        ("fell back after the handshake", StripMptcp::after_handshake, false),
        ("fell back after data", StripMptcp::when_enabled, true),
    ];
    for (cell, middlebox, switch_on) in stages {
        for family in 0..2 {
            let net = Net::wires(&[("wire", WireOptions::default())]).unwrap();
            let (server, local) = addresses(&net)[family];
            let pair = behind(&net, server, middlebox(), switch_on);
            {
                let _inside = net.client.enter().unwrap();
                wait_until(SOON, &format!("the client sees: {cell} ({local})"), || {
                    subflows::status(&pair.client).unwrap().state == State::FellBack
                });
                check(cell, &pair.client, local, State::FellBack, 0, &PLAIN);
            }
            let _inside = net.server.enter().unwrap();
            // A server whose client's third segment says nothing of Multipath TCP never had it.
            let state = if cell.ends_with("data") { State::FellBack } else { State::Tcp };
            wait_until(SOON, &format!("the server sees: {cell} ({server})"), || {
                subflows::status(&pair.server).unwrap().state == state
            });
            check(cell, &pair.server, server, state, 0, &PLAIN);
            assert!(pair.moves_data(), "{cell}");
        }
    }
}

#[test]
fn plain_tcp() {
    if !subflows_lab::ready() {
        return;
    }
    let net = Net::two_subnets().unwrap();
    for (server, local) in addresses(&net) {
        let listener = listener(&net, server);
        let address = listener.local_addr().unwrap();
        let client = net.client.run(|| TcpStream::connect(address)).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        net.client.run(|| check("tcp", &client, local, State::Tcp, 0, &PLAIN));
        net.server.run(|| check("accepted tcp", &accepted, server, State::Tcp, 0, &PLAIN));
    }
}

#[test]
fn closed_by_both_reset_or_refused() {
    if !subflows_lab::ready() {
        return;
    }
    let net = Net::two_subnets().unwrap();
    for (server, local) in addresses(&net) {
        for end in ["closed by both", "reset"] {
            let pair = common::connect(&net, server, &Connect::new().control(true));
            pair.make_ready();
            if end == "reset" {
                // Unread data at close makes a reset of it.
                (&pair.client).write_all(b"unread").unwrap();
                pair.server.set_nonblocking(false).unwrap();
                wait_until(SOON, "the data is there", || {
                    pair.server.peek(&mut [0; 6]).is_ok_and(|length| length == 6)
                });
            } else {
                pair.client.shutdown(Shutdown::Write).unwrap();
                assert_eq!((&pair.server).read(&mut [0]).unwrap(), 0);
            }
            let common::Pair { client, server: accepted, .. } = pair;
            drop(accepted);
            let _inside = net.client.enter().unwrap();
            wait_until(SOON, end, || subflows::status(&client).unwrap().state == State::Closed);
            check(end, &client, local, State::Closed, 0, &OVER);
        }
        let nobody = listener(&net, server);
        let address = nobody.local_addr().unwrap();
        drop(nobody);
        let _inside = net.client.enter().unwrap();
        let sock = socket(local);
        use std::os::fd::AsRawFd;
        let to = nix::sys::socket::SockaddrStorage::from(address);
        let refused = nix::sys::socket::connect(sock.as_raw_fd(), &to);
        assert_eq!(refused, Err(nix::errno::Errno::ECONNREFUSED));
        // As good as new: it may be connected again.
        check("refused", &sock, local, State::Unconnected, 0, &UNCONNECTED);
    }
}

#[test]
fn mptcp_that_is_dropped_on_the_way_becomes_tcp() {
    if !subflows_lab::ready() {
        return;
    }
    let net = Net::wires(&[("wire", WireOptions::default())]).unwrap();
    net.paths[0].wire().unwrap().add(DropSegments::mptcp_syns());
    let (server, local) = addresses(&net)[0];
    let pair = common::connect(&net, server, &Connect::new());
    assert!(pair.moves_data());
    net.client.run(|| check("dropped", &pair.client, local, State::FellBack, 0, &PLAIN));
}
