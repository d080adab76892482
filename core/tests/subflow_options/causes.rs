//! Each reason why an option cannot be set has its own cause and remedy, and `capabilities` reports the same.

use subflows::{Connect, Error, ErrorKind, Listen, OptionValue, SubflowOption};
use subflows_lab::{Namespace, ready, skip_unless_ready};

use super::common::child::{helper_without_rights, is_child, plays_inside};
use super::common::{Pair, deny};
use super::{can_set, initial};

/// From <linux/capability.h>.
const CAP_NET_ADMIN: u32 = 12;
const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// A connection in the thread's own namespace.
fn pair_to(ip: &str) -> Pair {
    let listener = subflows::listen((ip, 0), &Listen::new()).unwrap();
    let client = subflows::connect(listener.local_addr().unwrap(), &Connect::new()).unwrap();
    let pair = Pair { client, server: listener.accept().unwrap().0, listener };
    pair.make_ready();
    pair
}

fn pair() -> Pair {
    pair_to("127.0.0.1")
}

/// Checks what the verbs and the capability report, and that what the kernel reports to every process is still
/// read.
#[track_caller]
fn fails_with(pair: &Pair, kind: ErrorKind, text: &str, remedy: &str) {
    let check = |error: Error| {
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(text), "{text:?} is not in: {error}");
        assert!(error.remedy().contains(remedy), "{remedy:?} is not in: {}", error.remedy());
    };
    let (sock, id) = (&pair.client, subflows::list(&pair.client).unwrap()[0].id);
    check(subflows::set_option(sock, id, SubflowOption::Mark, 1).unwrap_err());
    check(subflows::get_option(sock, id, SubflowOption::UserTimeout).unwrap_err());
    let capability = subflows::capabilities().unwrap();
    let capability = capability.into_iter().find(|found| found.name == "options").unwrap();
    assert!(!capability.is_available, "{capability:?}");
    assert!(capability.cause.as_ref().is_some_and(|cause| cause.contains(text)), "{capability:?}");
    assert!(capability.remedy.as_ref().is_some_and(|help| help.contains(remedy)), "{capability:?}");
    let control = subflows::get_option(sock, id, SubflowOption::CongestionControl).unwrap();
    assert!(matches!(control, OptionValue::Name(name) if !name.is_empty()));
    let values = subflows::options(sock, id).unwrap();
    assert!(values.congestion_control.is_some() && values.send_buffer.is_some(), "{values:?}");
    assert!(values.max_pacing_rate.is_some() && values.traffic_class.is_some(), "{values:?}");
    assert_eq!(values.user_timeout_ms, None);
    assert!(pair.moves_data());
}

