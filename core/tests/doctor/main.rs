//! Each finding of the doctor, in a situation that is made for real: it is found by its name, and nothing
//! graver comes before it. The situation is then mended, and the finding is gone.

#[path = "../common/mod.rs"]
mod common;

mod connection;
mod host;
mod namespace;
mod remote;

use std::net::{IpAddr, SocketAddr, TcpListener};

use subflows::{Doctor, Finding, FindingKind, Listen, Severity};
use subflows_lab::{Namespace, Net, wait_until};

/// What the doctor finds in a network namespace, also towards that address.
#[track_caller]
fn examined(namespace: &Namespace, remote: Option<SocketAddr>) -> Vec<Finding> {
    let mut options = Doctor::new();
    options.remote = remote;
    checked(namespace.run(|| subflows::doctor(&options)).unwrap())
}

/// Checks what holds for all findings: the order, and that no word was left out.
#[track_caller]
fn checked(found: Vec<Finding>) -> Vec<Finding> {
    assert!(found.is_sorted_by_key(|one| one.severity as i32), "{found:#?}");
    for one in &found {
        assert_eq!(one.severity, one.kind.severity());
        for text in [&one.explanation, &one.remedy] {
            assert!(
                !text.is_empty() && !text.contains('{') && !text.contains("ADDRESS"),
                "{one:#?}"
            );
        }
    }
    found
}

/// Checks that it is among them, and that its texts have these words.
#[track_caller]
fn has(found: &[Finding], kind: FindingKind, words: &[&str]) {
    let Some(one) = found.iter().find(|one| one.kind == kind) else {
        panic!("{kind} is not in {found:#?}");
    };
    for word in words {
        let texts = format!("{}. {}", one.explanation, one.remedy);
        assert!(texts.contains(word), "{word:?} is not in {texts:?}");
    }
}

/// Checks that it comes first.
#[track_caller]
fn is_first(found: &[Finding], kind: FindingKind, words: &[&str]) {
    assert_eq!(found.first().map(|one| one.kind), Some(kind), "{found:#?}");
    has(found, kind, words);
}

/// Examines again and again until something of that kind is found: the kernel notices a change of the carrier, and
/// a peer's answer, a moment later.
#[track_caller]
fn wait_for(kind: FindingKind, mut examine: impl FnMut() -> Vec<Finding>) -> Vec<Finding> {
    let mut found = Vec::new();
    wait_until(common::SOON, kind.name(), || {
        found = examine();
        found.iter().any(|one| one.kind == kind)
    });
    found
}

/// Checks that nothing prevents a second subflow.
#[track_caller]
fn is_healthy(found: &[Finding]) {
    assert!(found.iter().all(|one| one.severity == Severity::Notice), "{found:#?}");
}

/// A listener for each family at the first path, and its address.
fn listeners(net: &Net) -> Vec<(TcpListener, SocketAddr)> {
    let listen = |to: IpAddr| {
        let listener = net.server.run(|| subflows::listen((to, 0), &Listen::new())).unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    };
    net.paths[0].server_ips().map(listen).into()
}

/// What no test can make: a kernel without Multipath TCP, and errors such as a lack of memory.
const UNMADE: [FindingKind; 2] = [FindingKind::NoMptcp, FindingKind::ConnectFailed];

#[test]
fn every_finding_is_made_for_real() {
    let sources =
        [include_str!("connection.rs"), include_str!("host.rs"), include_str!("namespace.rs")];
    let sources = [&sources[..], &[include_str!("remote.rs")]].concat().concat();
    for kind in FindingKind::ALL.iter().filter(|kind| !UNMADE.contains(kind)) {
        let name = format!("FindingKind::{kind}");
        let is_named =
            sources.split(&name).skip(1).any(|rest| !rest.starts_with(char::is_alphanumeric));
        assert!(is_named, "no test makes {kind}");
    }
}
