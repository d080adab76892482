//! If Multipath TCP is switched off or forbidden, programs use plain TCP and can read the reason.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use std::thread;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};
use subflows::{Connect, ErrorKind, Listen, State};
use subflows_lab::{Namespace, ready};

use super::common::{self, raw};

#[test]
fn switched_off_it_is_plain_tcp() {
    if !ready() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    namespace.set_sysctl("net.mptcp.enabled", "0").unwrap();
    for ip in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        let pair = common::connect_between(&namespace, &namespace, ip, &Connect::new());
        assert!(pair.moves_data());
        let protocol = |sock| raw::get_i32(sock, libc::SOL_SOCKET, libc::SO_PROTOCOL).unwrap();
        for stream in [&pair.client, &pair.server] {
            assert_eq!(protocol(stream), libc::IPPROTO_TCP);
            let status = namespace.run(|| subflows::status(stream)).unwrap();
            assert_eq!((status.state, status.is_ready), (State::Tcp, false));
            assert_eq!(status.token, None);
            let refused = [
                namespace.run(|| subflows::info(stream)).map(drop),
                namespace.run(|| subflows::list(stream)).map(drop),
                namespace.run(|| subflows::open(stream, &Default::default())).map(drop),
            ];
            for refused in refused {
                assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotMptcp);
            }
        }
        assert!(pair.moves_data());

        let _inside = namespace.enter().unwrap();
        let listener = subflows::listen(SocketAddr::new(ip, 0), &Listen::new()).unwrap();
        assert_eq!(subflows::status(&listener).unwrap().state, State::Tcp);
        let sock = subflows::socket(SocketAddr::new(ip, 0)).unwrap();
        assert_eq!(subflows::status(&sock).unwrap().state, State::Tcp);
        // An option that cannot be honoured is not ignored.
        let controlled = Connect::new().control(true);
        let refused = subflows::connect(listener.local_addr().unwrap(), &controlled).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
    }
}

#[test]
fn capabilities_name_the_cause_and_the_remedy() {
    if !ready() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let mptcp = || {
        let all = namespace.run(subflows::capabilities).unwrap();
        all.into_iter().find(|capability| capability.name == "mptcp").unwrap()
    };
    assert!(mptcp().is_available);
    namespace.set_sysctl("net.mptcp.enabled", "0").unwrap();
    let off = mptcp();
    assert!(!off.is_available);
    assert!(off.cause.is_some_and(|cause| cause.contains("switched off")));
    // The remedy is a command that helps.
    let remedy = off.remedy.unwrap();
    let words: Vec<&str> = remedy.split(' ').collect();
    namespace.output(words[0], &words[1..]).unwrap();
    assert!(mptcp().is_available);
}

/// Forbids Multipath TCP to this thread, like a sandbox that allows only TCP.
fn forbid(errno: i32) {
    let is_mptcp = SeccompCondition::new(
        2,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::Eq,
        libc::IPPROTO_MPTCP as u64,
    );
    let rule = SeccompRule::new(vec![is_mptcp.unwrap()]).unwrap();
    let filter: BpfProgram = SeccompFilter::new(
        [(libc::SYS_socket, vec![rule])].into_iter().collect(),
        SeccompAction::Allow,
        SeccompAction::Errno(errno as u32),
        std::env::consts::ARCH.try_into().unwrap(),
    )
    .and_then(TryInto::try_into)
    .unwrap();
    seccompiler::apply_filter(&filter).unwrap();
}

/// In such a sandbox, programs once could make no socket at all, and were advised to acquire
/// CAP_NET_ADMIN.
#[test]
fn forbidden_it_is_plain_tcp() {
    if !ready() {
        return;
    }
    let sandboxed = |errno| {
        let made = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        forbid(errno);
        let listener = subflows::listen("127.0.0.1:0", &Listen::new()).unwrap();
        assert_eq!(subflows::status(&listener).unwrap().state, State::Tcp);
        let client = subflows::connect(made.local_addr().unwrap(), &Connect::new()).unwrap();
        assert_eq!(subflows::status(&client).unwrap().state, State::Tcp);

        let fresh = raw::socket(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_TCP).unwrap();
        let refused = subflows::upgrade(&fresh).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        assert!(refused.remedy().contains("seccomp"), "{refused}");
        let all = subflows::capabilities().unwrap();
        let mptcp = all.into_iter().find(|capability| capability.name == "mptcp").unwrap();
        assert!(mptcp.cause.is_some_and(|cause| cause.contains("policy")));
    };
    for errno in [libc::EPERM, libc::EACCES] {
        thread::spawn(move || sandboxed(errno)).join().unwrap();
    }
}
