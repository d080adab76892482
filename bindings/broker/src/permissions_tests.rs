use std::net::SocketAddr;

use subflows::broker::Local;

use super::*;

fn peer(uid: u32, gid: u32, groups: &[u32]) -> Peer {
    let mut peer = Peer::default();
    (peer.uid, peer.gid, peer.groups) = (uid, gid, groups.to_vec());
    peer
}

fn create(local: &str, interface: u32, remote: &str) -> Act {
    let local = Local { ip: local.parse().unwrap(), port: 0, id: 1, interface, is_backup: false };
    Act::Create { token: 1, local, remote: SocketAddr::new(remote.parse().unwrap(), 443) }
}

fn permits(policy: &Policy, peer: &Peer, cgroup: &str, act: &Act) -> bool {
    let client = policy.client(peer, || Some(cgroup.to_owned()));
    policy.permits(&client, act, |index| (index == 2).then(|| "wwan0".to_owned()))
}

#[test]
fn without_a_policy_others_than_root_and_the_group_may_do_nothing() {
    let policy = Policy::usual();
    assert!(permits(&policy, &peer(0, 0, &[]), "/", &Act::Events));
    assert!(!permits(&policy, &peer(65_534, 65_534, &[65_534]), "/", &Act::Events));
}

#[test]
fn a_rule_applies_to_users_groups_and_control_groups() {
    let policy = Policy::parse(
        "[[allow]]\nusers = [1000]\ngroups = [50]\ncgroups = ['/system.slice/app.service']",
    )
    .unwrap();
    let inside = "/system.slice/app.service/worker";
    assert!(permits(&policy, &peer(1000, 1, &[]), inside, &Act::Events));
    assert!(permits(&policy, &peer(1, 50, &[]), inside, &Act::Events));
    assert!(permits(&policy, &peer(1, 1, &[7, 50]), inside, &Act::Events));
    assert!(!permits(&policy, &peer(1, 1, &[7]), inside, &Act::Events));
    assert!(!permits(&policy, &peer(1000, 1, &[]), "/system.slice/app.service2", &Act::Events));
}

#[test]
fn a_rule_limits_verbs_addresses_and_interfaces() {
    let policy = Policy::parse(
        "[[allow]]\nverbs = ['create', 'announce']\nlocal = ['192.0.2.0/24', '2001:db8::1']\n\
         interfaces = ['wwan0']\nremote = ['198.51.100.0/24']",
    )
    .unwrap();
    let anyone = peer(1, 1, &[]);
    let permits = |act| permits(&policy, &anyone, "/", &act);
    assert!(permits(create("192.0.2.9", 2, "198.51.100.1")));
    assert!(permits(create("::ffff:192.0.2.9", 2, "::ffff:198.51.100.1")));
    assert!(!permits(create("192.0.3.9", 2, "198.51.100.1")), "another local address");
    assert!(!permits(create("0.0.0.0", 2, "198.51.100.1")), "any local address");
    assert!(!permits(create("192.0.2.9", 3, "198.51.100.1")), "another interface");
    assert!(!permits(create("192.0.2.9", 0, "198.51.100.1")), "any interface");
    assert!(!permits(create("192.0.2.9", 2, "203.0.113.1")), "another remote address");
    assert!(!permits(Act::Events));
}

#[test]
fn an_unknown_name_is_refused_with_its_line_and_the_nearest_name() {
    let refused = |text: &str| Policy::parse(text).unwrap_err().to_string();
    let text = refused("[[allow]]\nusers = [0]\ninterface = ['eth0']\n");
    assert!(text.contains("line 3") && text.contains("Write interfaces."), "{text}");
    let text = refused("[[allow]]\nverbs = ['set-backup']\n");
    assert!(text.contains("Write set_backup"), "{text}");
    let text = refused("[limits]\nsession = 1\n");
    assert!(text.contains("line 2") && text.contains("Write sessions."), "{text}");
    let text = refused("[[allow]]\nlocal = ['192.0.2.300']\n");
    assert!(text.contains("192.0.2.300"), "{text}");
    let text = refused("[[allow]]\nusers = ['no such user']\n");
    assert!(text.contains("no such user"), "{text}");
}

/// Every key of the file is documented.
#[test]
fn the_documentation_has_every_key_and_verb() {
    let text = include_str!("../PERMISSIONS.md");
    let keys = ["users", "groups", "cgroups", "verbs", "local", "interfaces", "remote"];
    let limits = ["requests", "sessions", "subflows"];
    for name in keys.iter().chain(&limits).copied().chain(Verb::ALL.iter().map(|verb| verb.name()))
    {
        assert!(text.contains(&format!("`{name}`")), "{name}");
    }
    let example = text.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    assert!(Policy::parse(example).is_ok(), "{:?}", Policy::parse(example));
}
