//! Landlock's rules for TCP. They do not contain Multipath TCP sockets on every kernel (GUIDE.md).

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::thread;

use subflows::{Connect, ErrorKind, Listen, Open, State};
use subflows_lab::{Namespace, skip, skip_unless_ready};

use crate::common::deny::deny;
use crate::common::{LOOPBACK, connect_between};

const BIND_AND_CONNECT_TCP: u64 = (1 << 0) | (1 << 1);

/// Forbids this thread to bind and connect TCP sockets. Fails if the kernel has no such rules, which are of
/// Linux 6.7.
fn forbid_tcp() -> io::Result<()> {
    // The file system access of this struct is none.
    let attributes = [0u64, BIND_AND_CONNECT_TCP];
    let (pointer, size) = (attributes.as_ptr(), size_of_val(&attributes));
    // SAFETY: the pointer and the size describe `attributes`.
    let rules = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, pointer, size, 0) };
    if rules < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor, and nothing else owns it.
    let rules = unsafe { OwnedFd::from_raw_fd(rules as i32) };
    // SAFETY: takes numbers only.
    let result = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    // SAFETY: takes numbers only.
    let result = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Runs a test in a thread that must not bind or connect TCP sockets.
fn in_jail(test: impl FnOnce() + Send) {
    let jailed = || match forbid_tcp() {
        Ok(()) => test(),
        Err(error) => skip(&format!("this kernel has no Landlock rules for TCP: {error}")),
    };
    thread::scope(|scope| scope.spawn(jailed).join().unwrap());
}

#[track_caller]
fn is_denied<T: std::fmt::Debug>(result: subflows::Result<T>) {
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::NotPermitted, Some(libc::EACCES)));
    let remedy = error.remedy();
    assert!(remedy.contains("Landlock") && !remedy.contains("CAP_"), "{error}: {remedy}");
}

/// Either the kernel does not apply the rules to Multipath TCP, or the error names them.
#[test]
fn multipath_tcp_leaves_the_jail_or_is_refused_by_name() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let _inside = namespace.enter().unwrap();
    for to in ["127.0.0.1:0", "[::1]:0"] {
        let listener = subflows::listen(to, &Listen::new()).unwrap();
        let address = listener.local_addr().unwrap();
        in_jail(|| {
            let denied = TcpStream::connect(address).unwrap_err();
            assert_eq!(denied.raw_os_error(), Some(libc::EACCES));
            match subflows::connect(address, &Connect::new()) {
                Ok(client) => {
                    eprintln!("Landlock does not contain Multipath TCP on this kernel");
                    assert_eq!(subflows::status(&client).unwrap().state, State::Mptcp);
                    subflows::listen(to, &Listen::new()).unwrap();
                }
                refused => {
                    is_denied(refused);
                    is_denied(subflows::listen(to, &Listen::new()));
                }
            }
        });
    }
}

/// As on every kernel for the plain TCP sockets that the library makes if there is no Multipath TCP.
#[test]
fn plain_tcp_is_refused_by_name() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let _inside = namespace.enter().unwrap();
    for to in ["127.0.0.1:0", "[::1]:0"] {
        let listener = TcpListener::bind(to).unwrap();
        let address = listener.local_addr().unwrap();
        in_jail(|| {
            deny(libc::SYS_socket, (2, libc::IPPROTO_MPTCP), libc::EPROTONOSUPPORT);
            is_denied(subflows::connect(address, &Connect::new()));
            is_denied(subflows::connect(address, &Connect::new().local((address.ip(), 0))));
            is_denied(subflows::listen(to, &Listen::new()));
        });
    }
}

/// The kernel connects subflows itself.
#[test]
fn opening_subflows_is_not_contained() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    for to in LOOPBACK {
        let options = Connect::new().control(true);
        let pair = connect_between(&namespace, &namespace, to, &options);
        pair.make_ready();
        in_jail(|| {
            let _inside = namespace.enter().unwrap();
            subflows::open(&pair.client, &Open::new()).unwrap();
        });
    }
}
