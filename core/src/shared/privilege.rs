//! Why the kernel refuses this process an act, or a netlink socket.

use crate::cause::{self, Cause};
use crate::sys::path_manager::PathManagerSocket;
use crate::sys::{cache, rights, socket};

/// Returns what a refusal by netlink with that error number means, if this process is the reason.
pub(crate) fn cause(errno: i32) -> Option<Cause> {
    match errno {
        // Either the kernel refused the act, or a policy refuses the socket on which to ask for it.
        libc::EPERM => Some(denied().unwrap_or_else(missing)),
        libc::EACCES | libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT | libc::ENOSYS | libc::EINVAL => {
            denied()
        }
        _ => None,
    }
}

/// As [`cause`], for what belongs to the whole network namespace: no broker does that.
pub(crate) fn cause_without_broker(errno: i32) -> Option<Cause> {
    cause(errno).map(without_broker)
}

/// As [`missing`], for what belongs to the whole network namespace.
pub(crate) fn missing_without_broker() -> Cause {
    without_broker(missing())
}

fn without_broker(cause: Cause) -> Cause {
    if cause == cause::NO_CAPABILITY { cause::NO_CAPABILITY_OF_OWN } else { cause }
}

fn denied() -> Option<Cause> {
    let made = socket::new(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_GENERIC);
    match made.map_err(|error| error.raw_os_error()) {
        Ok(_) | Err(Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)) => None,
        Err(_) => Some(cause::NETLINK_DENIED),
    }
}

/// Returns why this process may not change subflows.
pub(crate) fn missing() -> Cause {
    match (has_net_admin(), is_in_user_namespace()) {
        (false, _) => cause::NO_CAPABILITY,
        (true, true) => cause::USER_NAMESPACE,
        (true, false) => cause::ACT_DENIED,
    }
}

/// Reports whether this thread may change subflows, as far as that shows without asking the kernel to: it
/// has CAP_NET_ADMIN, and not only over a user namespace that may own no network.
pub(crate) fn may_be_admin() -> bool {
    rights::has(rights::NET_ADMIN)
        && (!is_in_user_namespace()
            || cache::with_any_socket(PathManagerSocket::may_act).unwrap_or(true))
}

/// Reports whether the thread has CAP_NET_ADMIN over its own user namespace.
fn has_net_admin() -> bool {
    rights::has(rights::NET_ADMIN)
}

/// Reports whether the process is in another user namespace than the host's, whose map is the identity.
fn is_in_user_namespace() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    !map.is_empty() && !map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// Returns why this process may not run BPF programs, if it lacks a capability.
pub(crate) fn missing_for_bpf() -> Option<Cause> {
    match (rights::has_or_is_admin(rights::BPF), rights::has_or_is_admin(rights::PERFMON)) {
        (true, true) => None,
        (false, true) => Some(cause::NO_CAP_BPF),
        (true, false) => Some(cause::NO_CAP_PERFMON),
        (false, false) => Some(cause::NO_CAP_BPF_AND_PERFMON),
    }
}

/// Returns why the kernel refused bpf(2) to a process that has the capabilities.
pub(crate) fn bpf_denied() -> Cause {
    if is_in_user_namespace() { cause::BPF_IN_USER_NAMESPACE } else { cause::BPF_DENIED }
}
