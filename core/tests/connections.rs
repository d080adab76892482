//! Lists of many connections and many subflows are complete, and counted rightly.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, Shutdown, TcpStream};

use common::child::{
    Guarded, helper, helper_without_rights, only_as_child, plays_if_there_is_nobody,
};
use common::judge::{self, Ends, agree, by_ss, canonical, listed, number};
use common::{Pair, SOON, expect_error, open_handed, userspace};
use subflows::kernel::{LocalAddress, PathManagerSocket};
use subflows::{Connect, Connection, ConnectionsOptions, ErrorKind, Events, Open, SubflowState};
use subflows_lab::{Namespace, Net, is_before, oracle, skip_unless_ready, wait_until};

fn all(namespace: &Namespace) -> Vec<Connection> {
    namespace.run(|| subflows::connections(&ConnectionsOptions::new().subflows(true))).unwrap()
}

fn controlled(net: &Net, to: IpAddr) -> Pair {
    let everywhere = Ipv6Addr::UNSPECIFIED.into();
    let options = Connect::new().control(true);
    let pair = common::connect_from_to(&net.client, &net.server, everywhere, to, &options);
    pair.make_ready();
    pair
}

/// Compares everything that `connections` reports with ss.
#[track_caller]
fn compare(namespace: &Namespace) {
    let ours = all(namespace);
    let theirs = oracle::ss_connections(namespace);
    let tokens: BTreeSet<u32> = theirs.iter().map(|found| number(&found.token)).collect();
    let told: BTreeMap<u32, &Connection> = ours.iter().map(|told| (told.token, told)).collect();
    assert_eq!(told.len(), ours.len(), "a connection is listed twice");
    assert_eq!(told.keys().copied().collect::<BTreeSet<_>>(), tokens);
    for found in &theirs {
        let told = told[&number(&found.token)];
        assert_eq!(canonical(told.local), canonical(found.local));
        assert_eq!(canonical(told.remote), canonical(found.remote));
        assert_eq!(told.state == SubflowState::Established, found.state == "ESTAB", "{found:?}");
        let inode = format!("ino:{}", told.inode);
        assert!(found.details.split(' ').any(|word| word == inode), "{inode}: {found:?}");
        let subflows: BTreeSet<Ends> =
            told.subflows.iter().map(|s| (canonical(s.local), canonical(s.remote))).collect();
        assert_eq!(subflows, by_ss(namespace, told.token));
        assert_eq!(subflows.len(), told.subflows.len(), "a subflow is listed twice");
        // Before Linux 6.8 the kernel has no such counter.
        let counted = (!is_before(6, 8)).then_some(subflows.len() as u32);
        assert_eq!(told.info.subflows, counted);
        let mut alone = namespace.run(|| subflows::connection(told.token)).unwrap();
        assert_eq!((alone.token, alone.local, alone.remote), (told.token, told.local, told.remote));
        assert_eq!((alone.state, alone.inode, alone.uid), (told.state, told.inode, told.uid));
        assert_eq!(alone.info.subflows, told.info.subflows);
        alone.subflows.clone_from(&told.subflows);
    }
    let without = namespace.run(|| subflows::connections(&ConnectionsOptions::new())).unwrap();
    assert!(without.iter().all(|told| told.subflows.is_empty() && tokens.contains(&told.token)));
    assert_eq!(without.len(), tokens.len());
}

