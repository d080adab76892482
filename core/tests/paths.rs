//! Which interface and which address a subflow takes: on hosts with more than one of each.

mod common;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use common::ways::{self, fails};
use common::{Pair, connect, connect_from_to, controlled, expect_error, is_without, open_handed};
use subflows::{Announce, Connect, ErrorKind, Listen, Open, Subflow};
use subflows_lab::{Net, Path, ignores_interfaces, skip_unless_ready};

const CONTROL: fn() -> Connect = || Connect::new().control(true);

fn addresses() -> Net {
    open_handed(Net::addresses().unwrap())
}

fn open(net: &Net, pair: &Pair, options: &Open) -> Subflow {
    let opened = net.client.run(|| subflows::open(&pair.client, options));
    opened.unwrap_or_else(|error| panic!("{options:?}: {error}"))
}

/// A controlled connection to a server that listens on every address of that family.
fn from_any(net: &Net, listen: IpAddr, to: IpAddr) -> Pair {
    let any = if listen.is_ipv4() { "0.0.0.0" } else { "::" }.parse().unwrap();
    let pair = connect_from_to(&net.client, &net.server, any, to, &CONTROL());
    pair.make_ready();
    pair
}

/// Opens a subflow that becomes possible a moment later.
fn open_before(
    net: &Net,
    pair: &Pair,
    options: &Open,
    late: impl Fn() -> io::Result<String>,
) -> Subflow {
    thread::scope(|scope| {
        let opening = scope.spawn(|| open(net, pair, options));
        thread::sleep(Duration::from_millis(300));
        late().unwrap();
        opening.join().unwrap()
    })
}

/// Checks that `open` fails at once, and that the error contains these words.
#[track_caller]
fn fails_at_once(net: &Net, pair: &Pair, options: &Open, kind: ErrorKind, words: &[&str]) {
    let (error, elapsed) = fails(net, pair, options);
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    assert!(words.iter().all(|word| text.contains(word)), "{text}");
    assert!(elapsed < Duration::from_secs(1), "{elapsed:?}");
}

/// The interface that a subflow is bound to.
fn bound_to(net: &Net, pair: &Pair, subflow: &Subflow) -> Option<String> {
    let details = net.client.run(|| subflows::details(&pair.client, subflow.id)).unwrap();
    details.interface.map(|name| name.to_string())
}

/// The interface by which a subflow leaves. On a kernel that binds no subflow, it is that of the route from
/// its address.
fn interface(net: &Net, pair: &Pair, subflow: &Subflow) -> Option<String> {
    let bound = bound_to(net, pair, subflow);
    if bound.is_some() || !ignores_interfaces() {
        return bound;
    }
    net.route_interface(subflow.local.ip(), subflow.remote.ip()).unwrap()
}

/// A controlled connection over link-local addresses, by the interface of a path.
fn link_local(net: &Net, path: &Path) -> Pair {
    let to = path.server_end(path.server_v6.into(), 0).unwrap();
    let listener = net.server.run(|| subflows::listen("[::]:0", &Default::default())).unwrap();
    let port = listener.local_addr().unwrap().port();
    let to = with_port(to, port);
    let client = net.client.run(|| subflows::connect(to, &CONTROL())).unwrap();
    let pair = Pair::accept(client, listener);
    pair.make_ready();
    pair
}

fn with_port(mut address: SocketAddr, port: u16) -> SocketAddr {
    address.set_port(port);
    address
}

#[test]
fn a_unique_local_address_does_not_leave_for_a_global_peer() {
    skip_unless_ready!();
    let net = addresses();
    let path = &net.paths[1];
    for pair in ways::controlled(&net) {
        let peer = ways::peer(&pair).ip();
        let subflow = open(&net, &pair, &Open::new().interface(&path.client_interface));
        assert_eq!(subflow.local.ip(), path.client_ip(peer));
        assert_eq!(interface(&net, &pair, &subflow).as_ref(), Some(&path.client_interface));
    }
}

#[test]
fn the_route_of_the_interface_chooses_the_source_address() {
    skip_unless_ready!();
    let net = addresses();
    let path = &net.paths[1];
    let other = Ipv4Addr::new(10, 0, 2, 9);
    net.client
        .ip_batch(&format!(
            "address add {other}/24 dev {0}\n\
             route change default via {1} dev {0} metric 101 src {other}\n",
            path.client_interface, path.server_v4,
        ))
        .unwrap();
    net.add_rule(other.into(), path.server_v4.into(), &path.client_interface).unwrap();
    let pair = controlled(&net, net.paths[0].server_v4.into());
    let subflow = open(&net, &pair, &Open::new().interface(&path.client_interface));
    assert_eq!(subflow.local.ip(), other);
}