/// Runs this in a thread of a namespace of its own, which it may spoil.
fn inside(play: impl FnOnce() + Send) {
    let namespace = Namespace::new().unwrap();
    let played = std::thread::scope(|scope| {
        let spoiled = || {
            namespace.enter_for_good().unwrap();
            play();
        };
        scope.spawn(spoiled).join()
    });
    if let Err(panic) = played {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn each_missing_capability_is_named() {
    if !can_set() {
        return;
    }
    let remedy = "+bpf,+perfmon";
    for (gone, text) in [
        (&[CAP_SYS_ADMIN, CAP_BPF][..], "lacks CAP_BPF"),
        (&[CAP_SYS_ADMIN, CAP_PERFMON], "lacks CAP_PERFMON"),
        (&[CAP_SYS_ADMIN, CAP_BPF, CAP_PERFMON], "lacks CAP_BPF and CAP_PERFMON"),
    ] {
        inside(|| {
            let pair = pair();
            // A program that is kept from before is of no use to a process without the right.
            subflows::set_option(&pair.client, initial(&pair.client), SubflowOption::Mark, 1)
                .unwrap();
            deny::give_up(gone);
            fails_with(&pair, ErrorKind::NotPermitted, text, remedy);
        });
    }
}

/// `CAP_SYS_ADMIN` is not needed. Before Linux 6.15, `CAP_NET_ADMIN` is, to find the subflow.
#[test]
fn the_two_capabilities_are_enough() {
    if !can_set() {
        return;
    }
    inside(|| {
        let pair = pair();
        let others: Vec<u32> = (0..CAP_PERFMON).filter(|number| *number != CAP_NET_ADMIN).collect();
        deny::give_up(&others);
        subflows::set_option(&pair.client, initial(&pair.client), SubflowOption::Mark, 9).unwrap();
        let mark =
            subflows::get_option(&pair.client, initial(&pair.client), SubflowOption::Mark).unwrap();
        assert_eq!(mark, OptionValue::Number(9));
    });
}

#[test]
#[ignore = "a child of other tests"]
fn helper_as_nobody() {
    if !is_child() {
        return;
    }
    let pair = pair();
    // Before Linux 6.15, not even the subflow is found without CAP_NET_ADMIN.
    if subflows::details(&pair.client, initial(&pair.client)).is_ok() {
        fails_with(
            &pair,
            ErrorKind::NotPermitted,
            "lacks CAP_BPF and CAP_PERFMON",
            "+bpf,+perfmon",
        );
    }
}

/// Whatever `kernel.unprivileged_bpf_disabled` is: the kernel lets no unprivileged process run such programs.
#[test]
fn an_unprivileged_user_lacks_both_capabilities() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let _entered = namespace.enter().unwrap();
    match helper_without_rights("causes::helper_as_nobody").status() {
        Ok(status) => assert!(status.success()),
        Err(error) => subflows_lab::skip(&format!("no other user: {error}")),
    }
}

#[test]
#[ignore = "a child of other tests"]
fn helper_in_a_user_namespace() {
    if is_child() {
        let text = "of this user namespace";
        fails_with(&pair(), ErrorKind::NotPermitted, text, "outside the user namespace");
    }
}

#[test]
#[ignore = "a child of other tests"]
fn helper_without_types() {
    if is_child() {
        fails_with(
            &pair(),
            ErrorKind::Unsupported,
            "/sys/kernel/btf/vmlinux",
            "CONFIG_DEBUG_INFO_BTF",
        );
    }
}

#[test]
fn for_root_of_a_user_namespace_the_error_names_it() {
    if ready() {
        plays_inside(
            &["-Urn", "sh", "-c", "ip link set lo up; exec \"$0\" \"$@\""],
            "causes::helper_in_a_user_namespace",
        );
    }
}

#[test]
fn for_a_kernel_without_types_the_error_names_them() {
    if can_set() {
        let script = "mount -t tmpfs none /sys/kernel/btf && exec \"$0\" \"$@\"";
        plays_inside(&["-m", "sh", "-c", script], "causes::helper_without_types");
    }
}

#[test]
fn filters_of_system_calls_are_named() {
    if !can_set() {
        return;
    }
    /// A command of bpf(2).
    const LINK_CREATE: i32 = 28;
    let denied = "a security policy denies bpf(2)";
    inside(|| {
        let pair = pair();
        deny::deny_all(libc::SYS_bpf, libc::EPERM);
        fails_with(&pair, ErrorKind::NotPermitted, denied, "seccomp");
    });
    inside(|| {
        let pair = pair();
        deny::deny_all(libc::SYS_bpf, libc::ENOSYS);
        fails_with(&pair, ErrorKind::Unsupported, "no bpf(2)", "CONFIG_BPF_SYSCALL");
    });
    inside(|| {
        let pair = pair();
        deny::deny(libc::SYS_bpf, (0, LINK_CREATE), libc::EPERM);
        fails_with(&pair, ErrorKind::NotPermitted, denied, "seccomp");
    });
    // As a kernel without the iterator answers.
    inside(|| {
        let pair = pair();
        deny::deny(libc::SYS_bpf, (0, LINK_CREATE), libc::EINVAL);
        fails_with(&pair, ErrorKind::Unsupported, "no BPF iterator", "Linux 6.1");
    });
}

#[test]
fn a_filter_of_clone_is_named() {
    if !can_set() {
        return;
    }
    inside(|| {
        let pair = pair();
        deny::deny_all(libc::SYS_clone, libc::EPERM);
        let set = subflows::set_option(&pair.client, initial(&pair.client), SubflowOption::Mark, 1);
        let error = set.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotPermitted, "{error}");
        assert!(error.to_string().contains("clone"), "{error}");
    });
}

/// The states of a socket, as every verb reports them.
#[test]
fn other_sockets_have_no_subflow() {
    if !can_set() {
        return;
    }
    inside(|| {
        let kind = |sock: &std::net::TcpStream, id| {
            let set = subflows::set_option(sock, id, SubflowOption::Mark, 1);
            let get = subflows::get_option(sock, id, SubflowOption::NoDelay);
            let options = subflows::options(sock, id);
            let kinds = [set.unwrap_err(), get.unwrap_err(), options.unwrap_err()];
            assert!(kinds.iter().all(|error| error.kind() == kinds[0].kind()), "{kinds:?}");
            kinds[0].kind()
        };
        for ip in ["127.0.0.1", "::1"] {
            let pair = pair_to(ip);
            assert_eq!(kind(&pair.client, 99), ErrorKind::NoSuchSubflow);
            let fresh = subflows::socket(pair.listener.local_addr().unwrap()).unwrap();
            assert_eq!(kind(&fresh.into(), 1), ErrorKind::NoSuchSubflow);
            let plain = std::net::TcpListener::bind((ip, 0)).unwrap();
            let plain = std::net::TcpStream::connect(plain.local_addr().unwrap()).unwrap();
            assert_eq!(kind(&plain, 1), ErrorKind::NotMptcp);
            // The argument is refused before the socket is looked at.
            let set = subflows::set_option(&plain, 1, SubflowOption::TrafficClass, 256);
            let error = set.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.remedy().contains("from 0 to 255"), "{error}");
        }
    });
}