#[test]
fn every_connection_is_listed_with_its_subflows() {
    skip_unless_ready!();
    for net in [Net::two_subnets(), Net::laptop()] {
        let net = open_handed(net.unwrap());
        compare(&net.client);
        let path = &net.paths[0];
        let mapped = IpAddr::from(path.server_v4.to_ipv6_mapped());
        let mut pairs = Vec::new();
        for to in [path.server_v4.into(), path.server_v6.into(), mapped] {
            for extra in [0, 1, 3] {
                let pair = controlled(&net, to);
                let local = net.paths[1].client_ip(to.to_canonical());
                let open = || subflows::open(&pair.client, &Open::new().local(local)).unwrap();
                net.client.run(|| (0..extra).for_each(|_| _ = open()));
                pairs.push(pair);
            }
            pairs.push(common::connect_from_to(
                &net.client,
                &net.server,
                Ipv6Addr::UNSPECIFIED.into(),
                to,
                &Connect::new(),
            ));
        }
        // Neither of these is a Multipath TCP connection.
        let plain = net.server.run(|| std::net::TcpListener::bind((path.server_v4, 0))).unwrap();
        let address = plain.local_addr().unwrap();
        let _plain = net.client.run(|| TcpStream::connect(address)).unwrap();
        let _listener = net.client.run(|| subflows::listen("[::1]:0", &Default::default()));
        wait_until(SOON, "all subflows at the server", || {
            oracle::ss_subflows(&net.server).len() == oracle::ss_subflows(&net.client).len()
        });
        compare(&net.client);
        compare(&net.server);
        assert_eq!(all(&net.client).len(), pairs.len());

        // A half-closed connection is still listed, a closed one is not.
        pairs[0].client.shutdown(Shutdown::Write).unwrap();
        wait_until(SOON, "the half-close", || {
            oracle::ss_connections(&net.client).iter().any(|found| found.state != "ESTAB")
                && oracle::ss_connections(&net.server).iter().any(|found| found.state != "ESTAB")
        });
        compare(&net.client);
        compare(&net.server);
        let gone = judge::token(&pairs[1].client);
        pairs.remove(1);
        let is_gone = || subflows::connection(gone).is_err();
        wait_until(SOON, "the end", || net.client.run(is_gone));
        expect_error(net.client.run(|| subflows::connection(gone)), ErrorKind::Closed);
        assert!(all(&net.client).iter().all(|told| told.token != gone));
    }
}

#[test]
fn a_token_is_known_only_where_it_lives() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
    let pair = controlled(&net, net.paths[0].server_v4.into());
    let [ours, theirs] = [judge::token(&pair.client), judge::token(&pair.server)];
    for (namespace, here, elsewhere) in [(&net.client, ours, theirs), (&net.server, theirs, ours)] {
        let found = namespace.run(|| subflows::connection(here)).unwrap();
        assert_eq!((found.token, found.subflows.len()), (here, 0));
        for unknown in [elsewhere, 0, u32::MAX] {
            expect_error(namespace.run(|| subflows::connection(unknown)), ErrorKind::Closed);
        }
    }
    // A thread that moves between the namespaces is not misled by the sockets that it keeps.
    for _ in 0..2 {
        for (namespace, here, elsewhere) in
            [(&net.client, ours, theirs), (&net.server, theirs, ours)]
        {
            let _entered = namespace.enter().unwrap();
            assert_eq!(subflows::connection(here).unwrap().token, here);
            assert_eq!(subflows::connection(elsewhere).unwrap_err().kind(), ErrorKind::Closed);
            let tokens = subflows::connections(&ConnectionsOptions::new()).unwrap();
            assert_eq!(tokens.iter().map(|told| told.token).collect::<Vec<_>>(), [here]);
        }
    }
}

/// With the requests for kernels before 6.5, the library once returned an empty list instead of an
/// error.
#[test]
fn from_elsewhere_a_list_is_right_or_refused() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
    let pair = controlled(&net, net.paths[0].server_v4.into());
    let expected = listed(&net.client, &pair.client);
    let elsewhere = Namespace::new().unwrap();
    match elsewhere.run(|| subflows::list(&pair.client)) {
        Ok(list) => assert_eq!(list.len(), expected.len()),
        Err(error) => assert_eq!(error.kind(), ErrorKind::OtherNamespace, "{error}"),
    }
    let info = elsewhere.run(|| subflows::info(&pair.client)).unwrap();
    assert_eq!(info.subflows, Some(1));
    expect_error(elsewhere.run(|| subflows::addresses(&pair.client)), ErrorKind::OtherNamespace);
}

#[test]
fn a_list_of_many_connections_is_whole() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let pairs: Vec<Pair> = (0..200)
        .map(|index| {
            let to = if index % 2 == 0 {
                IpAddr::from([127, 0, 0, 1])
            } else {
                Ipv6Addr::LOCALHOST.into()
            };
            common::connect_between(&namespace, &namespace, to, &Connect::new())
        })
        .collect();
    let expected: BTreeSet<u32> = pairs
        .iter()
        .flat_map(|pair| [judge::token(&pair.client), judge::token(&pair.server)])
        .collect();
    assert_eq!(expected.len(), 400);
    let by_ss = oracle::ss_connections(&namespace);
    assert_eq!(by_ss.iter().map(|found| number(&found.token)).collect::<BTreeSet<_>>(), expected);
    let told = all(&namespace);
    assert_eq!(told.iter().map(|told| told.token).collect::<BTreeSet<_>>(), expected);
    assert!(told.iter().all(|told| told.subflows.len() == 1));
}

