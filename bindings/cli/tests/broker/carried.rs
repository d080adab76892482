//! A program's own socket, which the library replaces by one of the broker: everything that is set on it stays.

use std::env;
use std::mem::size_of_val;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent};
use nix::sys::socket::{SockaddrStorage, getsockname};
use subflows::{ErrorKind, Family};

use crate::EVERYONE;
use crate::common::Run;
use crate::served::{NOBODY, become_user, net_with_broker};

/// Level, number and a value that is not the default, which a program without privileges may set.
const NUMBERS: &[(i32, i32, i32)] = &[
    (libc::SOL_SOCKET, libc::SO_REUSEADDR, 1),
    (libc::SOL_SOCKET, libc::SO_REUSEPORT, 1),
    (libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1),
    (libc::SOL_SOCKET, libc::SO_RCVLOWAT, 2),
    (libc::SOL_SOCKET, libc::SO_SNDBUF, 123_456),
    (libc::SOL_SOCKET, libc::SO_RCVBUF, 134_566),
    (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1),
    (libc::SOL_SOCKET, libc::SO_BINDTOIFINDEX, 1),
    (libc::IPPROTO_IP, libc::IP_TOS, 0x20),
    (libc::SOL_SOCKET, libc::SO_PRIORITY, 4),
    (libc::IPPROTO_TCP, libc::TCP_NODELAY, 1),
    (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, 11),
    (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, 12),
    (libc::IPPROTO_TCP, libc::TCP_KEEPCNT, 3),
    (libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, 4567),
    (libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, 7),
    (libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT, 1),
];

fn get(sock: &OwnedFd, level: i32, number: i32) -> Option<i32> {
    let (mut value, mut length) = (0i32, 4u32);
    let pointer = (&raw mut value).cast();
    // SAFETY: the pointer and the length describe `value`.
    let result = unsafe { libc::getsockopt(sock.as_raw_fd(), level, number, pointer, &mut length) };
    (result == 0).then_some(value)
}

fn read(sock: &OwnedFd) -> Vec<Option<i32>> {
    NUMBERS.iter().map(|(level, number, _)| get(sock, *level, *number)).collect()
}

fn set(sock: &OwnedFd, level: i32, number: i32, value: i32) -> bool {
    let length = size_of_val(&value) as u32;
    // SAFETY: the pointer and the length describe `value`.
    let result = unsafe {
        libc::setsockopt(sock.as_raw_fd(), level, number, (&raw const value).cast(), length)
    };
    result == 0
}

#[test]
fn what_is_set_on_a_socket_stays_when_the_broker_replaces_it() {
    let Some((net, served)) = net_with_broker(EVERYONE) else { return };
    // The library reads the variable of its process.
    let mut command = net.client.command(env::current_exe().unwrap());
    command.args(["--exact", "--ignored", "--nocapture", "carried::helper"]);
    let run = Run::of(command.env("SUBFLOWS_BROKER", served.path()));
    assert!(run.code == Some(0) && run.stdout.contains("1 passed"), "{run:?}");
}

#[test]
#[ignore = "run by the test above, in a process of its own"]
fn helper() {
    become_user(NOBODY);
    for family in [Family::V4, Family::V6] {
        // Nothing is set.
        let sock = subflows::socket(family).unwrap();
        let before = read(&sock);
        subflows::take_control(&sock).unwrap();
        assert_eq!(read(&sock), before);

        let sock = subflows::socket(family).unwrap();
        let is_set =
            |(level, number, value): &&(i32, i32, i32)| set(&sock, *level, *number, *value);
        let count = NUMBERS.iter().filter(is_set).count();
        assert!(count > 10, "{count} options");
        fcntl(&sock, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        let (number, address) =
            (sock.as_raw_fd(), getsockname::<SockaddrStorage>(sock.as_raw_fd()));
        let before = read(&sock);
        let inode = nix::sys::stat::fstat(&sock).unwrap().st_ino;
        subflows::take_control(&sock).unwrap();
        assert_eq!(read(&sock), before);
        assert_ne!(nix::sys::stat::fstat(&sock).unwrap().st_ino, inode, "the broker's socket");
        assert_eq!(getsockname::<SockaddrStorage>(number), address);
        let flags = OFlag::from_bits_retain(fcntl(&sock, FcntlArg::F_GETFL).unwrap());
        assert!(flags.contains(OFlag::O_NONBLOCK));

        // Another descriptor, or an epoll set, would keep the socket that was replaced.
        let sock = subflows::socket(family).unwrap();
        let refused = |sock: &OwnedFd| {
            let error = subflows::take_control(sock).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidState, "{error:#}");
        };
        let copy = sock.as_fd().try_clone_to_owned().unwrap();
        refused(&sock);
        drop(copy);
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
        epoll.add(&sock, EpollEvent::empty()).unwrap();
        refused(&sock);
        drop(epoll);
        subflows::take_control(&sock).unwrap();
    }
}
