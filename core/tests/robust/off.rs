//! If Multipath TCP is switched off or forbidden, programs use plain TCP and can read the reason.

use std::thread;

use subflows::{Connect, ErrorKind, Listen, State};
use subflows_lab::{Namespace, skip_unless_ready};

use super::common::deny::deny;
use super::common::{self, raw};

#[test]
fn capabilities_name_the_cause_and_the_remedy() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let mptcp = || namespace.run(|| common::capability("mptcp"));
    assert!(mptcp().is_available);
    namespace.set_sysctl("net.mptcp.enabled", "0").unwrap();
    let off = mptcp();
    assert!(!off.is_available);
    assert!(off.cause.is_some_and(|cause| cause.contains("switched off")));
    // The remedy is a command that helps.
    let remedy = off.remedy.unwrap();
    let remedy = remedy.strip_prefix("Run ").unwrap().trim_end_matches('.');
    let words: Vec<&str> = remedy.split(' ').collect();
    namespace.output(words[0], &words[1..]).unwrap();
    assert!(mptcp().is_available);
}

/// In such a sandbox, programs once could make no socket at all, and were advised to acquire
/// CAP_NET_ADMIN.
#[test]
fn forbidden_it_is_plain_tcp() {
    skip_unless_ready!();
    let sandboxed = |errno| {
        let made = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        deny(libc::SYS_socket, (2, libc::IPPROTO_MPTCP), errno);
        let listener = subflows::listen("127.0.0.1:0", &Listen::new()).unwrap();
        assert_eq!(subflows::status(&listener).unwrap().state, State::Tcp);
        let to = made.local_addr().unwrap();
        let client = subflows::connect(to, &Connect::new()).unwrap();
        assert_eq!(subflows::status(&client).unwrap().state, State::Tcp);
        // Control is not possible, and the reason is the one that `upgrade` reports.
        let refused = subflows::connect(to, &Connect::new().control(true)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        assert!(refused.remedy().contains("seccomp"), "{refused}");

        let fresh = raw::socket(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_TCP).unwrap();
        let refused = subflows::upgrade(&fresh).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        assert!(refused.remedy().contains("seccomp"), "{refused}");
        assert!(common::capability("mptcp").cause.is_some_and(|cause| cause.contains("policy")));
    };
    // Each runtime has its own: Docker, systemd, Chromium, gVisor, a filter that plays an old kernel.
    for errno in [
        libc::EPERM,
        libc::EACCES,
        libc::ENOSYS,
        libc::EAFNOSUPPORT,
        libc::EPROTONOSUPPORT,
        libc::EPROTOTYPE,
        libc::EINVAL,
        libc::ENOPROTOOPT,
        libc::ENOMEM,
        libc::EIO,
    ] {
        thread::spawn(move || sandboxed(errno)).join().unwrap();
    }
}