/// A namespace in which programs manage the paths, and a connection over its loopback.
fn loopback(ip: IpAddr) -> (Namespace, Pair) {
    let namespace = Namespace::new().unwrap();
    userspace(&namespace);
    let pair = common::connect_between(&namespace, &namespace, ip, &Connect::new());
    pair.make_ready();
    (namespace, pair)
}

/// `list`, `info` and ss agree on how many there are, at both ends.
#[track_caller]
fn both_count(namespace: &Namespace, pair: &Pair, expected: usize) {
    for sock in [&pair.client, &pair.server] {
        let token = judge::token(sock);
        wait_until(SOON, "ss to show all", || by_ss(namespace, token).len() == expected);
        agree(namespace, sock, &by_ss(namespace, token));
        let info = namespace.run(|| subflows::info(sock)).unwrap();
        assert_eq!(info.subflows, Some(expected as u32));
    }
    assert!(pair.moves_data());
}

#[test]
fn more_subflows_than_fit_in_one_look_are_listed() {
    skip_unless_ready!();
    for ip in [IpAddr::from([127, 0, 0, 1]), Ipv6Addr::LOCALHOST.into()] {
        let (namespace, pair) = loopback(ip);
        let mut ids = BTreeSet::new();
        for count in 2..20 {
            let opened = namespace.run(|| subflows::open(&pair.client, &Open::new())).unwrap();
            assert!(ids.insert(opened.id));
            assert_eq!(listed(&namespace, &pair.client).len(), count);
        }
        both_count(&namespace, &pair, 19);
        for (closed, id) in ids.into_iter().enumerate() {
            namespace.run(|| subflows::close(&pair.client, id)).unwrap();
            assert_eq!(listed(&namespace, &pair.client).len(), 18 - closed);
        }
        both_count(&namespace, &pair, 1);
    }
}

/// More subflows than a connection has address ids, and more than the kernel's counter can hold.
#[test]
fn more_than_256_subflows_are_counted() {
    skip_unless_ready!();
    const EXTRA: usize = 300;
    let (namespace, pair) = loopback([127, 0, 0, 1].into());
    // Under `userspace` the kernel accepts no subflow unless a program follows events.
    let _events = namespace.run(|| Events::of_namespace().unwrap());
    let [initial] = &namespace.run(|| subflows::list(&pair.client)).unwrap()[..] else {
        panic!("not one")
    };
    let remote = pair.client.peer_addr().unwrap();
    let local = LocalAddress::new([127, 0, 0, 2].into(), 2);
    let token = judge::token(&pair.client);
    namespace.run(|| {
        let mut manager = PathManagerSocket::open().unwrap();
        (0..EXTRA).for_each(|_| manager.create(token, &local, remote).unwrap());
    });
    both_count(&namespace, &pair, EXTRA + 1);
    let close = |id| namespace.run(|| subflows::close(&pair.client, id)).unwrap();
    close(initial.id);
    both_count(&namespace, &pair, EXTRA);
    let subflows = namespace.run(|| subflows::list(&pair.client)).unwrap();
    for subflow in subflows.iter().skip(5).step_by(4) {
        close(subflow.id);
    }
    both_count(&namespace, &pair, EXTRA - (EXTRA - 5).div_ceil(4));
    // Since Linux 7.3, the kernel's counter stays wrong.
    for left in [200, 3] {
        namespace.run(|| {
            let mut manager = PathManagerSocket::open().unwrap();
            for closed in subflows::list(&pair.client).unwrap().iter().skip(left) {
                manager.destroy(token, closed.local, closed.remote).unwrap();
            }
        });
        both_count(&namespace, &pair, left);
    }
    (&pair.client).write_all(b"!").unwrap();
}

/// `open` assigns each subflow an address id of its own, and there are 255. A port that was chosen twice
/// once made the kernel forget the first subflow's id, which was then assigned again.
#[test]
fn when_all_address_ids_are_used_open_fails() {
    skip_unless_ready!();
    let (namespace, pair) = loopback([127, 0, 0, 1].into());
    let _entered = namespace.enter().unwrap();
    let open = || subflows::open(&pair.client, &Open::new());
    let first = open().unwrap();
    (1..255).for_each(|_| _ = open().unwrap());
    both_count(&namespace, &pair, 256);
    let seen = judge::ss_of(&namespace, judge::token(&pair.client));
    let ids: BTreeSet<u8> = seen.iter().map(|seen| seen.local_id).collect();
    assert_eq!(ids.len(), 256, "two subflows have the same address id");
    assert_eq!(open().unwrap_err().kind(), ErrorKind::InvalidState);
    both_count(&namespace, &pair, 256);
    subflows::close(&pair.client, first.id).unwrap();
    open().unwrap();
    both_count(&namespace, &pair, 256);
}

