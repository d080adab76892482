//! Without these, a failed `open` gives the wrong reason, takes longer than it may, leaves half a
//! subflow behind, or takes the connection with it.

mod common;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use common::judge::agree;
use common::ways::{self, AT_ONCE, fails, initial, peer, second};
use common::{Pair, child, judge, open_handed, raw};
use nix::sys::socket::{SockaddrStorage, connect};
use subflows::{Connect, ErrorKind, Listen, Open};
use subflows_lab::{DropSegments, Namespace, Net, StripMptcp, WireOptions, ready, skip};

/// Opens what must fail with that kind, before the time is up.
#[track_caller]
fn says(net: &Net, pair: &Pair, options: &Open, kind: ErrorKind) {
    let (error, elapsed) = fails(net, pair, options);
    assert_eq!(error.kind(), kind, "{options:?}: {error}");
    assert!(elapsed < Duration::from_secs(4), "it took {elapsed:?}: {error}");
}

fn two_subnets() -> Net {
    open_handed(Net::two_subnets().unwrap())
}

fn two_wires() -> Net {
    let perfect = WireOptions::default();
    open_handed(Net::wires(&[("wifi", perfect), ("lte", perfect)]).unwrap())
}

/// An address of the server at which nobody listens.
fn closed_port(net: &Net, ip: IpAddr) -> SocketAddr {
    net.server.run(|| TcpListener::bind((ip, 0)).unwrap().local_addr().unwrap())
}

#[test]
fn a_closed_port_refuses() {
    if !ready() {
        return;
    }
    for net in [Net::two_subnets(), Net::laptop(), Net::far()] {
        let net = open_handed(net.unwrap());
        for pair in ways::controlled(&net) {
            let closed = closed_port(&net, peer(&pair).ip());
            let options = second(&net, &pair).remote(closed);
            says(&net, &pair, &options, ErrorKind::Refused);
            assert!(net.client.run(|| subflows::open(&pair.client, &second(&net, &pair))).is_ok());
        }
    }
}

#[test]
fn a_listener_without_multipath_refuses() {
    if !ready() {
        return;
    }
    let net = two_subnets();
    for pair in ways::controlled(&net) {
        let ip = peer(&pair).ip();
        let plain = net.server.run(|| TcpListener::bind((ip, 0))).unwrap();
        let options = second(&net, &pair).remote(plain.local_addr().unwrap());
        says(&net, &pair, &options, ErrorKind::Refused);
    }
}

#[test]
fn a_black_hole_times_out() {
    if !ready() {
        return;
    }
    let filtered = two_wires();
    filtered.paths[1].wire().unwrap().add(DropSegments::join_syns());
    let pulled = [Net::two_subnets(), Net::laptop(), Net::far()].map(|net| {
        let net = open_handed(net.unwrap());
        ways::pull_cable(&net, 1);
        net
    });
    for net in pulled.iter().chain([&filtered]) {
        for pair in ways::controlled(net) {
            for limit in [Duration::ZERO, Duration::from_millis(300)] {
                let (error, elapsed) = fails(net, &pair, &second(net, &pair).timeout(limit));
                assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
                assert!(elapsed >= limit, "it gave up after {elapsed:?}");
            }
            agree(&net.client, &pair.client, &initial(&pair));
        }
    }
}

#[test]
fn the_peers_limit_is_the_peers() {
    if !ready() {
        return;
    }
    for net in [Net::two_subnets(), Net::laptop()] {
        let net = net.unwrap();
        net.server.ip(&["mptcp", "limits", "set", "subflows", "0"]).unwrap();
        for pair in ways::controlled(&net) {
            says(&net, &pair, &second(&net, &pair), ErrorKind::PeerLimit);
        }
    }
}

/// Addresses that no host has, of the family of the pair's peer.
fn nowhere(pair: &Pair) -> IpAddr {
    match peer(pair) {
        SocketAddr::V4(_) => Ipv4Addr::new(198, 51, 100, 99).into(),
        SocketAddr::V6(_) => Ipv6Addr::new(0x2001, 0xdb8, 0x999, 0, 0, 0, 0, 1).into(),
    }
}

