//! Every verb rejects a descriptor that is not a TCP socket as an invalid argument.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::sys::epoll::{Epoll, EpollCreateFlags};
use subflows::{
    Announce, Connect, Doctor, Error, ErrorKind, Listen, Open, Opening, Probe, Result,
    SubflowOption,
};
use subflows_lab::{Net, skip, skip_unless_ready};

use super::common::raw;
use super::controlled;

type Verb = (&'static str, fn(&BorrowedFd<'_>) -> Result<()>);

const VERBS: [Verb; 20] = [
    ("status", |sock| subflows::status(sock).map(drop)),
    ("info", |sock| subflows::info(sock).map(drop)),
    ("list", |sock| subflows::list(sock).map(drop)),
    ("details", |sock| subflows::details(sock, 1).map(drop)),
    ("addresses", |sock| subflows::addresses(sock).map(drop)),
    ("peer_addresses", |sock| subflows::peer_addresses(sock).map(drop)),
    ("events", |sock| subflows::events(sock).map(drop)),
    ("open", |sock| subflows::open(sock, &Open::new()).map(drop)),
    ("Opening::begin", |sock| Opening::begin(sock, &Open::new()).map(drop)),
    ("close", |sock| subflows::close(sock, 1)),
    ("set_backup", |sock| subflows::set_backup(sock, 1, true)),
    ("announce", |sock| {
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        subflows::announce(sock, here, &Announce::new()).map(drop)
    }),
    ("set_option", |sock| subflows::set_option(sock, 1, SubflowOption::Mark, 1)),
    ("get_option", |sock| subflows::get_option(sock, 1, SubflowOption::Mark).map(drop)),
    ("options", |sock| subflows::options(sock, 1).map(drop)),
    ("set_raw_option", |sock| subflows::set_raw_option(sock, 1, 1, 36, &[0; 4][..])),
    ("get_raw_option", |sock| subflows::get_raw_option(sock, 1, 1, 36, 4).map(drop)),
    ("take_control", |sock| subflows::take_control(sock)),
    ("upgrade", |sock| subflows::upgrade(sock)),
    ("diagnose", |sock| subflows::diagnose(sock).map(drop)),
];

fn not_tcp() -> Vec<(&'static str, OwnedFd)> {
    let (reader, writer) = nix::unistd::pipe().unwrap();
    let (stream, peer) = UnixStream::pair().unwrap();
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
    let datagram = raw::socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0).unwrap();
    let netlink = raw::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE).unwrap();
    vec![
        ("a UDP socket", UdpSocket::bind("127.0.0.1:0").unwrap().into()),
        ("a UDP socket of IPv6", UdpSocket::bind("[::1]:0").unwrap().into()),
        ("a Unix stream", stream.into()),
        ("a Unix stream's peer", peer.into()),
        ("a Unix datagram socket", datagram),
        ("a netlink socket", netlink),
        ("a file", File::open("/proc/self/exe").unwrap().into()),
        ("a folder", File::open("/proc").unwrap().into()),
        ("a device", File::open("/dev/null").unwrap().into()),
        ("a pipe to read", reader),
        ("a pipe to write", writer),
        ("an epoll set", epoll.0),
    ]
}

/// The remedy of the kind names no value: it serves when nothing more is known.
#[track_caller]
fn says_what_to_pass(error: &Error) {
    assert!(!error.remedy().starts_with("See the documentation"), "{error}");
}

