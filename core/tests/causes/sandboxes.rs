//! Sandboxes of containers and services: the cause that is found is the one whose remedy is given.

use std::os::fd::AsFd;
use std::process::Command;

use nix::sys::resource::{Resource, setrlimit};
use subflows::{Connect, ErrorKind, Family, Listen, Open, State};
use subflows_lab::{Namespace, path_manager_setting, ready, skip_unless_ready};

use crate::common::child::{
    helper, helper_with_net_admin, inside, only_as_child, plays, plays_inside,
};
use crate::common::{connect_between, deny, is_without, raw};
use crate::{fails_with, lacks};

/// Checks what `take_control`, `connect` with control and the capability report, and that nothing else
/// is affected.
#[track_caller]
fn no_control(kind: ErrorKind, text: &str, remedy: &str) {
    for to in ["127.0.0.1:0", "[::1]:0"] {
        let listener = subflows::listen(to, &Listen::new()).unwrap();
        let to = listener.local_addr().unwrap();
        let sock = subflows::socket(to).unwrap();
        fails_with(subflows::take_control(&sock), kind, text, remedy);
        fails_with(subflows::connect(to, &Connect::new().control(true)), kind, text, remedy);
        for options in [Connect::new(), Connect::new().local((to.ip(), 0))] {
            let client = subflows::connect(to, &options).unwrap();
            assert_eq!(subflows::status(&client).unwrap().state, State::Mptcp);
        }
    }
}

#[test]
#[ignore = "a child of other tests"]
fn helper_in_a_user_namespace() {
    only_as_child!();
    let (text, remedy) = ("this user namespace", "outside the user namespace");
    no_control(ErrorKind::NotPermitted, text, remedy);
    for name in ["steer", "take_control", "close_any", "events"] {
        lacks(name, text, remedy);
    }
}

/// It is root and has CAP_NET_ADMIN; the remedy was once to become root.
#[test]
fn root_of_a_user_namespace_is_not_advised_to_become_root() {
    if ready() {
        plays_inside(&["-Ur"], "sandboxes::helper_in_a_user_namespace");
    }
}

#[test]
#[ignore = "a child of other tests"]
fn helper_without_proc_sys() {
    only_as_child!();
    let (text, remedy) = ("/proc/sys is hidden", "ProcSubset=pid");
    no_control(ErrorKind::NotPermitted, text, remedy);
    lacks("take_control", text, remedy);
    fails_with(subflows::settings(), ErrorKind::NotPermitted, text, remedy);
    fails_with(subflows::set_setting("enabled", true), ErrorKind::NotPermitted, text, remedy);
    subflows::counters().unwrap();
}

/// The error of such a service was once that its kernel is older than Linux 5.19.
#[test]
fn a_hidden_proc_sys_is_not_an_old_kernel() {
    if ready() {
        let script = "mount -t proc -o subset=pid proc /proc && exec \"$0\" \"$@\"";
        plays_inside(&["-mpf", "sh", "-c", script], "sandboxes::helper_without_proc_sys");
    }
}

#[test]
#[ignore = "a child of other tests"]
fn helper_with_read_only_settings() {
    only_as_child!();
    no_control(ErrorKind::NotPermitted, "read-only", "ProtectKernelTunables=no");
    no_control(ErrorKind::NotPermitted, "read-only", "--sysctl net.mptcp.path_manager=userspace");
    lacks("take_control", "read-only", "ProtectKernelTunables=no");
    for remedy in ["ProtectKernelTunables=no", "--sysctl net.mptcp.checksum_enabled=1"] {
        let set = subflows::set_setting("checksum_enabled", true);
        fails_with(
            set,
            ErrorKind::NotPermitted,
            "net.mptcp.checksum_enabled: /proc/sys is read-only",
            remedy,
        );
    }
    assert_eq!(subflows::settings().unwrap().checksum_enabled, Some(false));
}

/// The remedy for a service was once to start its container in another way.
#[test]
fn read_only_settings_name_the_service_and_the_container() {
    if ready() {
        let script = "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && \
                      exec \"$0\" \"$@\"";
        plays_inside(&["-m", "sh", "-c", script], "sandboxes::helper_with_read_only_settings");
    }
}

