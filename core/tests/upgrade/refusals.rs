//! A socket that `upgrade` refuses is unchanged, and no descriptor is left over.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sched::{CloneFlags, unshare};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use subflows::ErrorKind;
use subflows_lab::{Namespace, skip_unless_ready};

use super::common::{child, expect_error, raw};
use super::{LOOPBACK, MPTCP, family, listen, protocol, tcp, use_it};

fn refused(sock: &OwnedFd) -> ErrorKind {
    subflows::upgrade(sock).unwrap_err().kind()
}

#[test]
fn a_socket_in_use_is_refused() {
    skip_unless_ready!();
    let _inside = Namespace::new().unwrap().enter().unwrap();
    for ip in LOOPBACK {
        let sock = tcp(family(ip));
        raw::bind(&sock, SocketAddr::new(ip, 0)).unwrap();
        let address = raw::local_address(&sock);
        assert_eq!(refused(&sock), ErrorKind::InvalidState, "bound");
        assert_eq!((protocol(&sock), raw::local_address(&sock)), (libc::IPPROTO_TCP, address));

        raw::listen(&sock).unwrap();
        assert_eq!(refused(&sock), ErrorKind::InvalidState, "listening");
        let listener = TcpListener::from(sock);

        let pair = use_it(tcp(family(ip)), &listener);
        let [client, server] = [&pair.client, &pair.server].map(subflows::upgrade);
        for result in [client, server] {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidState, "connected");
        }
        assert!(pair.moves_data());

        // The peer has reset this connection, but the socket is not new: the program may want to
        // read the error.
        raw::reset_when_closed(&pair.server);
        drop(pair.server);
        subflows_lab::wait_until(super::SOON, "the reset", || {
            raw::get(&pair.client, libc::IPPROTO_TCP, libc::TCP_INFO).unwrap()[0] == 7
        });
        let client = OwnedFd::from(pair.client);
        assert_eq!(refused(&client), ErrorKind::InvalidState, "reset");
    }
}

#[test]
fn bound_to_an_address_without_a_port_is_bound() {
    skip_unless_ready!();
    let _inside = Namespace::new().unwrap().enter().unwrap();
    for ip in LOOPBACK {
        let sock = tcp(family(ip));
        raw::set_i32(&sock, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1).unwrap();
        raw::bind(&sock, SocketAddr::new(ip, 0)).unwrap();
        assert_eq!(raw::local_address(&sock), SocketAddr::new(ip, 0));
        assert_eq!(refused(&sock), ErrorKind::InvalidState);
        assert_eq!(raw::local_address(&sock), SocketAddr::new(ip, 0));
        use_it(sock, &listen(tcp(family(ip)), ip));
    }
}

#[test]
fn a_connecting_socket_is_refused() {
    skip_unless_ready!();
    // No host answers: the other end of the cable has no address.
    let namespace = Namespace::new().unwrap();
    namespace
        .ip_batch("link add dead type veth peer name end\nlink set dead up\nlink set end up\n")
        .unwrap();
    namespace.ip_batch("address add 192.0.2.1/24 dev dead\n").unwrap();
    namespace.ip_batch("address add 2001:db8::1/64 dev dead nodad\n").unwrap();
    let _inside = namespace.enter().unwrap();
    for silent in ["192.0.2.2:80", "[2001:db8::2]:80"] {
        let silent: SocketAddr = silent.parse().unwrap();
        let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK;
        let sock = raw::socket(family(silent.ip()), kind, 0).unwrap();
        let begun = raw::connect(&sock, silent).unwrap_err();
        assert_eq!(begun.raw_os_error(), Some(libc::EINPROGRESS));
        assert_eq!(refused(&sock), ErrorKind::InvalidState);
        assert_eq!(protocol(&sock), libc::IPPROTO_TCP);
        // The socket is still in SYN_SENT.
        assert_eq!(raw::get(&sock, libc::IPPROTO_TCP, libc::TCP_INFO).unwrap()[0], 2);
    }
}