#[test]
fn an_address_of_the_whole_host_leaves_by_the_routing_table() {
    skip_unless_ready!();
    let net = addresses();
    let [v4, v6]: [IpAddr; 2] = ["10.55.0.1".parse().unwrap(), "2001:db8:55::1".parse().unwrap()];
    let [to_v4, to_v6] = net.paths[0].server_ips();
    for (local, to) in [(v4, to_v4), (v6, to_v6)] {
        // As the initial subflow, and from an address that is given.
        let pair = connect(&net, to, &CONTROL().local((local, 0)));
        pair.make_ready();
        let subflow = open(&net, &pair, &Open::new());
        assert_eq!((subflow.local.ip(), bound_to(&net, &pair, &subflow)), (local, None));
        let pair = controlled(&net, to);
        let subflow = open(&net, &pair, &Open::new().local(local));
        assert_eq!((subflow.local.ip(), bound_to(&net, &pair, &subflow)), (local, None));
        // The peer reaches the port that is announced with it.
        if local.is_ipv4() {
            let announce = Announce::new().port(0);
            let here = net.client.run(|| subflows::announce(&pair.client, local, &announce));
            let here = here.unwrap();
            net.server.run(|| std::net::TcpStream::connect(here.address())).unwrap();
        }
    }
}

#[test]
fn an_address_on_two_interfaces_leaves_by_the_one_that_leads_to_the_peer() {
    skip_unless_ready!();
    let net = addresses();
    let shared: IpAddr = "10.66.0.1".parse().unwrap();
    let pair = controlled(&net, net.paths[0].server_v4.into());
    // Both lead to the peer's address. The routing table takes the first.
    net.server
        .ip_batch(&format!("route add 10.66.0.1/32 via {} dev net0\n", net.paths[0].client_v4))
        .unwrap();
    let subflow = open(&net, &pair, &Open::new().local(shared));
    let first = &net.paths[0].client_interface;
    assert_eq!(interface(&net, &pair, &subflow).as_ref(), Some(first));
    // It takes a third one.
    net.client.ip_batch(&format!("route add {}/32 dev vip\n", net.paths[0].server_v4)).unwrap();
    let options = Open::new().local(shared);
    fails_at_once(&net, &pair, &options, ErrorKind::InvalidArgument, &["eth0", "eth1"]);
}

#[test]
fn a_remote_address_alone_leaves_by_the_routing_table() {
    skip_unless_ready!();
    let net = addresses();
    let path = &net.paths[1];
    for (listen, to) in ways::ways(&net) {
        let pair = from_any(&net, listen, to);
        let peer = ways::peer(&pair).ip();
        let remote = if peer.is_ipv4() { path.server_ips()[0] } else { path.server_ips()[1] };
        let subflow = open(&net, &pair, &Open::new().remote((remote, 0)));
        assert_eq!(subflow.local.ip(), path.client_ip(remote));
        assert_eq!(interface(&net, &pair, &subflow).as_ref(), Some(&path.client_interface));
    }
}

#[test]
fn control_together_with_an_interface_keeps_the_initial_id() {
    skip_unless_ready!();
    let net = addresses();
    let path = &net.paths[0];
    for to in path.server_ips() {
        let pair = connect(&net, to, &CONTROL().interface(&path.client_interface));
        pair.make_ready();
        let initial = &net.client.run(|| subflows::list(&pair.client)).unwrap()[0];
        let details = net.client.run(|| subflows::details(&pair.client, initial.id)).unwrap();
        assert!(initial.id == 1 || is_without("full_info"), "{initial:?}");
        // Old kernels (Linux 6.1) assign another one under `userspace`.
        assert!(details.local_address_id == 0 || is_without("full_info"), "{details:?}");
    }
}

#[test]
fn an_address_that_is_still_tentative_is_waited_for() {
    skip_unless_ready!();
    let net = addresses();
    let path = &net.paths[1];
    let pair = controlled(&net, net.paths[0].server_v6.into());
    // An address that never becomes usable: the error names it at the timeout.
    let tentative: IpAddr = "2001:db8:2::7".parse().unwrap();
    let options = Open::new().local(tentative).timeout(Duration::from_millis(300));
    let (error, elapsed) = fails(&net, &pair, &options);
    assert_eq!(error.kind(), ErrorKind::AddressNotAvailable, "{error}");
    assert!(error.to_string().contains("2001:db8:2::7"), "{error}");
    assert!(elapsed >= Duration::from_millis(300), "{elapsed:?}");
    // The right one comes in a moment, by a check of a second.
    let device = &path.client_interface;
    net.client.ip(&["-6", "address", "flush", "dev", device, "scope", "global"]).unwrap();
    for (setting, value) in [("accept_dad", "1"), ("dad_transmits", "1")] {
        net.client.set_sysctl(&format!("net/ipv6/conf/{device}/{setting}"), value).unwrap();
    }
    net.client
        .ip_batch(&format!(
            "address add {}/64 dev {device}\nroute replace default via {} dev {device} metric 101\n",
            path.client_v6, path.server_v6,
        ))
        .unwrap();
    for options in [Open::new().interface(device), Open::new().local(path.client_v6)] {
        let subflow = open(&net, &pair, &options);
        assert_eq!(subflow.local.ip(), path.client_v6);
    }
}

