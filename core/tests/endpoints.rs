//! Endpoints and limits of the kernel's path manager are as `ip mptcp` shows and accepts them.

mod common;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};

use common::child::{helper_without_rights, only_as_child, plays_if_there_is_nobody};
use common::deny::give_up_net_admin;
use common::{Pair, SOON, expect_error};
use subflows::{AddEndpoint, Connect, Endpoint, ErrorKind};
use subflows_lab::{Namespace, Net, is_before, oracle, skip_unless_ready, wait_until};

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 1, 1));
/// The flags that a caller can pass, as `ip mptcp` spells them.
const FLAGS: [&str; 5] = ["signal", "subflow", "backup", "fullmesh", "laminar"];

fn options(flags: u32) -> AddEndpoint {
    let is = |index: usize| flags & 1 << index != 0;
    AddEndpoint::new().signal(is(0)).subflow(is(1)).backup(is(2)).fullmesh(is(3)).laminar(is(4))
}

/// The words of the flags of an endpoint.
fn words(endpoint: &Endpoint) -> Vec<&'static str> {
    let is = [
        endpoint.is_signal,
        endpoint.is_subflow,
        endpoint.is_backup,
        endpoint.is_fullmesh,
        endpoint.is_laminar,
    ];
    FLAGS.iter().zip(is).filter(|(_, is)| *is).map(|(word, _)| *word).collect()
}

/// Compares every endpoint with `ip mptcp endpoint`.
#[track_caller]
fn compare(namespace: &Namespace) -> Vec<Endpoint> {
    let ours = namespace.run(subflows::endpoints).unwrap();
    let theirs = oracle::endpoints(namespace);
    assert_eq!(ours.len(), theirs.len(), "{ours:?} {theirs:?}");
    let shown = namespace.ip(&["mptcp", "endpoint", "show"]).unwrap();
    for (line, (ours, theirs)) in shown.lines().zip(ours.iter().zip(&theirs)) {
        assert_eq!((ours.id, ours.address), (theirs.id, theirs.address));
        assert_eq!(ours.interface.as_deref(), theirs.interface.as_deref());
        let mut flags: Vec<&str> = words(ours);
        flags.extend(ours.is_implicit.then_some("implicit"));
        for (word, bit) in FLAGS.into_iter().chain(["implicit"]).zip([1, 2, 4, 8, 32, 16]) {
            // Those that it does not know follow as a number.
            let mut shown = line.split(' ');
            let is_named = shown.clone().any(|shown| shown == word);
            let unknown = shown.find(|shown| *shown == "rawflags").and_then(|_| shown.next());
            let unknown = unknown.map_or(0, |hex| u32::from_str_radix(hex, 16).unwrap());
            let is_theirs = is_named || unknown & bit != 0;
            assert_eq!(flags.contains(&word), is_theirs, "{word}: {line}");
        }
        let port = ours.port.map(|port| format!("port {port} "));
        assert_eq!(line.contains("port "), port.is_some(), "{line}");
        assert!(port.is_none_or(|port| line.contains(&port)), "{line}");
    }
    ours
}

/// Whether the kernel accepts these flags, by a command that is not ours. `ip` may not know `laminar`.
fn is_accepted_by_ip(namespace: &Namespace, flags: u32, port: Option<&str>) -> bool {
    let words = FLAGS.iter().enumerate().filter(|(index, _)| flags & 1 << index != 0);
    let mut arguments = vec!["mptcp", "endpoint", "add", "10.0.1.1"];
    arguments.extend(port.iter().flat_map(|port| ["port", *port]));
    arguments.extend(words.map(|(_, word)| *word).filter(|word| *word != "laminar"));
    let is_accepted = namespace.ip(&arguments).is_ok();
    namespace.ip(&["mptcp", "endpoint", "flush"]).unwrap();
    is_accepted
}

/// A refused one is refused with a remedy, and of an ignored one nothing is left.
#[test]
fn every_combination_of_flags_is_added_as_asked_or_refused() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    for flags in 0..1 << FLAGS.len() {
        for port in [None, Some(4321)] {
            let mut options = options(flags);
            options.port = port;
            let added = namespace.run(|| {
                // With a port, the kernel listens on the address.
                let address = if port.is_some() { Ipv4Addr::LOCALHOST.into() } else { ADDRESS };
                subflows::add_endpoint(address, &options)
            });
            let wanted: Vec<&str> =
                (0..5).filter(|index| flags & 1 << index != 0).map(|index| FLAGS[index]).collect();
            match added {
                Ok(added) => {
                    assert_eq!((words(&added), added.port), (wanted, port));
                    assert!(!added.is_implicit);
                    assert_eq!(compare(&namespace), std::slice::from_ref(&added));
                    namespace.run(|| subflows::remove_endpoint(added.id)).unwrap();
                }
                Err(error) if error.kind() == ErrorKind::Unsupported => {
                    assert!(is_before(6, 18) && wanted.contains(&"laminar"), "{error}");
                    assert!(error.to_string().contains("ignores laminar"), "{error}");
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{wanted:?}: {error}");
                    let text = port.map(|port| port.to_string());
                    let is_accepted = is_accepted_by_ip(&namespace, flags, text.as_deref());
                    assert!(!is_accepted, "{wanted:?} {port:?}: {error}");
                }
            }
            assert_eq!(compare(&namespace), []);
        }
    }
}