#[test]
fn a_socket_that_others_hold_is_refused() {
    skip_unless_ready!();
    let _inside = Namespace::new().unwrap().enter().unwrap();
    for ip in LOOPBACK {
        let event = EpollEvent::new(EpollFlags::EPOLLIN, 0);
        let (sock, listener) = (tcp(family(ip)), listen(tcp(family(ip)), ip));

        let twin = sock.try_clone().unwrap();
        assert_eq!(refused(&sock), ErrorKind::InvalidState, "another descriptor");
        drop(twin);

        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
        epoll.add(&sock, event).unwrap();
        assert_eq!(refused(&sock), ErrorKind::InvalidState, "an epoll set");
        epoll.delete(&sock).unwrap();

        let twin = sock.try_clone().unwrap();
        epoll.add(&twin, event).unwrap();
        assert_eq!(refused(&sock), ErrorKind::InvalidState, "another descriptor, watched");
        drop(twin);
        assert_eq!(refused(&sock), ErrorKind::InvalidState, "an epoll set, by a closed descriptor");
        drop(epoll);

        assert_eq!(protocol(&sock), libc::IPPROTO_TCP);
        subflows::upgrade(&sock).unwrap();
        use_it(sock, &listener);
    }
}

#[test]
fn without_multipath_in_the_kernel_nothing_changes() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    namespace.set_sysctl("net.mptcp.enabled", "0").unwrap();
    let _inside = namespace.enter().unwrap();
    for ip in LOOPBACK {
        let sock = tcp(family(ip));
        raw::set_i32(&sock, libc::SOL_SOCKET, libc::SO_MARK, 77).unwrap();
        assert_eq!(refused(&sock), ErrorKind::Unsupported);
        assert_eq!(protocol(&sock), libc::IPPROTO_TCP);
        assert_eq!(raw::get_i32(&sock, libc::SOL_SOCKET, libc::SO_MARK).unwrap(), 77);
        use_it(sock, &listen(tcp(family(ip)), ip));
    }
}

/// Otherwise the new socket would belong to the namespace of the calling thread.
#[test]
fn a_socket_of_another_namespace_is_refused() {
    skip_unless_ready!();
    let (home, elsewhere) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    for ip in LOOPBACK {
        let sock = home.run(|| tcp(family(ip)));
        expect_error(elsewhere.run(|| subflows::upgrade(&sock)), ErrorKind::OtherNamespace);
        assert_eq!(protocol(&sock), libc::IPPROTO_TCP);
        home.run(|| subflows::upgrade(&sock)).unwrap();
        assert_eq!(protocol(&sock), MPTCP);
    }
}

#[test]
fn what_is_no_tcp_socket_is_no_argument() {
    skip_unless_ready!();
    let (reader, writer) = nix::unistd::pipe().unwrap();
    let (unix, _peer) = UnixStream::pair().unwrap();
    let file = fs::File::open("/proc/self/exe").unwrap();
    let others: Vec<OwnedFd> = vec![
        UdpSocket::bind("127.0.0.1:0").unwrap().into(),
        UdpSocket::bind("[::1]:0").unwrap().into(),
        unix.into(),
        file.into(),
        reader,
        writer,
        Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap().0,
    ];
    for other in &others {
        assert_eq!(refused(other), ErrorKind::InvalidArgument, "{other:?}");
    }
    // SAFETY: no descriptor has this number, so no open file is affected.
    let closed = unsafe { BorrowedFd::borrow_raw(i32::MAX - 1) };
    expect_error(subflows::upgrade(&closed), ErrorKind::InvalidArgument);
}

#[test]
fn no_descriptor_is_left_over() {
    skip_unless_ready!();
    child::plays(&mut child::helper("refusals::helper_whose_descriptors_are_counted"));
}