#[test]
fn settings_that_a_sandbox_protects_are_named() {
    skip_unless_ready!();
    Namespace::new().unwrap().run(|| {
        // LANDLOCK_ACCESS_FS_WRITE_FILE.
        if !deny::landlock([1 << 1, 0]) {
            return subflows_lab::skip("this kernel has no Landlock");
        }
        let set = subflows::set_setting("checksum_enabled", true);
        fails_with(
            set,
            ErrorKind::NotPermitted,
            "a security policy denies",
            "Allow it in the policy",
        );
        let (text, remedy) = ("cannot be written", "sysctl net.mptcp.path_manager=userspace");
        no_control(ErrorKind::NotPermitted, text, remedy);
        lacks("take_control", text, remedy);
    });
}

#[test]
#[ignore = "a child of other tests"]
fn helper_without_another_process() {
    only_as_child!();
    let taken = || subflows::take_control(&subflows::socket(Family::V4).unwrap());
    taken().unwrap();
    // This process has two threads already.
    setrlimit(Resource::RLIMIT_NPROC, 1, 1).unwrap();
    let (kind, text, remedy) = (ErrorKind::Os, "the limit of processes", "ulimit -u");
    fails_with(taken(), kind, text, remedy);
}

/// The remedy was once to try again.
#[test]
fn no_process_left_names_the_limit() {
    if ready() {
        let namespace = Namespace::new().unwrap();
        let _entered = namespace.enter().unwrap();
        plays(&mut helper_with_net_admin("sandboxes::helper_without_another_process"));
    }
}

#[test]
#[ignore = "a child of other tests"]
fn helper_without_netlink() {
    only_as_child!();
    let namespace = Namespace::current().unwrap();
    let pairs: Vec<_> = ["127.0.0.1", "::1"]
        .map(|ip| {
            let control = Connect::new().control(true);
            let pair = connect_between(&namespace, &namespace, ip.parse().unwrap(), &control);
            pair.make_ready();
            pair
        })
        .into();
    for errno in [libc::EAFNOSUPPORT, libc::EPERM, libc::EACCES, libc::ENOSYS] {
        // In a thread of its own, which has no netlink socket yet.
        std::thread::scope(|scope| {
            let inside = || {
                deny::deny(libc::SYS_socket, (0, libc::AF_NETLINK), errno);
                let (kind, text, remedy) =
                    (ErrorKind::NotPermitted, "denies netlink", "RestrictAddressFamilies");
                fails_with(subflows::endpoints(), kind, text, remedy);
                fails_with(subflows::set_limits(1, 1), kind, text, remedy);
                for pair in &pairs {
                    let status = subflows::status(&pair.client).unwrap();
                    assert_eq!((status.state, status.is_ready), (State::Mptcp, true));
                    fails_with(subflows::open(&pair.client, &Open::new()), kind, text, remedy);
                    fails_with(subflows::details(&pair.client, 1), kind, text, remedy);
                    fails_with(subflows::events(&pair.client), kind, text, remedy);
                    fails_with(subflows::connection(1), kind, text, remedy);
                    fails_with(subflows::connections(&Default::default()), kind, text, remedy);
                    assert_eq!(subflows::info(&pair.client).unwrap().subflows, Some(1));
                    match subflows::list(&pair.client) {
                        // The ids of subflows are then numbers of the socket table.
                        list if is_without("full_info") => fails_with(list, kind, text, remedy),
                        list => assert_eq!(list.unwrap().len(), 1),
                    }
                    assert!(pair.moves_data());
                }
                no_control(kind, text, remedy);
                let unscoped = subflows::connect("[fe80::1]:1", &Connect::new());
                fails_with(unscoped, ErrorKind::InvalidArgument, "on every link", "ip link");
                let prohibited = subflows::connect("198.51.100.1:1", &Connect::new());
                fails_with(prohibited, ErrorKind::Unreachable, "prohibit", "type prohibit");
                for name in ["connections", "details", "steer", "take_control", "events"] {
                    lacks(name, text, remedy);
                }
            };
            if let Err(panic) = scope.spawn(inside).join() {
                std::panic::resume_unwind(panic);
            }
        });
    }
}

/// RestrictAddressFamilies=AF_INET AF_INET6: the remedy was once to load a module, or to use a newer
/// kernel. Once it also could not connect from a local address, as plain TCP can.
#[test]
fn a_filter_of_netlink_is_named() {
    const SETUP: &str =
        "ip link set lo up && ip route add prohibit 198.51.100.1 && exec \"$0\" \"$@\"";
    if ready() {
        plays_inside(&["-n", "sh", "-c", SETUP], "sandboxes::helper_without_netlink");
    }
}