#[test]
fn without_a_route_it_is_unreachable() {
    if !ready() {
        return;
    }
    let net = two_subnets();
    for family in ["-4", "-6"] {
        for path in &net.paths {
            let device = path.client_interface.as_str();
            net.client.ip(&[family, "route", "del", "default", "dev", device]).unwrap();
        }
    }
    // Bound to an interface, IPv4 takes any address for a neighbour, and waits for its answer.
    let device = net.paths[1].client_interface.as_str();
    let probes = format!("net/ipv4/neigh/{device}/retrans_time_ms");
    net.client.set_sysctl(&probes, "100").unwrap();
    for pair in ways::controlled(&net) {
        let remote = (nowhere(&pair), 0);
        let by_address = second(&net, &pair).remote(remote);
        says(&net, &pair, &by_address, ErrorKind::Unreachable);
        let by_route = by_address.unbound(true);
        says(&net, &pair, &by_route, ErrorKind::Unreachable);
        let by_name = Open::new().interface(device).remote(remote);
        says(&net, &pair, &by_name, ErrorKind::Unreachable);
        // A network's broadcast address is nobody's.
        if peer(&pair).is_ipv4() {
            let everybody = Open::new().remote((Ipv4Addr::BROADCAST, 0));
            says(&net, &pair, &everybody, ErrorKind::Unreachable);
        }
    }
}

#[test]
fn what_a_router_says_is_heard() {
    if !ready() {
        return;
    }
    let net = open_handed(Net::laptop().unwrap());
    for pair in ways::controlled(&net) {
        let nowhere = nowhere(&pair);
        net.routers[1].ip(&["route", "replace", "unreachable", &nowhere.to_string()]).unwrap();
        let options = second(&net, &pair).remote((nowhere, 0));
        says(&net, &pair, &options, ErrorKind::Unreachable);
    }
}

#[test]
fn an_address_that_is_not_ours_is_not_available() {
    if !ready() {
        return;
    }
    let net = two_subnets();
    for pair in ways::controlled(&net) {
        let strangers: [IpAddr; 2] = match peer(&pair).ip() {
            IpAddr::V4(v4) => [Ipv4Addr::new(192, 0, 2, 77).into(), v4.into()],
            IpAddr::V6(v6) => [Ipv6Addr::new(0x2001, 0xdb8, 0, 9, 0, 0, 0, 9).into(), v6.into()],
        };
        for stranger in strangers {
            let options = Open::new().local(stranger);
            says(&net, &pair, &options, ErrorKind::AddressNotAvailable);
        }
    }
}

#[test]
fn an_interface_that_is_not_there_is_not_available() {
    if !ready() {
        return;
    }
    let net = two_subnets();
    for pair in ways::controlled(&net) {
        for name in ["nowhere0", "", "eth\0", "eth1\0"] {
            let options = Open::new().interface(name);
            says(&net, &pair, &options, ErrorKind::AddressNotAvailable);
        }
        let long = Open::new().interface("i".repeat(300));
        says(&net, &pair, &long, ErrorKind::InvalidArgument);
    }
}

#[test]
fn an_interface_without_an_address_of_the_family_is_not_available() {
    if !ready() {
        return;
    }
    let net = two_subnets();
    for pair in ways::controlled(&net) {
        let device = net.paths[1].client_interface.as_str();
        let family = if peer(&pair).is_ipv4() { "-4" } else { "-6" };
        net.client.ip(&[family, "address", "flush", "dev", device]).unwrap();
        let options = Open::new().interface(device);
        says(&net, &pair, &options, ErrorKind::AddressNotAvailable);
    }
}

