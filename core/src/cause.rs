//! The table of causes: why something is not possible on this host, to which kind of error that belongs,
//! and the remedy. Capabilities, doors and verbs report a cause in the words of this table.
//!
//! A row has a fixed text. A text that contains a name or an address is written where its cause is found. What else
//! a new cause needs: `bindings/README.md`.

use crate::error::{Error, ErrorKind};

/// Why something is not possible, and what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    pub(crate) kind: ErrorKind,
    /// What is missing or in the way, as a clause.
    pub(crate) what: &'static str,
    /// What helps, as a sentence.
    pub(crate) remedy: &'static str,
}

impl Cause {
    /// Returns the error of that operation.
    #[cold]
    #[inline(never)]
    pub(crate) fn error(self, operation: &'static str) -> Error {
        self.explain(Error::new(self.kind, operation))
    }

    /// Gives an error the kind, the text and the remedy of this cause.
    #[cold]
    #[inline(never)]
    pub(crate) fn explain(self, error: Error) -> Error {
        error.with_kind(self.kind).detail(self.what).with_remedy(self.remedy)
    }
}

/// Declares the table: name, kind, what, remedy.
macro_rules! causes {
    ($($(#[doc = $doc:literal])* $name:ident = $kind:ident, $what:literal, $remedy:literal;)*) => {
        $($(#[doc = $doc])* pub(crate) const $name: Cause =
            Cause { kind: ErrorKind::$kind, what: $what, remedy: $remedy };)*

        #[cfg(test)]
        const ALL: &[Cause] = &[$($name),*];
    };
}

causes! {
    // Multipath TCP itself.

    NO_MPTCP = Unsupported, "this kernel has no Multipath TCP",
        "Use Linux 5.6 or newer, with CONFIG_MPTCP.";
    SWITCHED_OFF = Unsupported, "Multipath TCP is switched off in this network namespace",
        "Run sysctl net.mptcp.enabled=1.";
    /// By a seccomp filter or an SELinux policy, with any error number.
    MPTCP_DENIED = Unsupported, "a security policy denies Multipath TCP to this process",
        "Allow socket(2) with protocol 262 in the seccomp filter or SELinux policy.";

    /// The kernel's protection from black holes; see net/mptcp/ctrl.c.
    BLACK_HOLE_BEFORE = Unsupported,
        "this kernel has suspended Multipath TCP in this network namespace, because SYNs of an earlier \
         connection were answered only without its option",
        "Let it forget that: sysctl -w net.mptcp.blackhole_timeout=3600.";

    // What the kernel reports.

    NO_INFO = Unsupported, "this kernel does not report the state of Multipath TCP sockets",
        "Use Linux 5.16 or newer.";
    NO_FULL_INFO = Unsupported,
        "this kernel does not report all subflows in one call, so the library makes several",
        "Use Linux 6.5 or newer.";
    SIMULATED = Unsupported, "switched off by the variable SUBFLOWS_WITHOUT",
        "Unset SUBFLOWS_WITHOUT.";
    /// No test: only a kernel that is built without Multipath TCP answers so.
    NO_COUNTERS = Unsupported, "this kernel has no counters of Multipath TCP",
        "Use Linux 5.6 or newer, with CONFIG_MPTCP.";
    NO_MPTCP_DIAG = Unsupported, "this kernel does not list Multipath TCP connections",
        "Load the module on the host: modprobe mptcp_diag.";
    NO_TCP_DIAG = Unsupported, "this kernel does not look up TCP sockets, so no subflow can be found",
        "Load the module on the host: modprobe tcp_diag.";
    HIDDEN_DETAILS = NotPermitted,
        "before Linux 6.15, the kernel shows the details of subflows only to a process with \
         CAP_NET_ADMIN",
        "Run the program with CAP_NET_ADMIN, or use Linux 6.15 or newer.";
    NO_EVENTS = Unsupported, "this kernel does not report events",
        "Use Linux 5.12 or newer.";
    /// No test: only a kernel that is built without the option answers so.
    NO_DESTROY = Unsupported, "this kernel cannot close a subflow that its own path manager opened",
        "Use a kernel with CONFIG_INET_DIAG_DESTROY, or take control of the connection before it \
         connects.";

    // Options of a single subflow, by BPF.

    NO_BPF = Unsupported, "this kernel has no bpf(2), or a filter of system calls hides it",
        "Use a kernel with CONFIG_BPF_SYSCALL, or allow bpf(2) in the seccomp filter \
         (SystemCallFilter=bpf in a systemd service).";
    NO_BTF = Unsupported,
        "the file /sys/kernel/btf/vmlinux, which BPF iterators require, does not exist",
        "Use a kernel with CONFIG_DEBUG_INFO_BTF, and mount /sys in a container.";
    NO_TCP_ITERATOR = Unsupported,
        "this kernel has no BPF iterator that can change the options of TCP sockets",
        "Use Linux 6.1 or newer, with CONFIG_BPF_SYSCALL and CONFIG_DEBUG_INFO_BTF.";
    BPF_REJECTED = Unsupported,
        "this kernel's BPF verifier rejects the program of this library, or a security policy denies it",
        "Use a newer kernel; if a policy (SELinux, AppArmor) denies it, see dmesg.";
    /// The kernel has a list of options for BPF, which grows.
    NOT_FOR_BPF = Unsupported,
        "this kernel does not let BPF programs get or set this option, or the option has another length",
        "Use Linux 6.1 or newer, or set the option on the socket, for all subflows: setsockopt(2).";
    NO_CLASS_OF_MAPPED = Unsupported,
        "this kernel lets no BPF program get or set the TOS of an IPv4 subflow of an IPv6 socket",
        "Use a newer kernel (6.18 does), connect to the IPv4 address by an IPv4 socket, or set IP_TOS on the \
         socket, for all subflows.";
    NO_CAP_BPF = NotPermitted, "this process lacks CAP_BPF",
        "Run the program with CAP_BPF and CAP_PERFMON: as root, in a service with \
         AmbientCapabilities=CAP_BPF CAP_PERFMON, or by \
         setpriv --inh-caps +bpf,+perfmon --ambient-caps +bpf,+perfmon.";
    NO_CAP_PERFMON = NotPermitted, "this process lacks CAP_PERFMON",
        "Run the program with CAP_BPF and CAP_PERFMON: as root, in a service with \
         AmbientCapabilities=CAP_BPF CAP_PERFMON, or by \
         setpriv --inh-caps +bpf,+perfmon --ambient-caps +bpf,+perfmon.";
    NO_CAP_BPF_AND_PERFMON = NotPermitted, "this process lacks CAP_BPF and CAP_PERFMON",
        "Start the broker as root (subflows broker), or run the program with CAP_BPF and CAP_PERFMON: as root, in a service with \
         AmbientCapabilities=CAP_BPF CAP_PERFMON, or by \
         setpriv --inh-caps +bpf,+perfmon --ambient-caps +bpf,+perfmon.";
    /// The kernel checks both capabilities in the host's user namespace.
    BPF_IN_USER_NAMESPACE = NotPermitted,
        "CAP_BPF and CAP_PERFMON of this user namespace do not extend to BPF programs",
        "Run the program with CAP_BPF and CAP_PERFMON outside the user namespace (as root of the host, \
         or in a container without --userns).";
    /// By seccomp, SELinux or AppArmor.
    BPF_DENIED = NotPermitted,
        "a security policy denies bpf(2) to a process that has CAP_BPF and CAP_PERFMON",
        "Allow bpf(2) in the policy (seccomp, SELinux, AppArmor): Docker's filter allows it with \
         --cap-add BPF --cap-add PERFMON; see the denials in dmesg.";
    WALKER_DENIED = NotPermitted,
        "a security policy denies a system call that options of a subflow require (clone)",
        "Allow clone(2) with CLONE_VM, CLONE_FILES and CLONE_PIDFD in the seccomp filter.";
    NO_WALKER = Os,
        "the limit of processes is reached, and options of a subflow require one more",
        "Raise the limit: ulimit -u, or TasksMax= in a systemd service.";
    LOCKED_SOCKET = TimedOut,
        "another program kept one of its TCP sockets locked for the whole 5 s, which stops the search for \
         the subflow in the kernel's table",
        "Call again when that program goes on: it is stopped in the middle of a system call on a socket \
         (state D of ps -eo stat,wchan,pid,cmd), often by a page fault on a slow or malicious file system.";
    LOCKED_SOCKETS = Busy,
        "16 earlier calls of this process still wait for TCP sockets that other programs keep locked",
        "End the programs that are stopped in a system call on a socket: state D of \
         ps -eo stat,wchan,pid,cmd.";

    // The path manager.

    /// No test: only Linux 5.6 answers so.
    NO_PATH_MANAGER = Unsupported, "the kernel's path manager does not answer",
        "Use Linux 5.7 or newer.";
    /// No test: only kernels before Linux 5.19 answer so.
    NO_USERSPACE = Unsupported, "this kernel has no userspace path manager",
        "Use Linux 5.19 or newer, with CONFIG_MPTCP.";
    ACCEPTED = NotControlled, "the kernel's path manager manages this accepted connection",
        "Run sysctl net.mptcp.path_manager=userspace on this host before clients connect: the setting \
         at the time of the handshake decides.";

    /// No test: only kernels before Linux 5.18 answer so.
    NO_ENDPOINT_CHANGE = Unsupported, "this kernel does not change the flags of an endpoint by its id",
        "Remove the endpoint and add it again with the flags that you want.";

    // Rights.

    /// For what belongs to the whole network namespace, which the broker leaves alone.
    NO_CAPABILITY_OF_OWN = NotPermitted,
        "this process lacks CAP_NET_ADMIN over its network namespace, which the broker does not replace here",
        "Run the program with CAP_NET_ADMIN: as root, in a service with AmbientCapabilities=CAP_NET_ADMIN, or \
         by setpriv --inh-caps +net_admin --ambient-caps +net_admin.";
    NO_CAPABILITY = NotPermitted, "this process lacks CAP_NET_ADMIN over its network namespace",
        "Start the broker as root (subflows broker), or run the program with CAP_NET_ADMIN: as root, in \
         a service with AmbientCapabilities=CAP_NET_ADMIN, or by \
         setpriv --inh-caps +net_admin --ambient-caps +net_admin.";
    /// Root of a user namespace, in a network namespace that belongs to another one.
    USER_NAMESPACE = NotPermitted,
        "CAP_NET_ADMIN of this user namespace does not extend to its network namespace",
        "Give the container a network namespace of its own (unshare --net, podman without \
         --network=host), or run the program with CAP_NET_ADMIN outside the user namespace.";
    /// By AppArmor, SELinux, a program of the control group, or a seccomp filter.
    ACT_DENIED = NotPermitted,
        "a security policy denies this to a process that has CAP_NET_ADMIN",
        "Allow it in the policy (AppArmor, SELinux, seccomp, a program of the control group): see the \
         denials in dmesg.";
    /// systemd's RestrictAddressFamilies, or another filter of socket(2).
    NETLINK_DENIED = NotPermitted, "a security policy denies netlink sockets to this process",
        "Allow AF_NETLINK: in a systemd service, RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK.";
    READ_ONLY_SETTINGS = NotPermitted,
        "net.mptcp.path_manager cannot be written: /proc/sys is read-only",
        "Start a container with --sysctl net.mptcp.path_manager=userspace, or run a broker for its network \
         namespace (subflows broker --netns /proc/PID/ns/net); set ProtectKernelTunables=no in a systemd service.";
    HIDDEN_SETTINGS = NotPermitted, "net.mptcp.path_manager cannot be read: /proc/sys is hidden",
        "Mount /proc completely: without ProcSubset=pid in a systemd service, without subset=pid in a \
         mount.";
    READ_ONLY_SYSCTLS = NotPermitted, "/proc/sys is read-only",
        "Start the container with --sysctl net.mptcp.NAME=VALUE; set ProtectKernelTunables=no in a systemd \
         service.";
    HIDDEN_SYSCTLS = NotPermitted, "the settings net.mptcp cannot be read: /proc/sys is hidden",
        "Mount /proc completely: without ProcSubset=pid in a systemd service, without subset=pid in a \
         mount.";
    UNWRITABLE_SETTINGS = NotPermitted, "net.mptcp.path_manager cannot be written",
        "Run the program as root of the network namespace's user namespace, or run \
         sysctl net.mptcp.path_manager=userspace before it.";
    /// A filter of clone, flock, or the open of the namespace's file.
    HELPER_DENIED = NotPermitted,
        "a security policy denies a system call that taking control requires (clone, flock or \
         connect)",
        "Allow clone(2) with CLONE_VM and CLONE_VFORK, flock(2) and connect(2) in the seccomp filter or \
         SELinux policy.";
    NO_PROCESS = Os, "the limit of processes is reached, and taking control requires one more",
        "Raise the limit: ulimit -u, or TasksMax= in a systemd service.";

    // The network.

    PROHIBIT_ROUTE = Unreachable, "its route has the type prohibit",
        "Find the route or rule and change it: ip route show table all type prohibit, and ip rule.";
    BLACKHOLE_ROUTE = Unreachable, "its route has the type blackhole",
        "Find the route or rule and change it: ip route show table all type blackhole, and ip rule.";
    UNREACHABLE_ROUTE = Unreachable, "its route has the type unreachable, or its neighbor is unknown",
        "Find the route or rule and change it: ip route show table all type unreachable, and ip rule.";
    LOOPBACK_ADDRESS = AddressNotAvailable,
        "the local address is one of the loopback interface, with which no packet leaves this host",
        "Use an address of another interface: ip address.";
    /// By Landlock, SELinux, seccomp, or a program of the control group.
    CONNECT_DENIED = NotPermitted, "a security policy of this host denies the connection",
        "Allow connections to that address and port in the policy (Landlock, SELinux, seccomp, a \
         program of the control group).";
    BIND_DENIED = NotPermitted, "a security policy of this host denies this address and port",
        "Allow it in the policy (Landlock, SELinux, seccomp, a program of the control group).";
    REJECTED_ON_PATH = Unreachable, "a host or a firewall on the path rejects the packets",
        "Check the firewalls of the peer and of the routers before it: traceroute --tcp.";
    NO_PORT_LEFT = AddressNotAvailable,
        "no local port of net.ipv4.ip_local_port_range is left",
        "Close other connections, pass a local port outside of the range, or widen it: \
         sysctl net.ipv4.ip_local_port_range=\"10000 65535\".";
    OPTIONS_STRIPPED = Refused, "the answer had no Multipath TCP option, so this kernel reset the subflow",
        "Use another path: a middlebox on this one removes Multipath TCP's options.";
    REFUSED_JOIN = Refused, "the peer refused the subflow",
        "Check on the peer that its listener is still open (ss -Mtln), that no firewall rejects the \
         subflow, and that its limit allows one more: ip mptcp limits.";
    ENDED_HERE = NoSuchSubflow,
        "this host closed the subflow before it had joined (`close`, ss -K, or another program)",
        "Open it again if it is still wanted: the connection goes on.";
    DEFERRED_ACCEPT = TimedOut,
        "the peer answered, and then neither acknowledged the subflow nor repeated its answer",
        "Switch off TCP_DEFER_ACCEPT on the peer's listener (Apache: AcceptFilter http none; nginx: \
         listen without `deferred`), or check that packets from the peer pass on that path.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_missing_capability_has_one_remedy() {
        assert_eq!(NO_CAPABILITY.remedy, ErrorKind::NotPermitted.remedy());
    }

    #[test]
    fn every_cause_has_a_clause_and_a_remedy_that_is_a_sentence() {
        for Cause { what, remedy, .. } in ALL {
            assert!(!what.is_empty() && !what.ends_with('.'), "{what}");
            assert!(remedy.ends_with('.') && remedy.starts_with(char::is_uppercase), "{remedy}");
        }
    }
}
