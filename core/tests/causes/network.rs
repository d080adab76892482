//! Routes and firewalls that reject packets, by error numbers that mean something else elsewhere.

use std::net::{IpAddr, SocketAddr};

use subflows::{Connect, ErrorKind, Open};
use subflows_lab::{Net, skip_unless_ready};

use crate::common::{controlled, open_handed};
use crate::told;

/// `prohibit` was once reported as a missing privilege, to root; `blackhole` as a number to look up.
#[test]
fn a_route_that_rejects_is_named_by_its_type() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
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
            told(open, ErrorKind::Unreachable, kind, &remedy);
            let connected = subflows::connect(remote, &Connect::new());
            told(connected, ErrorKind::Unreachable, kind, &remedy);
            assert!(pair.moves_data());
        }
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
        let quick = std::time::Duration::from_secs(3);
        let open = subflows::open(&pair.client, &options.timeout(quick));
        let connected = subflows::connect(remote, &Connect::new().timeout(quick));
        told(open, kind, text, "oute");
        told(connected, kind, text, "oute");
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
        told(result, kind, text, "same family");
    }
}

/// Forbids this thread to connect by TCP, by Landlock. Returns false if the kernel does not have it.
fn forbid_connections() -> bool {
    // `struct landlock_ruleset_attr`: no files; LANDLOCK_ACCESS_NET_CONNECT_TCP.
    let attributes = [0u64, 1 << 1];
    let size = size_of_val(&attributes);
    // SAFETY: the kernel reads the attributes.
    let rules =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, attributes.as_ptr(), size, 0) };
    if rules < 0 {
        return false;
    }
    // SAFETY: takes numbers only.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    // SAFETY: takes numbers only.
    let restricted = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules, 0) };
    restricted == 0
}

/// `connect` once told a sandboxed program to run with CAP_NET_ADMIN.
#[test]
fn a_sandbox_that_forbids_connections_is_named() {
    skip_unless_ready!();
    let namespace = subflows_lab::Namespace::new().unwrap();
    // Landlock knows TCP sockets only.
    namespace.set_sysctl("net.mptcp.enabled", "0").unwrap();
    namespace.run(|| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        if !forbid_connections() {
            return subflows_lab::skip("this kernel has no Landlock for networks");
        }
        let result = subflows::connect(listener.local_addr().unwrap(), &Connect::new());
        told(result, ErrorKind::NotPermitted, "a security policy", "Landlock");
    });
}
