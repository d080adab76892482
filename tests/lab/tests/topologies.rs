//! Networks: both families, every path, what is filtered, and the effect of a pulled cable.

use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::Duration;

use subflows_lab::traffic::{self, Connect};
use subflows_lab::{
    Bytes, Net, Topology, WireOptions, ignores_interfaces, oracle, skip, skip_unless_ready,
    wait_until,
};

const SOON: Duration = Duration::from_secs(10);
const MEGABYTE: u64 = 1_000_000;

/// Long enough for any answer on these networks, short enough to wait for one that does not come.
const NO_ANSWER: Duration = Duration::from_millis(300);

fn bytes(net: &Net) -> Vec<Bytes> {
    net.paths.iter().map(|path| path.bytes().unwrap()).collect()
}

fn carries_more_than(net: &Net, path: usize, least: u64) -> bool {
    net.paths[path].bytes().unwrap().total() > least
}

#[test]
fn every_path_of_every_network_carries_both_families() {
    skip_unless_ready!();
    thread::scope(|scope| {
        let routed = Topology::ALL.into_iter().filter(|all| *all != Topology::LinkLocalOnly);
        for topology in routed.cycle().take(8) {
            scope.spawn(move || {
                let net = topology.build().unwrap();
                net.paths.iter().for_each(|path| echo_by(&net, path));
            });
        }
    });
}

/// Sends a word there and back by one path, and nothing by the others.
fn echo_by(net: &Net, path: &subflows_lab::Path) {
    for ip in path.server_ips() {
        let server = traffic::serve_source(&net.server, (ip, 0).into(), 10_000).unwrap();
        let before = path.bytes().unwrap();
        let connect = Connect::new().interface(&path.client_interface);
        let stream = net.client.run(|| connect.to(server.local_addr())).unwrap();
        assert_eq!(stream.local_addr().unwrap().ip(), path.client_ip(ip));
        traffic::fetch(&stream, 10_000).unwrap();
        assert!(traffic::is_mptcp(&stream).unwrap());
        let moved = path.bytes().unwrap().since(before);
        assert!(moved.to_client > 10_000 && moved.to_server > 100, "{moved:?} by {ip}");
    }
}

#[test]
fn link_local_addresses_work_by_their_interface() {
    skip_unless_ready!();
    let net = Net::link_local_only().unwrap();
    let server = traffic::serve_source(&net.server, "[::]:0".parse().unwrap(), 10_000).unwrap();
    for path in &net.paths {
        let before = path.bytes().unwrap();
        let to = path.server_end(path.server_v6.into(), server.local_addr().port()).unwrap();
        let stream = net.client.run(|| traffic::connect(to)).unwrap();
        assert_eq!(stream.local_addr().unwrap().ip(), path.client_v6);
        traffic::fetch(&stream, 10_000).unwrap();
        assert!(path.bytes().unwrap().since(before).to_client > 10_000);
    }
}

#[test]
fn the_kernels_subflows_use_both_cables() {
    skip_unless_ready!();
    for topology in [Topology::TwoSubnets, Topology::Laptop, Topology::ThreePaths] {
        let net = topology.build().unwrap();
        net.join_by_kernel().unwrap();
        assert_eq!(oracle::endpoints(&net.client).len(), (net.paths.len() - 1) * 2);
        for ip in net.paths[0].server_ips() {
            let before = bytes(&net);
            let server = traffic::serve_source(&net.server, (ip, 0).into(), MEGABYTE).unwrap();
            let stream = net.client.run(|| traffic::connect(server.local_addr())).unwrap();
            traffic::fetch(&stream, MEGABYTE).unwrap();
            wait_until(SOON, "all subflows", || {
                let subflows = oracle::ss_subflows(&net.client);
                let is_here = |remote: SocketAddr| remote == server.local_addr();
                subflows.iter().filter(|s| is_here(s.remote)).count() == net.paths.len()
            });
            for (path, before) in net.paths.iter().zip(before) {
                let moved = path.bytes().unwrap().since(before);
                // A join alone is three packets and an answer: some 400 bytes.
                assert!(moved.total() > 300, "{topology}: {} {moved:?}", path.client_interface);
            }
        }
    }
}

#[test]
fn a_laptop_must_bind_to_the_interface() {
    skip_unless_ready!();
    let net = Net::laptop().unwrap();
    let [wlan, wwan] = [&net.paths[0], &net.paths[1]];
    if ignores_interfaces() {
        return skip("on this kernel, the rules of the network send by the source address");
    }
    for ip in wwan.server_ips() {
        let server = traffic::serve_echo(&net.server, (ip, 0).into()).unwrap();
        let connect = |how: Connect| net.client.run(|| how.to(server.local_addr()));
        connect(Connect::new()).unwrap();
        connect(Connect::new().interface("wwan0")).unwrap();
        connect(Connect::new().interface("wwan0").local(wwan.client_ip(ip))).unwrap();
        connect(Connect::new().local(wlan.client_ip(ip))).unwrap();
        let before = wlan.bytes().unwrap();
        let naive = Connect::new().local(wwan.client_ip(ip)).plain_tcp().timeout(NO_ANSWER);
        assert!(connect(naive).is_err(), "a packet with a foreign source went through: {ip}");
        let moved = wlan.bytes().unwrap().since(before);
        assert!(moved.to_server > 0, "the packet did not leave by the preferred interface");
    }
    let filtered = oracle::nstat(&net.routers[0], "TcpExtIPReversePathFilter");
    assert!(filtered > 0, "the first router's filter has seen nothing");
    assert_eq!(oracle::nstat(&net.routers[1], "TcpExtIPReversePathFilter"), 0);
}