#[test]
fn a_route_that_is_a_moment_late_is_waited_for() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
    let path = &net.paths[1];
    let device = path.client_interface.as_str();
    // As behind a router: no neighbour has the peer's address.
    net.server.set_sysctl("net.ipv4.conf.all.arp_ignore", "1").unwrap();
    for pair in ways::controlled(&net) {
        let peer = ways::peer(&pair).ip();
        let (family, via) = if peer.is_ipv4() {
            ("-4", IpAddr::from(path.server_v4))
        } else {
            ("-6", IpAddr::from(path.server_v6))
        };
        let route = |what: &str| {
            let via = via.to_string();
            net.client.ip(&[
                family, "route", what, "default", "via", &via, "dev", device, "metric", "101",
            ])
        };
        for options in [
            Open::new().interface(device),
            Open::new().interface(device).local(path.client_ip(peer)),
        ] {
            route("del").unwrap();
            let start = Instant::now();
            let subflow = open_before(&net, &pair, &options, || route("add"));
            assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
            assert_eq!(subflow.local.ip(), path.client_ip(peer));
            assert_eq!(interface(&net, &pair, &subflow).as_deref(), Some(device));
        }
        if ignores_interfaces() {
            // The rules of this network have a route of their own.
            continue;
        }
        // It never comes.
        route("del").unwrap();
        let options = Open::new().interface(device).timeout(Duration::from_millis(300));
        let (error, _) = fails(&net, &pair, &options);
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
        route("add").unwrap();
    }
}

#[test]
fn a_late_route_by_the_owner_of_the_address_is_taken() {
    skip_unless_ready!();
    // Until the route comes, the address leaves by the other interface, where a router drops it.
    let net = open_handed(Net::laptop().unwrap());
    let path = &net.paths[1];
    let device = path.client_interface.as_str();
    for pair in ways::controlled(&net) {
        let peer = ways::peer(&pair).ip();
        let (family, via) =
            if peer.is_ipv4() { ("-4", "10.64.0.1") } else { ("-6", "2001:db8:64::1") };
        let route = |what: &str| {
            let by = ["via", via, "dev", device, "metric", "700"];
            net.client.ip(&[&[family, "route", what, "default"][..], &by].concat())
        };
        route("del").unwrap();
        let options = Open::new().local(path.client_ip(peer));
        let subflow = open_before(&net, &pair, &options, || route("add"));
        assert_eq!(interface(&net, &pair, &subflow).as_deref(), Some(device));
    }
}

#[test]
fn the_scope_of_a_link_local_address_is_its_interface() {
    skip_unless_ready!();
    let net = open_handed(Net::link_local_only().unwrap());
    let [first, second] = [&net.paths[0], &net.paths[1]];
    let pair = link_local(&net, first);
    let there = second.server_end(second.server_v6.into(), 0).unwrap();
    if ignores_interfaces() {
        // Without its scope, the kernel cannot use such an address.
        let (kind, words) = (ErrorKind::Unsupported, ["link-local", "Linux 6.12"]);
        return fails_at_once(&net, &pair, &Open::new().remote(there), kind, &words);
    }
    let subflow = open(&net, &pair, &Open::new().remote(there));
    assert_eq!(interface(&net, &pair, &subflow).as_ref(), Some(&second.client_interface));
    assert_eq!(subflow.remote.ip(), second.server_v6);
    // With the interface instead of the scope.
    let bare = SocketAddr::new(second.server_v6.into(), 0);
    let subflow = open(&net, &pair, &Open::new().remote(bare).interface(&second.client_interface));
    assert_eq!(subflow.local.ip(), second.client_v6);
    // The only owner of the local address is the interface.
    open(&net, &pair, &Open::new().remote(bare).local(second.client_v6));
    // As the initial subflow: another interface has the same address.
    let subflow = open(&net, &pair, &Open::new());
    assert_eq!(interface(&net, &pair, &subflow).as_ref(), Some(&first.client_interface));
}