#[test]
fn ends_that_cannot_be_are_invalid() {
    if !ready() {
        return;
    }
    let net = two_subnets();
    let [v4, v6]: [IpAddr; 2] = [net.paths[1].client_v4.into(), net.paths[1].client_v6.into()];
    let [to_v4, to_v6] = net.paths[1].server_ips().map(|ip| SocketAddr::new(ip, 0));
    for pair in ways::controlled(&net) {
        let is_v4 = peer(&pair).is_ipv4();
        let (ours, theirs) = if is_v4 { (v4, v6) } else { (v6, v4) };
        let invalid = |options: Open| says(&net, &pair, &options, ErrorKind::InvalidArgument);
        invalid(Open::new().local(theirs));
        invalid(Open::new().local(v4).remote(to_v6));
        invalid(Open::new().local(v6).remote(to_v4));
        for nobody in ["0.0.0.0", "::", "::ffff:0.0.0.0", "224.0.0.1", "239.1.2.3", "ff02::1"] {
            let nobody: IpAddr = nobody.parse().unwrap();
            invalid(Open::new().remote((nobody, 0)));
            invalid(Open::new().local(ours).remote((nobody, peer(&pair).port())));
            invalid(Open::new().local(nobody));
        }
        // A socket of IPv4 has no room for the other family.
        if pair.client.local_addr().unwrap().is_ipv4() {
            let remote = SocketAddr::new(to_v6.ip(), peer(&pair).port());
            invalid(Open::new().local(v6).remote(remote));
        }
    }
}

#[test]
fn a_socket_for_ipv6_alone_takes_no_ipv4() {
    if !ready() {
        return;
    }
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
    let (server, _) = listener.accept().unwrap();
    let pair = Pair { client, server, listener };
    pair.make_ready();
    let options = Open::new().local(net.paths[1].client_v4).remote((to_v4, address.port()));
    says(&net, &pair, &options, ErrorKind::InvalidArgument);
}

#[test]
fn a_local_address_of_many_is_nobodys() {
    if !ready() {
        return;
    }
    let net = two_subnets();
    let pair = &ways::controlled(&net)[0];
    // The kernel lets a socket be bound to it, and then sends from another.
    let [a, b, c, _] = net.paths[1].client_v4.octets();
    let options = Open::new().local(Ipv4Addr::new(a, b, c, 255));
    says(&net, pair, &options, ErrorKind::AddressNotAvailable);
    says(&net, pair, &Open::new().local(Ipv4Addr::BROADCAST), ErrorKind::InvalidArgument);
}

#[test]
fn under_the_kernels_path_manager_it_is_not_controlled() {
    if !ready() {
        return;
    }
    let net = two_subnets();
    for pair in ways::connected(&net, &Connect::new()) {
        for _ in 0..2 {
            says(&net, &pair, &second(&net, &pair), ErrorKind::NotControlled);
            let unlike = Open::new().interface(net.paths[1].client_interface.as_str());
            says(&net, &pair, &unlike, ErrorKind::NotControlled);
        }
        let theirs = net.server.run(|| subflows::open(&pair.server, &Open::new()));
        assert_eq!(theirs.unwrap_err().kind(), ErrorKind::NotControlled);
        assert!(pair.moves_data());
    }
}

/// Opens on a connection that is plain TCP.
#[track_caller]
fn says_not_mptcp(net: &Net, pair: &Pair) {
    let options = Open::new().local(net.paths[1].client_ip(peer(pair).ip()));
    for (namespace, sock) in [(&net.client, &pair.client), (&net.server, &pair.server)] {
        let start = Instant::now();
        let error = namespace.run(|| subflows::open(sock, &options)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotMptcp, "{error}");
        assert!(start.elapsed() < AT_ONCE);
        assert!(pair.moves_data());
    }
    assert!(!raw::is_mptcp(&pair.client) && !raw::is_mptcp(&pair.server));
}

#[test]
fn what_fell_back_is_not_mptcp() {
    if !ready() {
        return;
    }
    for strip in [StripMptcp::from_syn, StripMptcp::after_handshake] {
        let net = two_wires();
        let strip = strip();
        net.paths[0].wire().unwrap().add(strip.clone());
        for pair in ways::connected(&net, &Connect::new().control(true)) {
            // With the first data both ends notice.
            pair.make_ready();
            says_not_mptcp(&net, &pair);
        }
        assert!(strip.stripped() > 0);
    }
}

