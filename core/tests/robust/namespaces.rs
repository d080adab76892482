//! A thread that moves to another network namespace never gets answers about the former one.

use std::io::Write;
use std::os::fd::AsRawFd;

use subflows::{Connect, ConnectionsOptions, ErrorKind, Listen, Open, Opening};
use subflows_lab::{
    Namespace, Net, ignores_interfaces, is_before, skip, skip_unless_ready, wait_until,
};

use super::common::child::{helper, only_as_child, plays};
use super::common::{self, Pair, SOON, judge};
use super::{controlled, open};

/// What a thread in `here` reads of its own connection and of another namespace's.
fn reports_its_own(here: (&Namespace, &Pair), other: &Pair) {
    let (namespace, own) = here;
    let _inside = namespace.enter().unwrap();
    let (token, foreign) = (judge::token(&own.client), judge::token(&other.client));
    let id = subflows::list(&own.client).unwrap()[0].id;
    let local = own.client.local_addr().unwrap();

    // The first call after the move, and one with a token of the other namespace: it may still
    // succeed, and must then describe that connection.
    match subflows::connection(foreign) {
        Ok(found) => assert_eq!(found.local, other.client.local_addr().unwrap()),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Closed),
    }
    assert_eq!(subflows::details(&own.client, id).unwrap().local, local);
    assert_eq!(subflows::addresses(&own.client).unwrap()[0].ip, local.ip());
    assert!(subflows::status(&own.client).unwrap().is_ready);
    let found = subflows::connection(token).unwrap();
    assert_eq!((found.token, found.local), (token, local));
    // One of the other family may not have ended yet.
    let all = subflows::connections(&ConnectionsOptions::new().subflows(true)).unwrap();
    assert!(all.iter().all(|found| found.token != foreign), "{all:?}");
    let found = all.iter().find(|found| found.token == token).expect("its own");
    assert_eq!(found.subflows.len(), 1);
    subflows::events(&own.client).unwrap();
    subflows::set_backup(&own.client, id, false).unwrap();

    // Reading through the socket itself is right from anywhere.
    assert_eq!(subflows::info(&other.client).unwrap().token, foreign);
    assert_eq!(subflows::status(&other.client).unwrap().token, Some(foreign));
    // Before Linux 6.5, the subflows are read from the namespace's table of sockets.
    let initial = match subflows::list(&other.client) {
        Ok(listed) => {
            assert_eq!(listed[0].local, other.client.local_addr().unwrap());
            listed[0].id
        }
        Err(error) => {
            assert_eq!((error.kind(), is_before(6, 5)), (ErrorKind::OtherNamespace, true));
            1
        }
    };
    let refused = [
        subflows::details(&other.client, initial).map(drop),
        subflows::open(&other.client, &Open::new()).map(drop),
        subflows::events(&other.client).map(drop),
        subflows::set_backup(&other.client, initial, false),
    ];
    for (verb, refused) in refused.into_iter().enumerate() {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::OtherNamespace, "verb {verb}");
    }
}

#[test]
fn a_thread_that_changes_its_namespace_sees_that_of_the_new_one() {
    skip_unless_ready!();
    let nets = [Net::two_subnets().unwrap(), Net::two_subnets().unwrap()];
    for family in [0, 1] {
        let pairs = [controlled(&nets[0], family), controlled(&nets[1], family)];
        for round in 0..100 {
            // Alternately, and sometimes twice in the same namespace.
            let here = (round / 3) % 2;
            let there = 1 - here;
            reports_its_own((&nets[here].client, &pairs[here]), &pairs[there]);
        }
        assert!(pairs.iter().all(Pair::moves_data));
    }
}

/// A namespace with an interface of that name and index.
fn with_interface(name: &str, index: u32) -> Namespace {
    let namespace = Namespace::new().unwrap();
    let index = index.to_string();
    let names = ["link", "add", name, "index", &index, "type", "veth", "peer", "name", "peer0"];
    namespace.ip(&names).unwrap();
    namespace
}

