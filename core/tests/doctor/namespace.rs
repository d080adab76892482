//! The kernel's path manager, the interfaces and the routes.

use subflows::FindingKind;
use subflows_lab::{Net, path_manager_setting, skip_unless_ready};

use crate::common::userspace;
use crate::{examined, has, is_first, is_healthy, listeners, wait_for};

fn flush(net: &Net) {
    net.client.ip(&["mptcp", "endpoint", "flush"]).unwrap();
}

fn add(net: &Net, words: &str) {
    let words: Vec<_> = ["mptcp", "endpoint", "add"].into_iter().chain(words.split(' ')).collect();
    net.client.ip(&words).unwrap();
}

#[test]
fn what_is_wrong_with_the_path_manager_is_found() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let servers = listeners(&net);
    let ends = |place: usize| (servers[place].1, net.paths[1].client_ip(servers[place].1.ip()));

    // Nothing is configured yet.
    is_first(&examined(&net.client, None), FindingKind::NoEndpoint, &["dev eth1 subflow"]);
    for place in [0, 1] {
        let (to, second) = ends(place);
        let command = format!("ip mptcp endpoint add {second} dev eth1 subflow");
        is_first(&examined(&net.client, Some(to)), FindingKind::NoEndpoint, &[&command]);
    }

    // The remedy helps, in both families.
    net.join_by_kernel().unwrap();
    is_healthy(&examined(&net.client, None));
    for place in [0, 1] {
        is_healthy(&examined(&net.client, Some(ends(place).0)));
    }

    net.client.set_sysctl("net/mptcp/enabled", "0").unwrap();
    let remedy = "sysctl net.mptcp.enabled=1";
    is_first(&examined(&net.client, Some(ends(0).0)), FindingKind::SwitchedOff, &[remedy]);
    net.client.set_sysctl("net/mptcp/enabled", "1").unwrap();

    userspace(&net.client);
    let setting = path_manager_setting();
    let name = setting.file.rsplit('/').next().unwrap();
    let remedy = format!("sysctl net.mptcp.{name}={}", setting.kernel);
    is_first(&examined(&net.client, None), FindingKind::UserspacePathManager, &[&remedy]);
    net.client.run(|| std::fs::write(setting.file, setting.kernel)).unwrap();

    let limit = |number| net.client.ip(&["mptcp", "limits", "set", "subflows", number]).unwrap();
    limit("0");
    let remedy = "ip mptcp limits set subflows 8";
    is_first(&examined(&net.client, None), FindingKind::LimitSubflows, &[remedy]);
    limit("8");
    is_healthy(&examined(&net.client, None));
}

#[test]
fn what_is_wrong_with_an_endpoint_is_found() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    net.raise_limits().unwrap();
    net.remove_rules().unwrap();
    let servers = listeners(&net);
    for (_, to) in &servers {
        let second = net.paths[1].client_ip(to.ip());
        let to = Some(*to);

        flush(&net);
        add(&net, &format!("{second} dev eth1 signal"));
        is_first(&examined(&net.client, to), FindingKind::OnlySignalEndpoints, &["subflow"]);
        // A server announces, and opens nothing.
        is_healthy(&examined(&net.client, None));

        // Without the interface, the routing table takes the first one, and the address of the second.
        flush(&net);
        add(&net, &format!("{second} subflow"));
        let found = examined(&net.client, to);
        let remedy = format!("ip mptcp endpoint add {second} dev eth1 subflow");
        is_first(&found, FindingKind::EndpointRouteElsewhere, &["leave by eth0", &remedy]);

        flush(&net);
        add(&net, &format!("{} subflow", net.paths[0].client_ip(second)));
        let remedy = format!("ip mptcp endpoint add {second} dev eth1 subflow");
        is_first(&examined(&net.client, to), FindingKind::EndpointIsInitial, &[&remedy]);

        flush(&net);
        let other = if second.is_ipv4() {
            net.paths[1].client_v6.into()
        } else {
            std::net::IpAddr::from(net.paths[1].client_v4)
        };
        add(&net, &format!("{other} dev eth1 subflow"));
        is_first(&examined(&net.client, to), FindingKind::EndpointOtherFamily, &[&remedy]);
        flush(&net);
    }

    let to = Some(servers[0].1);
    add(&net, "192.0.2.9 subflow");
    let found = examined(&net.client, None);
    is_first(&found, FindingKind::EndpointAddressGone, &["192.0.2.9", "delete id 1"]);
    flush(&net);

    net.client
        .ip_batch(
            "link add spare type veth peer name spare-peer\n\
         address add 10.9.9.1/24 dev spare\n\
         mptcp endpoint add 10.9.9.1 dev spare subflow id 7\n",
        )
        .unwrap();
    let remedy = "ip link set spare up";
    is_first(
        &examined(&net.client, None),
        FindingKind::EndpointInterfaceDown,
        &["endpoint 7", remedy],
    );
    net.client.ip_batch("link set spare up\nlink set spare-peer up\n").unwrap();
    let found = wait_for(FindingKind::EndpointNoRoute, || examined(&net.client, to));
    is_first(&found, FindingKind::EndpointNoRoute, &["10.9.9.1", "default via GATEWAY dev spare"]);
    net.client.ip(&["link", "del", "spare"]).unwrap();
    let found = examined(&net.client, None);
    is_first(&found, FindingKind::EndpointInterfaceMissing, &["10.9.9.1", "delete id 7"]);
}

#[test]
fn what_is_wrong_with_the_interfaces_is_found() {
    skip_unless_ready!();
    let net = Net::laptop().unwrap();
    net.join_by_kernel().unwrap();
    let servers = listeners(&net);
    let to = servers[0].1;

    // The peer of a laptop is beyond a router, where 10.64.0.5 means nothing.
    add(&net, &format!("{} signal id 9", net.paths[0].client_v4));
    let found = examined(&net.client, Some(to));
    has(&found, FindingKind::PrivateAddressAnnounced, &["endpoint 9", "NAT"]);
    is_healthy(&found);
    net.client.ip(&["mptcp", "endpoint", "delete", "id", "9"]).unwrap();

    if !subflows_lab::ignores_interfaces() {
        net.client.set_sysctl("net/ipv4/conf/wwan0/rp_filter", "1").unwrap();
        let found = examined(&net.client, Some(to));
        let words = ["leaves by wlan0", "sysctl net/ipv4/conf/wwan0/rp_filter=2"];
        is_first(&found, FindingKind::ReversePathFilter, &words);
        net.client.set_sysctl("net/ipv4/conf/wwan0/rp_filter", "2").unwrap();
        is_healthy(&examined(&net.client, Some(to)));
    }

    net.client.ip(&["link", "set", "wwan0", "down"]).unwrap();
    for remote in [None, Some(to)] {
        has(&examined(&net.client, remote), FindingKind::OneInterface, &["only wlan0"]);
    }
}