#[test]
fn plain_tcp_is_not_mptcp() {
    if !ready() {
        return;
    }
    let net = two_subnets();
    for (listen, to) in ways::ways(&net) {
        for (is_client_plain, is_server_plain) in [(true, false), (false, true), (true, true)] {
            let listen = SocketAddr::new(listen, 0);
            let listener = net.server.run(|| match is_server_plain {
                true => TcpListener::bind(listen).unwrap(),
                false => subflows::listen(listen, &Listen::new()).unwrap(),
            });
            let address = SocketAddr::new(to, listener.local_addr().unwrap().port());
            let client = net.client.run(|| match is_client_plain {
                true => TcpStream::connect(address).unwrap(),
                false => subflows::connect(address, &Connect::new().control(true)).unwrap(),
            });
            let (server, _) = listener.accept().unwrap();
            says_not_mptcp(&net, &Pair { client, server, listener });
        }
    }
}

/// A helper of the next test: its standard input is a connection that is ready.
#[test]
#[ignore = "a helper of another test"]
fn helper_that_may_not_open() {
    if !child::is_child() {
        return;
    }
    let error = subflows::open(&io::stdin(), &Open::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotPermitted, "{error}");
    assert!(!error.remedy().is_empty());
    // What needs no right still works.
    assert_eq!(subflows::list(&io::stdin()).unwrap().len(), 1);
}

#[test]
fn without_the_right_it_is_not_permitted() {
    if !ready() {
        return;
    }
    let net = two_subnets();
    for pair in ways::controlled(&net) {
        let inherited = OwnedFd::from(pair.client.try_clone().unwrap());
        let mut command = child::helper_without_rights("helper_that_may_not_open");
        let child = net.client.run(|| command.stdin(inherited).spawn());
        let Ok(child) = child else { return skip("there is no other user here") };
        assert!(child::Guarded(child).0.wait().unwrap().success());
        assert_eq!(judge::by_ss(&net.client, judge::token(&pair.client)), initial(&pair));
        assert!(pair.moves_data());
    }
}

#[test]
fn from_another_namespace_it_says_so() {
    if !ready() {
        return;
    }
    let net = two_subnets();
    for pair in ways::controlled(&net) {
        for elsewhere in [&net.server, &Namespace::new().unwrap()] {
            let error = elsewhere.run(|| subflows::open(&pair.client, &second(&net, &pair)));
            assert_eq!(error.unwrap_err().kind(), ErrorKind::OtherNamespace);
        }
        assert_eq!(judge::by_ss(&net.client, judge::token(&pair.client)), initial(&pair));
        assert!(pair.moves_data());
    }
}

#[test]
fn before_the_first_byte_it_is_not_ready() {
    if !ready() {
        return;
    }
    for net in [Net::two_subnets(), Net::laptop(), Net::far()] {
        let net = open_handed(net.unwrap());
        for pair in ways::connected(&net, &Connect::new().control(true)) {
            let _entered = net.client.enter().unwrap();
            for options in [Open::new(), second(&net, &pair)] {
                // What a busy machine adds it does not add every time.
                let quickest = (0..5).map(|_| {
                    let start = Instant::now();
                    let error = subflows::open(&pair.client, &options).unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::NotReady, "{error}");
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
    if !ready() {
        return;
    }
    let net = two_subnets();
    for pair in ways::controlled(&net) {
        let local = net.paths[1].client_ip(peer(&pair).ip());
        let holder = net.client.run(|| TcpListener::bind((local, 0))).unwrap();
        let taken = second(&net, &pair).local_port(holder.local_addr().unwrap().port());
        says(&net, &pair, &taken, ErrorKind::AddressNotAvailable);
        drop(holder);
        // By a subflow of the same connection, which must survive.
        let first = net.client.run(|| subflows::open(&pair.client, &taken)).unwrap();
        assert_eq!(first.local.port(), taken.local_port);
        says(&net, &pair, &taken, ErrorKind::AddressNotAvailable);
        let mut expected = initial(&pair);
        expected.insert((first.local, first.remote));
        agree(&net.client, &pair.client, &expected);
    }
}