/// Checks that the system call that is forbidden is named, and no capability.
fn is_forbidden(sock: &impl AsFd, call: &str) {
    fails_with(subflows::take_control(sock), ErrorKind::NotPermitted, call, "seccomp");
    let error = subflows::take_control(sock).unwrap_err();
    assert!(error.remedy().contains(call), "{error}");
    assert!(!error.remedy().contains("CAP_NET_ADMIN"), "{error}");
}

#[test]
#[ignore = "a child of other tests"]
fn helper_without_clone() {
    only_as_child!();
    deny::deny(
        libc::SYS_clone,
        (0, libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_FILES),
        libc::EPERM,
    );
    let sock = subflows::socket(Family::V4).unwrap();
    is_forbidden(&sock, "clone");
}

#[test]
#[ignore = "a child of other tests"]
fn helper_without_flock() {
    only_as_child!();
    deny::deny_all(libc::SYS_flock, libc::EPERM);
    let sock = subflows::socket(Family::V6).unwrap();
    is_forbidden(&sock, "flock");
}

/// The remedy was once to run with CAP_NET_ADMIN, which the program had: a forbidden system call is named.
#[test]
fn a_filter_of_clone_or_flock_is_not_a_missing_capability() {
    if ready() {
        let namespace = Namespace::new().unwrap();
        let _entered = namespace.enter().unwrap();
        plays(&mut helper("sandboxes::helper_without_clone"));
        plays(&mut helper("sandboxes::helper_without_flock"));
        let setting = path_manager_setting();
        let value = std::fs::read_to_string(setting.file).unwrap();
        assert_eq!(setting.name(&value), "kernel");
    }
}

#[test]
#[ignore = "a child of other tests"]
fn helper_without_membership() {
    only_as_child!();
    let namespace = Namespace::current().unwrap();
    let control = Connect::new().control(true);
    let pair = connect_between(&namespace, &namespace, "127.0.0.1".parse().unwrap(), &control);
    pair.make_ready();
    // The events' group of the path manager is joined by an option of SOL_NETLINK.
    deny::deny(libc::SYS_setsockopt, (1, libc::SOL_NETLINK), libc::EPERM);
    let (kind, text, remedy) = (ErrorKind::NotPermitted, "a security policy", "dmesg");
    fails_with(subflows::events(&pair.client), kind, text, remedy);
    fails_with(subflows::open(&pair.client, &Open::new()), kind, text, remedy);
    lacks("events", text, remedy);
    assert!(pair.moves_data());
}

/// The remedy for root with the capability was once to become root.
#[test]
fn a_policy_is_not_a_missing_capability() {
    if ready() {
        let namespace = Namespace::new().unwrap();
        let _entered = namespace.enter().unwrap();
        plays(&mut helper("sandboxes::helper_without_membership"));
    }
}

/// `open` and `status` of a program that has used up its descriptors.
#[test]
#[ignore = "a child of other tests"]
fn helper_without_descriptors() {
    only_as_child!();
    let one_more = || raw::socket(libc::AF_INET, libc::SOCK_STREAM, 0).ok();
    let held: Vec<_> = std::iter::from_fn(one_more).collect();
    let (kind, text, remedy) = (ErrorKind::Os, "Too many open files", "ulimit -n");
    fails_with(subflows::socket(Family::V4), kind, text, remedy);
    fails_with(subflows::connect("127.0.0.1:1", &Connect::new()), kind, text, remedy);
    fails_with(subflows::listen("127.0.0.1:0", &Listen::new()), kind, text, remedy);
    fails_with(subflows::take_control(&held[0]).map(drop), ErrorKind::NotMptcp, "", "");
    fails_with(subflows::upgrade(&held[0]), kind, text, remedy);
    drop(held);
}

#[test]
fn no_descriptor_left_names_the_limit() {
    if ready() {
        let helper = helper("sandboxes::helper_without_descriptors");
        let mut sh = Command::new("sh");
        plays(inside(sh.args(["-c", "ulimit -n 64; exec \"$0\" \"$@\""]), helper));
    }
}