#[test]
fn a_pulled_cable_is_silent() {
    skip_unless_ready!();
    let wires = [("wifi", WireOptions::default()), ("lte", WireOptions::default())];
    for net in [Net::two_subnets(), Net::laptop(), Net::wires(&wires)] {
        let net = net.unwrap();
        let path = &net.paths[1];
        for ip in path.server_ips() {
            let server = traffic::serve_echo(&net.server, (ip, 0).into()).unwrap();
            let by_path = Connect::new().interface(&path.client_interface).timeout(NO_ANSWER);
            let connect = || net.client.run(|| by_path.to(server.local_addr()));
            connect().unwrap();
            path.pull_cable().unwrap();
            path.pull_cable().unwrap();
            connect().unwrap_err();
            assert!(has_carrier(&net, path), "pulling must not be seen");
            path.plug_in().unwrap();
            path.plug_in().unwrap();
            connect().unwrap();
            // The other path is unaffected.
            let other = Connect::new().interface(&net.paths[0].client_interface);
            let address = (net.paths[0].server_ips()[usize::from(ip.is_ipv6())], 0);
            let server = traffic::serve_echo(&net.server, address.into()).unwrap();
            net.client.run(|| other.to(server.local_addr())).unwrap();
        }
    }
}

#[test]
fn a_lost_carrier_is_seen_and_comes_back() {
    skip_unless_ready!();
    let wires = [("wifi", WireOptions::default()), ("lte", WireOptions::default())];
    for net in [Net::two_subnets(), Net::laptop(), Net::wires(&wires)] {
        let net = net.unwrap();
        let path = &net.paths[1];
        path.carrier_down().unwrap();
        wait_until(SOON, "the carrier to go", || !has_carrier(&net, path));
        let addresses = net.client.ip(&["address", "show", &path.client_interface]).unwrap();
        assert!(addresses.contains(&path.client_v4.to_string()), "{addresses}");
        assert!(addresses.contains(&path.client_v6.to_string()), "{addresses}");
        path.carrier_up().unwrap();
        wait_until(SOON, "the carrier to come", || has_carrier(&net, path));
        for ip in path.server_ips() {
            let server = traffic::serve_echo(&net.server, (ip, 0).into()).unwrap();
            let by_path = Connect::new().interface(&path.client_interface).timeout(SOON);
            net.client.run(|| by_path.to(server.local_addr())).unwrap();
        }
    }
}

fn has_carrier(net: &Net, path: &subflows_lab::Path) -> bool {
    net.client.ip(&["link", "show", &path.client_interface]).unwrap().contains("LOWER_UP")
}

#[test]
fn data_moves_over_when_a_cable_is_pulled() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    net.join_by_kernel().unwrap();
    let address: IpAddr = net.paths[0].server_v4.into();
    let server = traffic::serve_source(&net.server, (address, 0).into(), MEGABYTE).unwrap();
    let stream = net.client.run(|| traffic::connect(server.local_addr())).unwrap();
    traffic::fetch(&stream, MEGABYTE).unwrap();
    wait_until(SOON, "the join", || carries_more_than(&net, 1, 300));
    net.paths[0].pull_cable().unwrap();
    let before = net.paths[1].bytes().unwrap();
    traffic::fetch(&stream, MEGABYTE).unwrap();
    let moved = net.paths[1].bytes().unwrap().since(before);
    assert!(moved.to_client > MEGABYTE / 2, "{moved:?}");
}

#[test]
fn sinks_and_echoes_agree() {
    skip_unless_ready!();
    use std::io::{Read, Write};
    let net = Net::three_paths().unwrap();
    for ip in net.paths[2].server_ips() {
        let sink = traffic::serve_sink(&net.server, (ip, 0).into()).unwrap();
        let stream = net.client.run(|| traffic::connect(sink.local_addr())).unwrap();
        traffic::push(&stream, 3 * MEGABYTE + 1).unwrap();
        let echo = traffic::serve_echo(&net.server, (ip, 0).into()).unwrap();
        let mut stream = net.client.run(|| traffic::connect(echo.local_addr())).unwrap();
        stream.write_all(b"hello").unwrap();
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"hello");
        wait_until(SOON, "the server to see MPTCP", || {
            let accepted = echo.accepted().unwrap();
            accepted.len() == 1 && traffic::is_mptcp(&accepted[0]).unwrap()
        });
        assert!(!oracle::ss_connections(&net.client).is_empty());
    }
}

#[test]
fn a_busy_server_ends_when_it_is_dropped() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let address = (net.paths[0].server_v4, 0).into();
    let server = traffic::serve_source(&net.server, address, 1 << 40).unwrap();
    let stream = net.client.run(|| traffic::connect(server.local_addr())).unwrap();
    // A source whose client reads nothing, blocked in a write; and one that waits for a request.
    std::io::Write::write_all(&mut &stream, &[1]).unwrap();
    let _idle = net.client.run(|| traffic::connect(server.local_addr())).unwrap();
    wait_until(SOON, "both connections and some data", || {
        server.accepted().unwrap().len() == 2 && carries_more_than(&net, 0, 10_000)
    });
    drop(server);
}