#[test]
fn an_endpoint_has_the_id_the_interface_and_the_port_that_were_asked_for() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let (namespace, path) = (&net.client, &net.paths[0]);
    let interface = &*path.client_interface;
    namespace.run(|| {
        let v6 = IpAddr::from(path.client_v6);
        let added = subflows::add_endpoint(v6, &AddEndpoint::new().id(255).interface(interface));
        let added = added.unwrap();
        assert_eq!((added.id, added.address), (255, v6));
        assert_eq!(added.interface.as_deref(), Some(interface));
        assert!(added.interface_index.is_some() && words(&added).is_empty());
        // IPv4 in IPv6 is IPv4.
        let mapped = IpAddr::from(path.client_v4.to_ipv6_mapped());
        let announced = AddEndpoint::new().signal(true).port(4321);
        let added = subflows::add_endpoint(mapped, &announced).unwrap();
        assert_eq!((added.address, added.port), (path.client_v4.into(), Some(4321)));
        // The same address with another port is another endpoint.
        let other = subflows::add_endpoint(mapped, &announced.port(4322)).unwrap();
        assert_ne!(added.id, other.id);
    });
    assert_eq!(compare(namespace).len(), 3);
    namespace.run(subflows::flush_endpoints).unwrap();
    assert_eq!(compare(namespace), []);
}

#[test]
fn what_the_kernel_refuses_is_named() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let add = |address, options: &AddEndpoint| subflows::add_endpoint(address, options);
    let none = AddEndpoint::new();
    let refused = |error: subflows::Error, errno: i32, text: &str, remedy: &str| {
        // Older kernels use one number for most.
        let is_old = is_before(6, 12) && error.raw_os_error() == Some(libc::EINVAL);
        assert!(error.raw_os_error() == Some(errno) || is_old, "{error}");
        assert!(error.to_string().contains(text) && error.remedy().contains(remedy), "{error}");
    };
    namespace.run(|| {
        let argument = ErrorKind::InvalidArgument;
        let first = add(ADDRESS, &none).unwrap();
        let error = expect_error(add(ADDRESS, &none), argument);
        refused(error, libc::EEXIST, "endpoint 1 already has", "endpoint delete id 1");
        let other = IpAddr::from([10, 0, 2, 1]);
        let error = expect_error(add(other, &none.clone().id(first.id)), argument);
        refused(error, libc::EBUSY, "already has the id 1", "another id");
        for count in 2.. {
            match add([10, 0, 3, count].into(), &none) {
                Ok(added) => assert_eq!(added.id, count),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::InvalidState, "{error}");
                    let text = format!("has {} endpoints", count - 1);
                    refused(error, libc::ERANGE, &text, "endpoint delete");
                    assert!(count == 9 || !is_before(7, 0), "{count}");
                    break;
                }
            }
        }
        subflows::flush_endpoints().unwrap();

        for nowhere in ["0.0.0.0", "::", "224.0.0.1", "ff02::1"] {
            let error = expect_error(add(nowhere.parse().unwrap(), &none), argument);
            assert!(error.to_string().contains(nowhere), "{error}");
        }
        let error = expect_error(add(ADDRESS, &none.clone().id(0)), argument);
        assert!(error.remedy().contains("1 to 255"), "{error}");
        let error = expect_error(
            add(ADDRESS, &none.clone().interface("none")),
            ErrorKind::AddressNotAvailable,
        );
        assert!(error.to_string().contains("\"none\""), "{error}");
        let here = IpAddr::from(Ipv4Addr::LOCALHOST);
        let taken = TcpListener::bind((here, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let with_port = none.clone().signal(true).port(port);
        let error = expect_error(add(here, &with_port), ErrorKind::AddressNotAvailable);
        refused(error, libc::EADDRINUSE, &format!("127.0.0.1 port {port}"), "another port");
        let error = expect_error(add(ADDRESS, &with_port), ErrorKind::AddressNotAvailable);
        refused(error, libc::EADDRNOTAVAIL, "10.0.1.1 port", "ip address");

        let gone = ErrorKind::NoSuchEndpoint;
        for id in [0, 7] {
            expect_error(subflows::remove_endpoint(id), gone);
            expect_error(subflows::set_endpoint_backup(id, true), gone);
            expect_error(subflows::set_endpoint_fullmesh(id, true), gone);
        }
    });
    assert_eq!(compare(&namespace), []);
}

