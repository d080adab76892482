//! Connections that were to be Multipath TCP and are not: wherever, and whenever, it was lost.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use subflows::{Connect, ErrorKind, Listen, PathManager, State};
use subflows_lab::{DropSegments, Net, StripMptcp, WireOptions, oracle, ready, wait_until};

use crate::common::{Pair, SOON, raw, userspace};
use crate::{Cell, Column};

/// Who lost it, and the kernel's counter that says so at the client or at the server.
struct Case {
    what: &'static str,
    /// What the middlebox in between does.
    strip: Option<fn() -> StripMptcp>,
    drop: Option<fn() -> DropSegments>,
    /// It is switched on once a byte went each way.
    is_late: bool,
    /// The server listens by plain TCP, or the client connects by it.
    is_plain: [bool; 2],
    /// What either end then is.
    states: [State; 2],
    /// A counter that must have counted, at the client or at the server.
    counted: Option<(usize, &'static str)>,
}

const CASE: Case = Case {
    what: "",
    strip: None,
    drop: None,
    is_late: false,
    is_plain: [false, false],
    states: [State::FellBack, State::Tcp],
    counted: None,
};

const CASES: [Case; 6] = [
    Case {
        what: "stripped from the SYN",
        strip: Some(StripMptcp::from_syn),
        counted: Some((0, "MPTcpExtMPCapableFallbackSYNACK")),
        ..CASE
    },
    Case {
        what: "the server has none",
        is_plain: [false, true],
        counted: Some((0, "MPTcpExtMPCapableFallbackSYNACK")),
        ..CASE
    },
    Case {
        what: "the client has none",
        is_plain: [true, false],
        states: [State::Tcp, State::Tcp],
        ..CASE
    },
    Case {
        what: "stripped after the handshake",
        strip: Some(StripMptcp::after_handshake),
        counted: Some((1, "MPTcpExtMPCapableFallbackACK")),
        ..CASE
    },
    Case {
        what: "stripped after data",
        strip: Some(StripMptcp::when_enabled),
        is_late: true,
        states: [State::FellBack, State::FellBack],
        ..CASE
    },
    Case {
        what: "the SYN is dropped until it asks for TCP",
        drop: Some(DropSegments::mptcp_syns),
        counted: Some((0, "MPTcpExtMPCapableSYNTXDrop")),
        ..CASE
    },
];

#[test]
fn wherever_it_was_lost_it_is_plain_tcp() {
    if !ready() {
        return;
    }
    std::thread::scope(|scope| {
        for case in &CASES {
            for family in [0, 1] {
                for control in [false, true] {
                    scope.spawn(move || lose(case, family, control));
                }
            }
        }
    });
}

fn lose(case: &Case, family: usize, control: bool) {
    let net = Net::wires(&[("wire", WireOptions::default())]).unwrap();
    let (to, local) = (net.paths[0].server_ips()[family], net.paths[0].server_ips()[family]);
    let local = net.paths[0].client_ip(local);
    let what = format!("{}, {to}, control {control}", case.what);
    if control {
        userspace(&net.server);
    }
    let wire = net.paths[0].wire().unwrap();
    let strip = case.strip.map(|new| new());
    if let Some(strip) = &strip {
        wire.add(strip.clone());
    }
    if let Some(drop) = case.drop {
        wire.add(drop());
    }
    let pair = connect(&net, SocketAddr::new(to, 0), case, control);
    assert!(pair.moves_data(), "{what}");
    if case.is_late {
        assert!(raw::is_mptcp(&pair.client) && raw::is_mptcp(&pair.server), "{what}");
        strip.unwrap().enable();
        assert!(pair.moves_data(), "{what}");
    }
    let ends = [(&net.client, &pair.client, local), (&net.server, &pair.server, to)];
    for ((namespace, sock, ip), state) in ends.into_iter().zip(case.states) {
        wait_until(SOON, &what, || !raw::is_mptcp(sock));
        Cell::new(&what, namespace, sock, ip).is(&Column::tcp(state));
        assert!(pair.moves_data(), "{what}");
    }
    if let Some((end, counter)) = case.counted {
        assert!(oracle::nstat(ends[end].0, counter) > 0, "{what}: {counter}");
    }
    // Also while it ends, and when it has ended.
    for (shut, read) in [(&pair.client, &pair.server), (&pair.server, &pair.client)] {
        shut.shutdown(Shutdown::Write).unwrap();
        let mut read: &TcpStream = read;
        assert_eq!(read.read(&mut [0]).unwrap(), 0, "{what}");
        for ((namespace, sock, _), state) in ends.into_iter().zip(case.states) {
            let _entered = namespace.enter().unwrap();
            assert_eq!(subflows::status(sock).unwrap().state, state, "{what}");
            let error = subflows::list(sock).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotMptcp, "{what}: {error}");
        }
    }
}

fn connect(net: &Net, listen: SocketAddr, case: &Case, control: bool) -> Pair {
    let [client_is_plain, server_is_plain] = case.is_plain;
    let listener = net.server.run(|| match server_is_plain {
        true => TcpListener::bind(listen).unwrap(),
        false => subflows::listen(listen, &Listen::new()).unwrap(),
    });
    let to = listener.local_addr().unwrap();
    let client = net.client.run(|| match client_is_plain {
        true => TcpStream::connect(to).unwrap(),
        false => subflows::connect(to, &Connect::new().control(control)).unwrap(),
    });
    let (server, _) = listener.accept().unwrap();
    for stream in [&client, &server] {
        stream.set_read_timeout(Some(SOON)).unwrap();
    }
    Pair { client, server, listener }
}

#[test]
fn what_fell_back_can_be_taken_up_again() {
    if !ready() {
        return;
    }
    let net = Net::two_subnets().unwrap();
    for to in net.paths[0].server_ips() {
        let plain = net.server.run(|| TcpListener::bind((to, 0))).unwrap();
        let plain_to = plain.local_addr().unwrap();
        let client = net.client.run(|| subflows::connect(plain_to, &Connect::new())).unwrap();
        let (mut server, _) = plain.accept().unwrap();
        assert_eq!(subflows::status(&client).unwrap().state, State::FellBack);
        (&client).write_all(b"?").unwrap();
        server.read_exact(&mut [0]).unwrap();
        // What the kernel makes of a socket that is told to start anew is for it to say.
        let sock = OwnedFd::from(client);
        net.client.run(|| raw::disconnect(&sock)).unwrap();
        let status = net.client.run(|| subflows::status(&sock)).unwrap();
        let is_mptcp = raw::is_mptcp(&sock);
        let expected = if is_mptcp { State::Unconnected } else { State::FellBack };
        assert_eq!(status.state, expected, "{status:?}");
        assert_eq!(status.path_manager == PathManager::Kernel, is_mptcp, "{status:?}");
    }
}