#[test]
fn each_wrong_argument_has_a_remedy_of_its_own() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let pair = controlled(&net, 0);
    let _inside = net.client.enter().unwrap();
    let (sock, none) = (&pair.client, &[][..] as &[SocketAddr]);
    let to = pair.client.peer_addr().unwrap();
    let id = subflows::list(sock).unwrap()[0].id;
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let connect = |options: Connect| subflows::connect(to, &options).map(drop);
    let open = |options: Open| subflows::open(sock, &options).map(drop);
    let set_raw = |bytes: &[u8]| subflows::set_raw_option(sock, id, 6, 4, bytes);
    let mut results = vec![
        subflows::connect(none, &Connect::new()).map(drop),
        subflows::connect("a name", &Connect::new()).map(drop),
        subflows::connect("[::1", &Connect::new()).map(drop),
        connect(Connect::new().interface("a name that is too long")),
        connect(Connect::new().local(SocketAddr::new(ip("::1"), 0))),
        subflows::listen(none, &Listen::new()).map(drop),
        subflows::listen("a name", &Listen::new()).map(drop),
        open(Open::new().interface("a name that is too long")),
        open(Open::new().local(ip("::1"))),
        open(Open::new().local(ip("0.0.0.0"))),
        open(Open::new().remote(SocketAddr::new(ip("0.0.0.0"), 1))),
        open(Open::new().remote(SocketAddr::new(ip("224.0.0.1"), 1))),
        subflows::announce(sock, ip("0.0.0.0"), &Announce::new()).map(drop),
        subflows::announce(sock, ip("224.0.0.1"), &Announce::new()).map(drop),
        set_raw(&[]),
        set_raw(&[0; 33]),
        subflows::set_raw_option(sock, id, 6, 4, 5u32),
        subflows::get_raw_option(sock, id, 6, 4, 0).map(drop),
        subflows::get_raw_option(sock, id, 6, 4, 33).map(drop),
        subflows::probe(SocketAddr::new(ip("127.0.0.1"), 1), &Probe::new().data("x".repeat(4097)))
            .map(drop),
        subflows::doctor(&Doctor::new().remote(SocketAddr::new(ip("0.0.0.0"), 1))).map(drop),
    ];
    for option in (1..).map_while(SubflowOption::from_number) {
        // No option accepts these: a name has at most 15 bytes.
        results.push(subflows::set_option(sock, id, option, "neither a name nor a number"));
    }
    assert!(results.len() > 25, "{}", results.len());
    for (number, result) in results.iter().enumerate() {
        match result {
            Err(error) if error.kind() == ErrorKind::InvalidArgument => says_what_to_pass(error),
            other => panic!("{number}: {other:?}"),
        }
    }
    // The kernel does not accept these values.
    for value in [[0xff; 4], [0; 4]] {
        match subflows::set_raw_option(sock, id, 6, 4, &value[..]) {
            Err(error) if error.kind() == ErrorKind::InvalidArgument => says_what_to_pass(&error),
            Err(error) => skip(&format!("options of a subflow cannot be set here: {error}")),
            Ok(()) => panic!("{value:?} was set"),
        }
    }
    assert!(pair.moves_data());
}

#[test]
fn a_socket_that_cannot_be_controlled_has_a_remedy_for_its_own_case() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let pair = controlled(&net, 0);
    let _inside = net.server.enter().unwrap();
    let error = subflows::take_control(&pair.server).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidState);
    assert!(error.remedy().contains("sysctl net.mptcp.path_manager=userspace"), "{error}");
    // As a program makes it that does not know this library yet.
    let tcp = raw::socket(libc::AF_INET, libc::SOCK_STREAM, 0).unwrap();
    for (name, verb) in VERBS {
        match verb(&tcp.as_fd()) {
            Err(error) if error.kind() == ErrorKind::NotMptcp => {
                assert!(error.remedy().contains("call `upgrade` before connecting"), "{error}");
            }
            Ok(()) if ["status", "upgrade", "diagnose"].contains(&name) => {}
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn what_is_no_tcp_socket_is_no_argument() {
    skip_unless_ready!();
    let refuses = |what: &str, sock: BorrowedFd<'_>| {
        for (name, verb) in VERBS {
            match verb(&sock) {
                Err(error) if error.kind() == ErrorKind::InvalidArgument => {
                    says_what_to_pass(&error);
                }
                other => panic!("{name} of {what}: {other:?}"),
            }
        }
    };
    for (what, other) in not_tcp() {
        refuses(what, other.as_fd());
    }
    // SAFETY: no descriptor has this number, so no open file is affected.
    refuses("a closed descriptor", unsafe { BorrowedFd::borrow_raw(i32::MAX - 1) });
}