#[test]
fn backup_and_full_mesh_change_one_at_a_time() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let signal = IpAddr::from([10, 0, 2, 1]);
    let ids = namespace.run(|| {
        let add =
            |address, options: AddEndpoint| subflows::add_endpoint(address, &options).unwrap().id;
        [add(ADDRESS, options(0b10)), add(signal, options(0b1))]
    });
    let words_of = |id| {
        let all = compare(&namespace);
        words(all.iter().find(|found| found.id == id).unwrap())
    };
    let backup = |id, yes| namespace.run(|| subflows::set_endpoint_backup(id, yes));
    let fullmesh = |id, yes| namespace.run(|| subflows::set_endpoint_fullmesh(id, yes));
    backup(ids[0], true).unwrap();
    assert_eq!(words_of(ids[0]), ["subflow", "backup"]);
    fullmesh(ids[0], true).unwrap();
    assert_eq!(words_of(ids[0]), ["subflow", "backup", "fullmesh"]);
    backup(ids[0], false).unwrap();
    assert_eq!(words_of(ids[0]), ["subflow", "fullmesh"]);
    fullmesh(ids[0], false).unwrap();
    assert_eq!(words_of(ids[0]), ["subflow"]);

    backup(ids[1], true).unwrap();
    let error = expect_error(fullmesh(ids[1], true), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("is signal"), "{error}");
    assert_eq!(words_of(ids[1]), ["signal", "backup"]);
    fullmesh(ids[1], false).unwrap();
    assert_eq!(words_of(ids[1]), ["signal", "backup"]);
}

/// A connection over the first path that the kernel manages.
fn managed(net: &Net) -> Pair {
    let pair = common::connect(net, net.paths[0].server_v4.into(), &Connect::new());
    pair.make_ready();
    pair
}

fn subflow_count(namespace: &Namespace) -> usize {
    oracle::ss_subflows(namespace).iter().filter(|found| found.state == "ESTAB").count()
}

#[test]
fn the_kernel_acts_on_connections_at_once() {
    skip_unless_ready!();
    let net = common::open_handed(Net::two_subnets().unwrap());
    let pair = managed(&net);
    let second = IpAddr::from(net.paths[1].client_v4);
    let add = |options: &AddEndpoint| net.client.run(|| subflows::add_endpoint(second, options));
    let added = add(&AddEndpoint::new().subflow(true)).unwrap();
    wait_until(SOON, "the subflow", || subflow_count(&net.client) == 2);
    net.client.run(|| subflows::set_endpoint_backup(added.id, true)).unwrap();
    wait_until(SOON, "the backup", || {
        let list = subflows::list(&pair.client).unwrap();
        let details =
            list.iter().map(|one| net.client.run(|| subflows::details(&pair.client, one.id)));
        details.flatten().any(|details| details.is_additional && details.is_backup)
    });
    net.client.run(|| subflows::remove_endpoint(added.id)).unwrap();
    wait_until(SOON, "the end of the subflow", || subflow_count(&net.client) == 1);
    assert!(pair.moves_data());
}

/// The kernel creates one for a subflow from an address without an endpoint.
#[test]
fn an_implicit_endpoint_is_shown_and_replaced_under_its_id() {
    skip_unless_ready!();
    let net = common::open_handed(Net::two_subnets().unwrap());
    // The server announces its second address, to which the client's kernel opens a subflow.
    let announced = IpAddr::from(net.paths[1].server_v4);
    let signal = AddEndpoint::new().signal(true);
    net.server.run(|| subflows::add_endpoint(announced, &signal)).unwrap();
    net.client.run(|| subflows::set_limits(8, 8)).unwrap();
    let everywhere = Ipv4Addr::UNSPECIFIED.into();
    let to = net.paths[0].server_v4.into();
    let pair = common::connect_from_to(&net.client, &net.server, everywhere, to, &Connect::new());
    pair.make_ready();
    wait_until(SOON, "the subflow", || subflow_count(&net.client) == 2);
    let all = compare(&net.client);
    let [implicit] = &all[..] else { panic!("{all:?}") };
    assert!(implicit.is_implicit, "{implicit:?}");
    let set = net.client.run(|| subflows::set_endpoint_fullmesh(implicit.id, true));
    let error = expect_error(set, ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("is implicit"), "{error}");
    let subflow = AddEndpoint::new().subflow(true);
    let with_id = subflow.clone().id(implicit.id + 1);
    let added = net.client.run(|| subflows::add_endpoint(implicit.address, &with_id));
    let error = expect_error(added, ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("implicit"), "{error}");
    let added = net.client.run(|| subflows::add_endpoint(implicit.address, &subflow)).unwrap();
    assert_eq!((added.id, added.is_implicit), (implicit.id, false));
    compare(&net.client);
}

