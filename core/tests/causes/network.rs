//! Routes and firewalls that reject packets, by error numbers that mean something else elsewhere.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use subflows::{Connect, ErrorKind, Open};
use subflows_lab::{Net, skip_unless_ready};

use crate::common::{controlled, deny, open_handed, raw};
use crate::fails_with;

/// `prohibit` was once reported as a missing privilege, to root; `blackhole` as a number to look up.
#[test]
fn a_route_that_rejects_is_named_by_its_type() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
    net.remove_rules().unwrap();
    for (place, kind) in ["prohibit", "blackhole", "unreachable"].into_iter().enumerate() {
        net.client.ip(&["route", "add", kind, &format!("198.51.{place}.0/24")]).unwrap();
        net.client.ip(&["-6", "route", "add", kind, &format!("2001:db8:f:{place}::/64")]).unwrap();
    }
    for to in net.paths[0].server_ips() {
        let pair = controlled(&net, to);
        let _entered = net.client.enter().unwrap();
        for (place, kind) in ["prohibit", "blackhole", "unreachable"].into_iter().enumerate() {
            let remote: IpAddr = match to {
                IpAddr::V4(_) => format!("198.51.{place}.1").parse().unwrap(),
                IpAddr::V6(_) => format!("2001:db8:f:{place}::1").parse().unwrap(),
            };
            let remote = SocketAddr::new(remote, 5000);
            let remedy = format!("type {kind}");
            let open = subflows::open(&pair.client, &Open::new().remote(remote).unbound(true));
            fails_with(open, ErrorKind::Unreachable, kind, &remedy);
            let connected = subflows::connect(remote, &Connect::new());
            fails_with(connected, ErrorKind::Unreachable, kind, &remedy);
            assert!(pair.moves_data());
        }
    }
}

/// A rule may ask for the socket's mark: the remedy for root was once to become root.
#[test]
fn a_rule_for_the_mark_of_the_socket_is_named() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
    for to in net.paths[0].server_ips() {
        let pair = controlled(&net, to);
        let family = if to.is_ipv4() { "-4" } else { "-6" };
        net.client.ip(&[family, "rule", "add", "fwmark", "7", "prohibit"]).unwrap();
        raw::set_i32(&pair.client, libc::SOL_SOCKET, libc::SO_MARK, 7).unwrap();
        for options in [Open::new(), Open::new().unbound(true)] {
            let open = net.client.run(|| subflows::open(&pair.client, &options));
            fails_with(open, ErrorKind::Unreachable, "prohibit", "type prohibit");
        }
        net.client.ip(&[family, "rule", "del", "fwmark", "7"]).unwrap();
        net.client.run(|| subflows::open(&pair.client, &Open::new())).unwrap();
    }
}

/// The kernel answers as for a blackhole route, which was then to be found and changed.
#[test]
fn a_loopback_address_is_not_a_blackhole_route() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
    let local = IpAddr::from([127, 0, 0, 1]);
    let pair = controlled(&net, net.paths[0].server_v4.into());
    let _entered = net.client.enter().unwrap();
    let (kind, text, remedy) =
        (ErrorKind::AddressNotAvailable, "loopback interface", "another interface");
    let open = Open::new().local(local);
    for options in [open.clone(), open.unbound(true)] {
        fails_with(subflows::open(&pair.client, &options), kind, text, remedy);
    }
    let to = pair.listener.local_addr().unwrap();
    fails_with(subflows::connect(to, &Connect::new().local((local, 0))), kind, text, remedy);
    assert!(pair.moves_data());
}

