//! Sandboxes and rights.

use std::thread;

use subflows::{AddEndpoint, Connect, Doctor, Finding, FindingKind, Listen};
use subflows_lab::{Namespace, ready, skip_unless_ready, wait_until};

use crate::common::child::{helper, only_as_child, plays, plays_inside};
use crate::common::{Pair, SOON, deny};
use crate::{checked, has, is_first, is_healthy};

/// What the doctor finds in a thread of a new namespace that is restricted first. Without a second interface,
/// there is always something else to find, so the remedies may ask for an address.
fn restricted(restrict: impl FnOnce() + Send) -> Vec<Finding> {
    let namespace = Namespace::new().unwrap();
    let play = || {
        namespace.enter_for_good().unwrap();
        restrict();
        subflows::doctor(&Doctor::new()).unwrap()
    };
    thread::scope(|scope| scope.spawn(play).join().unwrap())
}

#[test]
fn sandboxes_are_found() {
    skip_unless_ready!();
    let (socket, mptcp, netlink) = (libc::SYS_socket, libc::IPPROTO_MPTCP, libc::AF_NETLINK);
    let found = restricted(|| deny::deny(socket, (2, mptcp), libc::EPERM));
    is_first(&checked(found), FindingKind::MptcpDenied, &["protocol 262"]);
    let found = restricted(|| deny::deny(socket, (0, netlink), libc::EAFNOSUPPORT));
    is_first(&checked(found), FindingKind::NetlinkDenied, &["RestrictAddressFamilies"]);
    let found = restricted(deny::give_up_net_admin);
    has(&found, FindingKind::NoRight, &["CAP_NET_ADMIN", "broker"]);
}

#[test]
#[ignore = "a child of other tests"]
fn helper_without_proc_sys() {
    only_as_child!();
    let found = subflows::doctor(&Doctor::new()).unwrap();
    has(&found, FindingKind::HiddenSettings, &["ProcSubset=pid"]);
}

#[test]
#[ignore = "a child of other tests"]
fn helper_with_read_only_settings() {
    only_as_child!();
    let found = subflows::doctor(&Doctor::new()).unwrap();
    has(&found, FindingKind::ReadOnlySettings, &["--sysctl net.mptcp.path_manager=userspace"]);
}

#[test]
#[ignore = "a child of other tests"]
fn helper_without_tcp_diag() {
    only_as_child!();
    let found = subflows::doctor(&Doctor::new()).unwrap();
    has(&found, FindingKind::NoTcpDiag, &["modprobe tcp_diag"]);

    // The second subflow of a connection is seen nevertheless.
    let second = AddEndpoint::new().subflow(true);
    subflows::add_endpoint([127, 0, 0, 2].into(), &second).unwrap();
    let listener = subflows::listen("127.0.0.1:0", &Listen::new()).unwrap();
    let client = subflows::connect(listener.local_addr().unwrap(), &Connect::new()).unwrap();
    let pair = Pair::accept(client, listener);
    pair.make_ready();
    let count = || subflows::list(&pair.client).map_or(2, |listed| listed.len());
    wait_until(SOON, "the kernel's subflow", || count() == 2);
    is_healthy(&subflows::diagnose(&pair.client).unwrap());
}

#[test]
fn a_missing_module_is_found() {
    skip_unless_ready!();
    let _entered = Namespace::new().unwrap().enter().unwrap();
    plays(helper("host::helper_without_tcp_diag").env("SUBFLOWS_WITHOUT", "tcp_diag"));
}

#[test]
fn hidden_and_read_only_settings_are_found() {
    if !ready() {
        return;
    }
    let script = "mount -t proc -o subset=pid proc /proc && exec \"$0\" \"$@\"";
    plays_inside(&["-mpf", "sh", "-c", script], "host::helper_without_proc_sys");
    let script = "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && \
                  exec \"$0\" \"$@\"";
    plays_inside(&["-m", "sh", "-c", script], "host::helper_with_read_only_settings");
}