/// A process may give itself any bytes as its name.
const CHOSEN: &[u8] = b"a\xff\x1b[2J";

/// Another process that holds the connection of standard input.
#[test]
#[ignore = "a child of other tests"]
fn helper_holds() {
    only_as_child!();
    std::fs::write("/proc/self/comm", CHOSEN).unwrap();
    let _ = std::io::stdin().read(&mut [0]);
}

#[test]
fn every_process_that_holds_a_connection_is_found() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let pair = common::connect(&net, net.paths[0].server_v4.into(), &Connect::new());
    let other = common::connect(&net, net.paths[0].server_v4.into(), &Connect::new());
    pair.make_ready();
    let holders = |token| {
        let options = ConnectionsOptions::new().processes(true);
        let all = net.client.run(|| subflows::connections(&options)).unwrap();
        let found = all.into_iter().find(|found| found.token == token).unwrap();
        let processes = found.processes.into_iter();
        processes.map(|process| (process.pid, process.name.to_string())).collect::<Vec<_>>()
    };
    // A process that another test starts has a copy of every descriptor until it runs its program.
    let holders_are = |token, expected: &[(u32, String)]| {
        let what = format!("{expected:?}, at first {:?}", holders(token));
        wait_until(SOON, &what, || holders(token) == expected);
    };
    let token = judge::token(&pair.client);
    let name = std::fs::read_to_string("/proc/self/comm").unwrap();
    let me = (std::process::id(), name.trim_end().to_owned());
    holders_are(token, std::slice::from_ref(&me));
    // Once for each process, however many descriptors it has.
    let again = pair.client.try_clone().unwrap();
    holders_are(token, std::slice::from_ref(&me));

    let stdin = std::os::fd::OwnedFd::from(again);
    let mut child = Guarded(helper("helper_holds").stdin(stdin).spawn().unwrap());
    let pid = child.0.id();
    let name = || std::fs::read(format!("/proc/{pid}/comm")).unwrap();
    wait_until(SOON, "the child's name", || name().starts_with(CHOSEN));
    let mut expected = vec![me.clone(), (pid, "a\u{fffd}\u{1b}[2J".into())];
    expected.sort_unstable_by_key(|(pid, _)| *pid);
    holders_are(token, &expected);
    holders_are(judge::token(&other.client), &[me]);
    // ss finds the same two.
    let shown = net.client.output("ss", &["-MOHnp", "state", "established"]).unwrap();
    for (pid, _) in expected {
        assert!(shown.contains(&format!("pid={pid},")), "{pid}: {shown}");
    }
    drop(pair.client);
    child.0.kill().unwrap();
    child.0.wait().unwrap();
    let all = net.client.run(|| subflows::connections(&ConnectionsOptions::new().processes(true)));
    let left = all.unwrap().into_iter().find(|found| found.token == token);
    assert!(left.is_none_or(|found| found.processes.is_empty()));
    // Not asked for, none is looked for.
    let all = net.client.run(|| subflows::connections(&ConnectionsOptions::new())).unwrap();
    assert!(all.iter().all(|found| found.processes.is_empty()));
}

/// Of another user's processes, nobody sees none, and that is not an error.
#[test]
#[ignore = "a child of other tests"]
fn helper_sees_itself_only() {
    only_as_child!();
    let options = ConnectionsOptions::new().processes(true);
    let all = subflows::connections(&options).unwrap();
    let held: Vec<_> = all.iter().flat_map(|found| &found.processes).collect();
    let [process] = &held[..] else { panic!("{held:?}") };
    assert_eq!((all.len(), process.pid), (2, std::process::id()));
}

#[test]
fn an_unprivileged_user_sees_its_own_processes() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let pair = common::connect(&net, net.paths[0].server_v4.into(), &Connect::new());
    let _other = common::connect(&net, net.paths[0].server_v4.into(), &Connect::new());
    let _entered = net.client.enter().unwrap();
    let stdin = std::os::fd::OwnedFd::from(pair.client.try_clone().unwrap());
    plays_if_there_is_nobody(helper_without_rights("helper_sees_itself_only").stdin(stdin));
}