#[test]
fn limits_are_those_of_ip_mptcp() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let shown = || {
        let text = namespace.ip(&["mptcp", "limits", "show"]).unwrap();
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        let after = |name: &str| {
            let at = words.iter().position(|word| word == name).unwrap();
            words[at + 1].parse::<u32>().unwrap()
        };
        (after("subflows"), after("add_addr_accepted"))
    };
    let ours = || {
        let limits = namespace.run(subflows::limits).unwrap();
        (limits.subflows, limits.add_addr_accepted)
    };
    assert_eq!((ours(), shown()), ((2, 0), (2, 0)));
    for (subflows, accepted) in [(8, 8), (0, 8), (8, 0), (0, 0), (3, 5)] {
        namespace.run(|| subflows::set_limits(subflows, accepted)).unwrap();
        assert_eq!((ours(), shown()), ((subflows, accepted), (subflows, accepted)));
    }
    for (subflows, accepted) in [(65, 1), (1, 65), (u32::MAX, 1), (1, u32::MAX)] {
        let set = namespace.run(|| subflows::set_limits(subflows, accepted));
        let error = expect_error(set, ErrorKind::InvalidArgument);
        let text = format!("subflows {subflows} and add_addr_accepted {accepted}");
        assert!(error.to_string().contains(&text) && error.remedy().contains("0 to 8"), "{error}");
        assert_eq!((ours(), shown()), ((3, 5), (3, 5)));
    }
    let nine = namespace.run(|| subflows::set_limits(9, 1));
    assert_eq!(nine.is_err(), is_before(7, 0));
}

#[test]
fn they_are_those_of_the_thread_s_namespace() {
    skip_unless_ready!();
    let (one, two) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    one.run(|| subflows::add_endpoint(ADDRESS, &AddEndpoint::new())).unwrap();
    one.run(|| subflows::set_limits(7, 6)).unwrap();
    assert_eq!((compare(&one).len(), compare(&two).len()), (1, 0));
    assert_eq!(two.run(subflows::limits).unwrap().subflows, 2);
    // In one thread, one after the other.
    let _entered = one.enter().unwrap();
    assert_eq!(subflows::endpoints().unwrap().len(), 1);
    let _entered = two.enter().unwrap();
    assert_eq!(subflows::endpoints().unwrap().len(), 0);
}

#[test]
#[ignore = "a child of other tests"]
fn helper_nobody_reads() {
    only_as_child!();
    assert_eq!(subflows::endpoints().unwrap()[0].address, ADDRESS);
    assert_eq!(subflows::limits().unwrap().subflows, 2);
    is_refused();
}

/// Every change is refused, with the right in the text and without a broker in the remedy.
fn is_refused() {
    let errors = [
        subflows::add_endpoint([10, 0, 9, 1].into(), &AddEndpoint::new()).map(drop),
        subflows::set_endpoint_backup(1, true),
        subflows::set_endpoint_fullmesh(1, true),
        subflows::remove_endpoint(1),
        subflows::flush_endpoints(),
        subflows::set_limits(3, 3),
    ]
    .map(|done| expect_error(done, ErrorKind::NotPermitted));
    for error in errors {
        assert!(error.to_string().contains("CAP_NET_ADMIN"), "{error}");
        assert!(error.remedy().contains("setpriv"), "{error}");
        assert!(!error.remedy().contains("subflows broker"), "{error}");
    }
}

#[test]
fn an_unprivileged_user_reads_and_changes_nothing() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    namespace.run(|| subflows::add_endpoint(ADDRESS, &AddEndpoint::new())).unwrap();
    namespace.run(|| {
        give_up_net_admin();
        is_refused();
    });
    let entered = namespace.enter().unwrap();
    plays_if_there_is_nobody(&mut helper_without_rights("helper_nobody_reads"));
    drop(entered);
    assert_eq!(compare(&namespace).len(), 1);
}

#[test]
fn link_local_addresses_can_be_endpoints() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let link_local = IpAddr::from(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1));
    let interface = &*net.paths[0].client_interface;
    let options = AddEndpoint::new().subflow(true).interface(interface);
    let added = net.client.run(|| subflows::add_endpoint(link_local, &options)).unwrap();
    assert_eq!((added.address, added.interface.as_deref()), (link_local, Some(interface)));
    compare(&net.client);
}