#[test]
fn a_link_local_address_without_an_interface_is_refused_by_name() {
    skip_unless_ready!();
    let net = open_handed(Net::link_local_only().unwrap());
    let [first, second] = [&net.paths[0], &net.paths[1]];
    let pair = link_local(&net, first);
    let bare = SocketAddr::new(second.server_v6.into(), 0);
    let there = second.server_end(second.server_v6.into(), 0).unwrap();
    let refused = [
        (Open::new().remote(bare), ["eth0", "eth1"]),
        (Open::new().remote(there).interface("eth0"), ["eth1", "eth0"]),
        // The peer's address of the connection is one of the first link.
        (Open::new().interface("eth1"), ["eth0", "eth1"]),
    ];
    for (options, names) in refused {
        fails_at_once(&net, &pair, &options, ErrorKind::InvalidArgument, &names);
    }
    let port = pair.listener.local_addr().unwrap().port();
    let bare = with_port(bare, port);
    let connect =
        |to: SocketAddr, options: &Connect| net.client.run(|| subflows::connect(to, options));
    for (to, options) in
        [(bare, Connect::new()), (with_port(there, port), Connect::new().interface("eth0"))]
    {
        let error = connect(to, &options).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{text}");
        assert!(text.contains("eth0") && text.contains("eth1"), "{text}");
    }
    let here = SocketAddr::new(first.client_v6.into(), 0);
    let scoped = std::net::SocketAddrV6::new(first.client_v6, 0, 0, second.client_index().unwrap());
    for (at, options) in [(here, Listen::new()), (scoped.into(), Listen::new().interface("eth0"))] {
        let listen = net.client.run(|| subflows::listen(at, &options));
        let error = expect_error(listen, ErrorKind::InvalidArgument);
        assert!(error.to_string().contains("eth1"), "{error}");
    }
    let options = Connect::new().local(scoped).interface("eth0");
    expect_error(connect(with_port(there, port), &options), ErrorKind::InvalidArgument);
    connect(bare, &Connect::new().interface("eth1")).unwrap();
    connect(with_port(there, port), &Connect::new()).unwrap();
}

#[test]
fn a_peer_that_denies_its_initial_address_is_not_joined_there() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
    net.server.set_sysctl("net.mptcp.allow_join_initial_addr_port", "0").unwrap();
    for (listen, to) in ways::ways(&net) {
        let pair = from_any(&net, listen, to);
        let known = |sock: &std::net::TcpStream| subflows::status(sock).unwrap().is_join_denied;
        assert_eq!(net.client.run(|| known(&pair.client)), Some(true));
        assert_eq!(net.server.run(|| known(&pair.server)), None);
        let path = &net.paths[1];
        let named = Open::new().remote((ways::peer(&pair).ip(), 0));
        for options in [Open::new(), Open::new().interface(&path.client_interface), named] {
            fails_at_once(&net, &pair, &options, ErrorKind::PeerLimit, &["initial address"]);
        }
        // Another address of the peer.
        let [v4, v6] = path.server_ips();
        let there = if ways::peer(&pair).is_ipv4() { v4 } else { v6 };
        open(&net, &pair, &Open::new().remote((there, 0)));
    }
}

#[test]
fn a_route_that_rejects_packets_is_named() {
    skip_unless_ready!();
    let net = addresses();
    let pair = controlled(&net, net.paths[0].server_v4.into());
    for (what, to) in [("prohibit", "198.51.100.1"), ("blackhole", "198.51.100.2")] {
        net.client.ip(&["route", "add", what, to]).unwrap();
        let to: SocketAddr = (to.parse::<IpAddr>().unwrap(), 5000).into();
        let (error, _) = fails(&net, &pair, &Open::new().remote(to));
        let connecting = net.client.run(|| subflows::connect(to, &Connect::new())).unwrap_err();
        for error in [error, connecting] {
            assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
            assert!(error.to_string().contains(what), "{error}");
        }
    }
}

#[test]
fn the_far_end_of_a_point_to_point_link_needs_no_route() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
    let path = &net.paths[1];
    let device = path.client_interface.as_str();
    let pair = controlled(&net, net.paths[0].server_v4.into());
    // No route at all: the address of the peer's other interface is a neighbour on this one.
    net.client.ip(&["route", "flush", "table", "main"]).unwrap();
    for options in [Open::new().interface(device), Open::new().local(path.client_v4)] {
        let subflow = open(&net, &pair, &options);
        assert_eq!(interface(&net, &pair, &subflow).as_deref(), Some(device));
    }
}
