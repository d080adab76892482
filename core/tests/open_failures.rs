//! Errors of `open` that no scenario covers: unusual arguments and sockets. Each must leave the
//! connection as it was.

mod common;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use common::ways::{self, fails, peer, second};
use common::{Pair, close_listener, expect_error, networks, open_handed, raw, without_listener};
use nix::sys::socket::{SockaddrStorage, connect};
use subflows::{Connect, Connecting, ErrorKind, Listen, Open};
use subflows_lab::{Net, skip_unless_ready};

/// Checks that `open` fails with this kind, well before its timeout.
#[track_caller]
fn fails_with(net: &Net, pair: &Pair, options: &Open, kind: ErrorKind) {
    let (error, elapsed) = fails(net, pair, options);
    assert_eq!(error.kind(), kind, "{options:?}: {error}");
    assert!(elapsed < Duration::from_secs(4), "it took {elapsed:?}: {error}");
}

fn two_subnets() -> Net {
    open_handed(Net::two_subnets().unwrap())
}

#[test]
fn an_impossible_name_of_an_interface_is_not_available() {
    skip_unless_ready!();
    let net = two_subnets();
    for pair in ways::controlled(&net) {
        for name in ["", "eth\0", "eth1\0", "eth1:1"] {
            let options = Open::new().interface(name);
            fails_with(&net, &pair, &options, ErrorKind::AddressNotAvailable);
        }
        let long = Open::new().interface("i".repeat(300));
        fails_with(&net, &pair, &long, ErrorKind::InvalidArgument);
    }
}

#[test]
fn the_broadcast_address_is_not_the_address_of_a_host() {
    skip_unless_ready!();
    let net = two_subnets();
    for pair in ways::controlled(&net).iter().filter(|pair| peer(pair).is_ipv4()) {
        let from_it = Open::new().local(Ipv4Addr::BROADCAST);
        fails_with(&net, pair, &from_it, ErrorKind::InvalidArgument);
        let to_it = Open::new().remote((Ipv4Addr::BROADCAST, 0));
        fails_with(&net, pair, &to_it, ErrorKind::Unreachable);
    }
}

#[test]
fn a_socket_for_ipv6_alone_takes_no_ipv4() {
    skip_unless_ready!();
    let net = two_subnets();
    let [to_v4, to_v6] = net.paths[0].server_ips();
    let listener =
        net.server.run(|| subflows::listen(SocketAddr::new(to_v6, 0), &Listen::new())).unwrap();
    let address = listener.local_addr().unwrap();
    let client = net.client.run(|| {
        let sock = subflows::socket(address).unwrap();
        raw::set_i32(&sock, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1).unwrap();
        subflows::take_control(&sock).unwrap();
        connect(sock.as_raw_fd(), &SockaddrStorage::from(address)).unwrap();
        TcpStream::from(sock)
    });
    let pair = Pair::accept(client, listener);
    pair.make_ready();
    let options = Open::new().local(net.paths[1].client_v4).remote((to_v4, address.port()));
    fails_with(&net, &pair, &options, ErrorKind::InvalidArgument);
}

#[test]
fn before_the_first_byte_it_is_not_ready() {
    skip_unless_ready!();
    for net in networks() {
        for pair in ways::connected(&net, &Connect::new().control(true)) {
            let _entered = net.client.enter().unwrap();
            for options in [Open::new(), second(&net, &pair)] {
                // A busy machine may delay one attempt, but not all.
                let quickest = (0..5).map(|_| {
                    let start = Instant::now();
                    expect_error(subflows::open(&pair.client, &options), ErrorKind::NotReady);
                    start.elapsed()
                });
                let quickest = quickest.min().unwrap();
                assert!(quickest < Duration::from_millis(100), "{quickest:?}");
            }
            assert!(pair.moves_data());
            assert!(subflows::open(&pair.client, &second(&net, &pair)).is_ok());
        }
    }
}

#[test]
fn a_local_port_that_is_taken_is_not_available() {
    skip_unless_ready!();
    let net = two_subnets();
    for pair in ways::controlled(&net) {
        let local = net.paths[1].client_ip(peer(&pair).ip());
        let holder = net.client.run(|| TcpListener::bind((local, 0))).unwrap();
        let taken = second(&net, &pair).local_port(holder.local_addr().unwrap().port());
        fails_with(&net, &pair, &taken, ErrorKind::AddressNotAvailable);
        close_listener(&net.client, holder);
        net.client.run(|| subflows::open(&pair.client, &taken)).unwrap();
    }
}

/// While the connection was being established, more events came than the kernel's buffer had room for.
#[test]
fn a_flag_of_the_peer_was_lost_among_the_events_of_others() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
    net.server.set_sysctl("net.mptcp.allow_join_initial_addr_port", "0").unwrap();
    for to in net.paths[0].server_ips() {
        let listener = net.server.run(|| subflows::listen((to, 0), &Listen::new())).unwrap();
        let to = listener.local_addr().unwrap();
        let _entered = net.client.enter().unwrap();
        let mut connecting = Connecting::begin(&[to], &Connect::new().control(true)).unwrap();
        // Each is two events. Together they are more than the kernel's usual buffer holds, and less than the library's.
        for _ in 0..400 {
            subflows::listen("127.0.0.1:0", &Listen::new()).unwrap();
        }
        while !connecting.advance().unwrap() {
            connecting.wait().unwrap();
        }
        let client = connecting.finish().unwrap();
        let (server, _) = listener.accept().unwrap();
        let pair = Pair { client, server, listener };
        pair.make_ready();
        let error = subflows::open(&pair.client, &Open::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PeerLimit, "{error}");
    }
}

/// The ports of further subflows were those of the whole namespace.
#[test]
fn the_ports_of_subflows_are_in_the_range_of_the_socket() {
    skip_unless_ready!();
    const RANGE: std::ops::RangeInclusive<u16> = 40_000..=40_009;
    let net = open_handed(Net::two_subnets().unwrap());
    for to in net.paths[0].server_ips() {
        let listener = net.server.run(|| subflows::listen((to, 0), &Listen::new())).unwrap();
        let _entered = net.client.enter().unwrap();
        let client = subflows::socket(SocketAddr::new(to, 0)).unwrap();
        let range = i32::from(*RANGE.start()) | i32::from(*RANGE.end()) << 16;
        if raw::set_i32(&client, libc::IPPROTO_IP, raw::IP_LOCAL_PORT_RANGE, range).is_err() {
            return subflows_lab::skip("this kernel has no IP_LOCAL_PORT_RANGE");
        }
        subflows::take_control(&client).unwrap();
        raw::connect(&client, listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let pair = Pair { client: client.into(), server, listener };
        pair.make_ready();
        for _ in 0..3 {
            let extra = subflows::open(&pair.client, &Open::new()).unwrap();
            let port = extra.local.port();
            assert!(RANGE.contains(&port), "{port}");
        }
    }
}

/// The kernel keeps the address id of a subflow that was refused. There are 255.
#[test]
fn more_subflows_are_refused_than_there_are_address_ids() {
    skip_unless_ready!();
    let net = two_subnets();
    for pair in ways::controlled(&net) {
        let closed = without_listener(&net.server, peer(&pair).ip());
        let _entered = net.client.enter().unwrap();
        for _ in 0..300 {
            let error = subflows::open(&pair.client, &second(&net, &pair).remote(closed));
            expect_error(error, ErrorKind::Refused);
        }
        assert!(subflows::open(&pair.client, &second(&net, &pair)).is_ok());
        assert!(pair.moves_data());
    }
}