/// A cached socket once answered for the former namespace, and the index was looked up in the
/// present one.
#[test]
fn a_subflow_was_shown_by_the_name_of_an_interface_elsewhere() {
    skip_unless_ready!();
    if ignores_interfaces() {
        skip("this kernel binds no subflow to an interface");
        return;
    }
    let net = Net::two_subnets().unwrap();
    for family in [0, 1] {
        let pair = controlled(&net, family);
        let _before = net.client.enter().unwrap();
        let extra = open(&net, &pair).unwrap();
        let details = || subflows::details(&pair.client, extra.id).unwrap();
        let index = details().interface_index.expect("it is bound");
        let name = details().interface.expect("it is bound");
        assert_eq!(&*name, &*net.paths[1].client_interface);
        let all = subflows::connections(&ConnectionsOptions::new().subflows(true)).unwrap();
        let shown = all.iter().flat_map(|found| &found.subflows);
        assert!(shown.filter(|shown| shown.interface == Some(name)).count() > 0, "{all:?}");
        let present = with_interface("wrong0", index);
        let _after = present.enter().unwrap();
        // A kept socket may still answer for the former namespace.
        match subflows::details(&pair.client, extra.id) {
            Ok(details) => {
                assert_eq!(details.interface, Some(name));
                assert_eq!(details.interface_index, Some(index));
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::OtherNamespace, "{error}"),
        }
    }
}

/// The interface was once looked up by its name in the namespace of the thread that took the step.
#[test]
fn an_opening_was_bound_to_an_interface_elsewhere() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let name = &net.paths[1].client_interface;
    let present = with_interface(name, 99);
    for to in net.paths[0].server_ips() {
        let pair = common::connect(&net, to, &Connect::new().control(true));
        let _before = net.client.enter().unwrap();
        net.paths[0].pull_cable().unwrap();
        // This byte is in flight for as long as the cable is out: until then the opening waits.
        (&pair.client).write_all(b"?").unwrap();
        let options = Open::new().interface(name).timeout(2 * SOON);
        let mut opening = Opening::begin(&pair.client, &options).unwrap();
        net.paths[0].plug_in().unwrap();
        let _after = present.enter().unwrap();
        let mut error = None;
        wait_until(SOON, "the opening to end", || {
            error = opening.advance().map(|opened| assert!(opened.is_none())).err();
            error.is_some()
        });
        let error = error.unwrap();
        assert_eq!(error.kind(), ErrorKind::OtherNamespace, "{error}");
    }
}

/// Whether the interface at the other end of a wire still exists: it ends with the namespace of this end.
fn has_wire(namespace: &Namespace) -> bool {
    namespace.ip(&["link", "show", "wire"]).is_ok()
}

/// Netlink sockets that a thread kept held the namespace that it had left.
#[test]
fn a_deleted_namespace_stayed() {
    skip_unless_ready!();
    let (gone, stays) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    let inside = format!("/proc/{}/fd/{}", std::process::id(), gone.fd().as_raw_fd());
    stays
        .ip(&["link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", &inside])
        .unwrap();
    let (left, has_left) = std::sync::mpsc::channel();
    let (end, ends) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        {
            let _inside = gone.enter().unwrap();
            let sock = subflows::socket(subflows::Family::V4).unwrap();
            subflows::take_control(&sock).unwrap();
            subflows::connection(1).unwrap_err();
        }
        drop(gone);
        left.send(()).unwrap();
        // The thread lives on.
        ends.recv().unwrap();
    });
    has_left.recv().unwrap();
    wait_until(SOON, "the namespace to go", || !has_wire(&stays));
    end.send(()).unwrap();
    thread.join().unwrap();
}

/// A child, because only the events of a process's own namespace are kept.
#[test]
#[ignore = "a child of other tests"]
fn helper_with_peers() {
    only_as_child!();
    let connected = || {
        let listener = subflows::listen("127.0.0.1:0", &Listen::new()).unwrap();
        let address = listener.local_addr().unwrap();
        (subflows::connect(address, &Connect::new().control(true)).unwrap(), listener)
    };
    let (own, _listener) = connected();
    assert_eq!(subflows::peer_addresses(&own).unwrap(), []);
    let elsewhere = Namespace::new().unwrap();
    let (foreign, _listener) = elsewhere.run(connected);
    let unknown = elsewhere.run(|| subflows::peer_addresses(&foreign)).unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::InvalidState);
    assert_eq!(subflows::peer_addresses(&own).unwrap(), []);
}

#[test]
fn a_connection_elsewhere_made_the_process_forget_its_peers() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    namespace.run(|| plays(&mut helper("namespaces::helper_with_peers")));
}