/// Every descriptor of this thread and its target.
fn descriptors() -> BTreeMap<String, String> {
    let entries: Vec<_> = fs::read_dir("/proc/thread-self/fd").unwrap().collect();
    let shown = entries.into_iter().map(|entry| {
        let path = entry.unwrap().path();
        let link = fs::read_link(&path).map(|link| link.to_string_lossy().into_owned());
        (path.file_name().unwrap().to_string_lossy().into_owned(), link.unwrap_or_default())
    });
    // The descriptor by which the folder was read is closed again.
    shown.filter(|(_, link)| !link.is_empty()).collect()
}

/// In a process of its own: other tests have descriptors too.
#[test]
#[ignore = "run by no_descriptor_is_left_over"]
fn helper_whose_descriptors_are_counted() {
    child::only_as_child!();
    let namespace = Namespace::new().unwrap();
    let _inside = namespace.enter().unwrap();
    for ip in LOOPBACK {
        succeeds_or_fails_without_a_trace(&namespace, family(ip));
        is_found_in_a_table_of_its_own(family(ip));
        fails_where_there_is_no_room(family(ip));
    }
}

fn succeeds_or_fails_without_a_trace(namespace: &Namespace, family: i32) {
    let sock = tcp(family);
    let own = sock.as_raw_fd().to_string();
    let before = descriptors();
    let unchanged = |what: &str| assert_eq!(descriptors(), before, "{what}");

    raw::set_i32(&sock, libc::IPPROTO_IP, libc::IP_TTL, 3).unwrap();
    assert_eq!(refused(&sock), ErrorKind::Unsupported);
    unchanged("an option");
    raw::set_i32(&sock, libc::IPPROTO_IP, libc::IP_TTL, -1).unwrap();

    namespace.set_sysctl("net.mptcp.enabled", "0").unwrap();
    assert_eq!(refused(&sock), ErrorKind::Unsupported);
    unchanged("switched off");
    namespace.set_sysctl("net.mptcp.enabled", "1").unwrap();

    let elsewhere = Namespace::new().unwrap();
    expect_error(elsewhere.run(|| subflows::upgrade(&sock)), ErrorKind::OtherNamespace);
    drop(elsewhere);
    unchanged("another namespace");

    let twin = sock.try_clone().unwrap();
    assert_eq!(refused(&sock), ErrorKind::InvalidState);
    drop(twin);
    unchanged("another descriptor");

    for _ in 0..2 {
        subflows::upgrade(&sock).unwrap();
        let mut after = descriptors();
        after.insert(own.clone(), before[&own].clone());
        assert_eq!(after, before, "success");
        assert_eq!(protocol(&sock), MPTCP);
    }
}

/// /proc/self shows the descriptors of the first thread, which need not be those of this one.
fn is_found_in_a_table_of_its_own(family: i32) {
    let sock = tcp(family);
    let kind = thread::spawn(move || {
        unshare(CloneFlags::CLONE_FILES).unwrap();
        let _twin = sock.try_clone().unwrap();
        refused(&sock)
    });
    assert_eq!(kind.join().unwrap(), ErrorKind::InvalidState);
}

/// A lack of descriptors must not be mistaken for a lack of Multipath TCP.
fn fails_where_there_is_no_room(family: i32) {
    let sock = tcp(family);
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    // First no descriptor is left for the folder or the new socket, then none for the socket to
    // compare with.
    for room in 0..2 {
        let filled = next_number();
        setrlimit(Resource::RLIMIT_NOFILE, filled + room, hard).unwrap();
        let error = subflows::upgrade(&sock).unwrap_err();
        setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
        assert_eq!(error.kind(), ErrorKind::Os, "{error}");
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");
        assert_eq!(protocol(&sock), libc::IPPROTO_TCP);
    }
    subflows::upgrade(&sock).unwrap();
}

/// The number that the next descriptor would have.
fn next_number() -> u64 {
    let next = fcntl(io::stderr(), FcntlArg::F_DUPFD_CLOEXEC(0)).unwrap();
    // SAFETY: the descriptor is new, and nothing else owns it.
    drop(unsafe { OwnedFd::from_raw_fd(next) });
    next as u64
}