/// `open` and `connect` reported it in different words, and without the interface.
#[test]
fn a_missing_route_is_named_with_the_interface_and_a_command() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
    net.remove_rules().unwrap();
    let name = &net.paths[1].client_interface;
    let delete =
        "while ip route del default; do :; done; while ip -6 route del default; do :; done";
    net.client.output("sh", &["-c", &format!("{delete}; true")]).unwrap();
    for to in net.paths[0].server_ips() {
        let pair = controlled(&net, to);
        let _entered = net.client.enter().unwrap();
        let nowhere: IpAddr = match to {
            IpAddr::V4(_) => "203.0.113.1".parse().unwrap(),
            IpAddr::V6(_) => "2001:db8:ffff::1".parse().unwrap(),
        };
        let text = format!("no route leads to {nowhere}");
        let remedy = format!("ip route get {nowhere}");
        let soon = Duration::from_millis(300);
        let open = |options: Open| {
            subflows::open(&pair.client, &options.remote((nowhere, 5000)).timeout(soon))
        };
        let kind = ErrorKind::Unreachable;
        fails_with(open(Open::new()), kind, &text, &remedy);
        fails_with(
            open(Open::new().unbound(true).local(pair.client.local_addr().unwrap().ip())),
            kind,
            &text,
            &remedy,
        );
        fails_with(subflows::connect((nowhere, 5000), &Connect::new()), kind, &text, &remedy);
        let text = format!("{text} by the interface {name}");
        fails_with(open(Open::new().interface(name)), kind, &text, &format!("oif {name}"));
    }
}

/// The answers of a firewall once were a missing privilege or an unsupported call.
#[test]
fn a_firewall_that_rejects_is_not_a_missing_privilege() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
    let answers = [
        ("ip", "icmp type prot-unreachable"),
        ("ip", "icmp type admin-prohibited"),
        ("ip6", "icmpv6 type admin-prohibited"),
        ("ip6", "icmpv6 type policy-fail"),
        ("ip6", "icmpv6 type reject-route"),
    ];
    for (family, answer) in answers {
        let to = net.paths[0].server_ips()[usize::from(family == "ip6")];
        let pair = controlled(&net, to);
        net.server
            .nft(&format!(
                "table {family} refuse {{ chain i {{ type filter hook input priority 0; \
                 tcp dport 5001 reject with {answer}; }}; }}"
            ))
            .unwrap();
        let remote = SocketAddr::new(to, 5001);
        let _entered = net.client.enter().unwrap();
        let (kind, text) = (ErrorKind::Unreachable, "cannot be reached");
        let options = Open::new().remote(remote).unbound(true);
        let quick = Duration::from_secs(3);
        let open = subflows::open(&pair.client, &options.timeout(quick));
        let connected = subflows::connect(remote, &Connect::new().timeout(quick));
        fails_with(open, kind, text, "oute");
        fails_with(connected, kind, text, "oute");
        assert!(pair.moves_data());
        net.server.nft(&format!("delete table {family} refuse")).unwrap();
    }
}

#[test]
fn a_local_address_of_another_family_is_an_invalid_argument() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let [v4, v6] = net.paths[0].server_ips();
    let path = &net.paths[0];
    let (kind, text) = (ErrorKind::InvalidArgument, "different families");
    for (to, local) in [(v4, path.client_ip(v6)), (v6, path.client_ip(v4))] {
        let options = Connect::new().local((local, 0));
        let result = net.client.run(|| subflows::connect((to, 1), &options));
        fails_with(result, kind, text, "same family");
    }
}

/// The remedy of `connect` in a sandbox was once to run with CAP_NET_ADMIN.
#[test]
fn a_sandbox_that_forbids_connections_is_named() {
    skip_unless_ready!();
    let namespace = subflows_lab::Namespace::new().unwrap();
    // Landlock knows TCP sockets only.
    namespace.set_sysctl("net.mptcp.enabled", "0").unwrap();
    namespace.run(|| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        // LANDLOCK_ACCESS_NET_CONNECT_TCP.
        if !deny::landlock([0, 1 << 1]) {
            return subflows_lab::skip("this kernel has no Landlock for networks");
        }
        let result = subflows::connect(listener.local_addr().unwrap(), &Connect::new());
        fails_with(result, ErrorKind::NotPermitted, "a security policy", "Landlock");
    });
}
