//! Every verb rejects a descriptor that is not a TCP socket as an invalid argument.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::sys::epoll::{Epoll, EpollCreateFlags};
use subflows::{Announce, ErrorKind, Open, Opening, Result, SubflowOption};
use subflows_lab::skip_unless_ready;

use super::common::raw;

type Verb = (&'static str, fn(&BorrowedFd<'_>) -> Result<()>);

const VERBS: [Verb; 19] = [
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

#[test]
fn what_is_no_tcp_socket_is_no_argument() {
    skip_unless_ready!();
    let refuses = |what: &str, sock: BorrowedFd<'_>| {
        for (name, verb) in VERBS {
            match verb(&sock) {
                Err(error) if error.kind() == ErrorKind::InvalidArgument => {}
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
