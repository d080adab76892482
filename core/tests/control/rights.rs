//! What a process without privileges can do, and which errors it gets for everything else.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Stdio;

use subflows::{Connect, ConnectionsOptions, Error, ErrorKind, Open, PathManager, State};
use subflows_lab::{Namespace, ready, skip, skip_unless_ready};

use crate::common::child::{helper, helper_without_rights, only_as_child, plays};
use crate::common::deny::die_at;
use crate::common::raw::hides_subflows;
use crate::common::{connect_between, expect_error, is_without, userspace};
use crate::{LOOPBACK, setting, socket};

#[track_caller]
fn not_permitted<T: std::fmt::Debug>(result: Result<T, Error>) {
    let error = expect_error(result, ErrorKind::NotPermitted);
    assert!(error.remedy().contains("CAP_NET_ADMIN"), "{}", error.remedy());
}

/// What a process without rights sees of a path manager: nothing before Linux 6.10.
fn shown(manager: PathManager) -> PathManager {
    if is_without("addresses_by_token") { PathManager::Unknown } else { manager }
}

/// Runs without privileges. Its standard input is a controlled connection that a privileged process
/// made.
#[test]
#[ignore = "a child of other tests"]
fn helper_without_any_right() {
    only_as_child!();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    assert!(status.contains("\nCapEff:\t0000000000000000\n"), "{status}");
    let stream = TcpStream::from(io::stdin().as_fd().try_clone_to_owned().unwrap());

    for ip in LOOPBACK {
        let sock = socket(ip);
        match std::env::var("SUBFLOWS_TEST_USERSPACE") {
            // The setting need not be written, so no privilege is needed.
            Ok(_) => subflows::take_control(&sock).unwrap(),
            Err(_) => not_permitted(subflows::take_control(&sock)),
        }
        assert_eq!(subflows::status(&sock).unwrap().state, State::Unconnected);
    }
    not_permitted(subflows::open(&stream, &Open::new()));
    not_permitted(subflows::events(&stream));
    let [initial, second] = &subflows::list(&stream).unwrap()[..] else { panic!("not two") };
    not_permitted(subflows::close(&stream, second.id));
    not_permitted(subflows::set_backup(&stream, initial.id, true));
    not_permitted(subflows::announce(&stream, initial.local.ip(), &Default::default()));

    let status = subflows::status(&stream).unwrap();
    assert_eq!((status.state, status.is_ready), (State::Mptcp, true));
    assert_eq!(status.path_manager, shown(PathManager::Userspace));
    assert_eq!(subflows::info(&stream).unwrap().subflows, Some(2));
    let token = status.token.unwrap();
    let with_subflows = ConnectionsOptions::new().subflows(true);
    let is_hidden = hides_subflows();
    if is_hidden {
        not_permitted(subflows::details(&stream, second.id));
        not_permitted(subflows::addresses(&stream));
        not_permitted(subflows::connections(&with_subflows));
    } else {
        assert!(subflows::details(&stream, second.id).unwrap().is_joined);
        let addresses = subflows::addresses(&stream).unwrap();
        assert_eq!(addresses.iter().map(|address| address.subflows).sum::<u32>(), 2);
        let all = subflows::connections(&with_subflows).unwrap();
        let found = all.iter().find(|found| found.token == token).unwrap();
        assert_eq!(found.subflows.len(), 2);
    }
    let all = subflows::connections(&ConnectionsOptions::new()).unwrap();
    let found = all.iter().find(|found| found.token == token).unwrap();
    assert_eq!(subflows::connection(token).unwrap().local, found.local);
    for capability in subflows::capabilities().unwrap() {
        let needs = match capability.name.as_str() {
            "steer" | "take_control" | "close_any" | "events" | "options" => true,
            "details" => is_hidden,
            // Older kernels lack these, with and without the right.
            "full_info" => continue,
            _ => false,
        };
        assert_eq!(capability.is_available, !needs, "{capability:?}");
        assert_eq!(capability.remedy.is_some(), needs, "{capability:?}");
    }
    println!("all said");
}

fn ask_unprivileged(is_userspace: bool) {
    let namespace = Namespace::new().unwrap();
    let control = Connect::new().control(true);
    for ip in LOOPBACK {
        let pair = connect_between(&namespace, &namespace, ip, &control);
        pair.make_ready();
        namespace.run(|| subflows::open(&pair.client, &Open::new())).unwrap();
        if is_userspace {
            userspace(&namespace);
        }
        let before = setting(&namespace);
        let _entered = namespace.enter().unwrap();
        let mut command = helper_without_rights("rights::helper_without_any_right");
        if is_userspace {
            command.env("SUBFLOWS_TEST_USERSPACE", "yes");
        }
        let stdin = OwnedFd::from(pair.client.try_clone().unwrap());
        let child = command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let Ok(mut child) = child else { return skip("this user namespace has only one user") };
        let output = (child.stdout.take(), child.stderr.take());
        let mut said = String::new();
        output.0.unwrap().read_to_string(&mut said).unwrap();
        output.1.unwrap().read_to_string(&mut said).unwrap();
        assert!(child.wait().unwrap().success(), "{said}");
        assert!(said.contains("all said"), "{said}");
        assert_eq!(setting(&namespace), before);
        assert!(pair.moves_data());
    }
}

#[test]
fn an_unprivileged_user_reads_and_learns_the_missing_right() {
    if ready() {
        ask_unprivileged(false);
    }
}

#[test]
fn an_unprivileged_user_takes_control_if_nothing_is_to_be_written() {
    if ready() {
        ask_unprivileged(true);
    }
}

#[test]
fn an_unprivileged_user_connects_and_learns_why_control_is_missing() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    for ip in LOOPBACK {
        let listener = namespace.run(|| subflows::listen((ip, 0), &Default::default())).unwrap();
        let to: SocketAddr = listener.local_addr().unwrap();
        let _entered = namespace.enter().unwrap();
        let mut command = helper_without_rights("rights::helper_that_connects");
        command.env("SUBFLOWS_TEST_TO", to.to_string()).stdout(Stdio::null());
        let Ok(mut child) = command.spawn() else {
            return skip("this user namespace has only one user");
        };
        assert!(child.wait().unwrap().success());
    }
}

#[test]
#[ignore = "a child of other tests"]
fn helper_that_connects() {
    only_as_child!();
    let to = std::env::var("SUBFLOWS_TEST_TO").unwrap();
    not_permitted(subflows::connect(to.as_str(), &Connect::new().control(true)));
    let stream = subflows::connect(to.as_str(), &Connect::new()).unwrap();
    assert_eq!(subflows::status(&stream).unwrap().path_manager, shown(PathManager::Kernel));
}

#[test]
#[ignore = "a child of other tests"]
fn helper_without_priorities() {
    only_as_child!();
    // As service managers set it.
    die_at(&[libc::SYS_sched_setscheduler]);
    for ip in LOOPBACK {
        for _ in 0..20 {
            subflows::take_control(&socket(ip)).unwrap();
        }
    }
}

/// Once the child that takes control was killed when it changed its scheduling, and `take_control`
/// failed.
#[test]
fn control_is_taken_under_a_filter_that_forbids_priorities() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let _entered = namespace.enter().unwrap();
    plays(&mut helper("rights::helper_without_priorities"));
    assert_eq!(setting(&namespace), "kernel");
}
