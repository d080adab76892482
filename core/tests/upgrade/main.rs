//! `upgrade` keeps every option and leaves no duplicate of the old socket behind. If it fails, it
//! changes nothing.

#[path = "../common/mod.rs"]
mod common;

mod options;
mod refusals;
mod table;

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use common::{LOOPBACK, Pair, SOON, raw};
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use subflows_lab::{Namespace, skip_unless_ready};

const MPTCP: i32 = libc::IPPROTO_MPTCP;

fn family(ip: IpAddr) -> i32 {
    if ip.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }
}

fn tcp(family: i32) -> OwnedFd {
    raw::socket(family, libc::SOCK_STREAM, libc::IPPROTO_TCP).unwrap()
}

/// SO_PROTOCOL.
fn protocol(sock: &impl AsFd) -> i32 {
    raw::get_i32(sock, libc::SOL_SOCKET, libc::SO_PROTOCOL).unwrap()
}

/// Makes a socket listen at that address and any port.
fn listen(sock: OwnedFd, ip: IpAddr) -> TcpListener {
    raw::bind(&sock, SocketAddr::new(ip, 0)).unwrap();
    raw::listen(&sock).unwrap();
    TcpListener::from(sock)
}

/// Connects a socket and moves a byte each way.
fn use_it(sock: OwnedFd, listener: &TcpListener) -> Pair {
    raw::connect(&sock, listener.local_addr().unwrap()).unwrap();
    let pair = Pair::accept(sock, listener.try_clone().unwrap());
    assert!(pair.moves_data());
    pair
}

#[test]
fn one_upgraded_end_is_enough_to_move_data() {
    skip_unless_ready!();
    let _inside = Namespace::new().unwrap().enter().unwrap();
    for ip in LOOPBACK {
        for upgraded in [0, 1] {
            let socks = [tcp(family(ip)), tcp(family(ip))];
            subflows::upgrade(&socks[upgraded]).unwrap();
            let [client, listener] = socks;
            let pair = use_it(client, &listen(listener, ip));
            assert!(![&pair.client, &pair.server].into_iter().any(raw::is_mptcp));
        }
    }
}

fn flags(sock: &OwnedFd) -> (OFlag, FdFlag) {
    let status = fcntl(sock, FcntlArg::F_GETFL).unwrap();
    let descriptor = fcntl(sock, FcntlArg::F_GETFD).unwrap();
    (OFlag::from_bits_retain(status), FdFlag::from_bits_retain(descriptor))
}

#[test]
fn the_descriptor_keeps_its_number_and_its_flags() {
    skip_unless_ready!();
    let _inside = Namespace::new().unwrap().enter().unwrap();
    for ip in LOOPBACK {
        for extra in [0, libc::SOCK_NONBLOCK, libc::SOCK_CLOEXEC] {
            for other in [0, libc::SOCK_NONBLOCK, libc::SOCK_CLOEXEC] {
                let kind = libc::SOCK_STREAM | extra | other;
                let sock = raw::socket(family(ip), kind, 0).unwrap();
                let (number, before) = (sock.as_raw_fd(), flags(&sock));
                subflows::upgrade(&sock).unwrap();
                assert_eq!((number, before), (sock.as_raw_fd(), flags(&sock)));
                let has = |flag| kind & flag != 0;
                assert_eq!(before.0.contains(OFlag::O_NONBLOCK), has(libc::SOCK_NONBLOCK));
                assert_eq!(before.1.contains(FdFlag::FD_CLOEXEC), has(libc::SOCK_CLOEXEC));
                assert_eq!(protocol(&sock), MPTCP);
            }
        }
    }
}

#[test]
fn the_owner_of_signals_still_gets_them() {
    skip_unless_ready!();
    let _inside = Namespace::new().unwrap().enter().unwrap();
    for ip in LOOPBACK {
        for is_async in [false, true] {
            let sock = tcp(family(ip));
            raw::set_owner(&sock, std::process::id() as i32, libc::SIGURG).unwrap();
            if is_async {
                let status = flags(&sock).0 | OFlag::O_ASYNC;
                fcntl(&sock, FcntlArg::F_SETFL(status)).unwrap();
            }
            let before = (raw::owner(&sock).unwrap(), flags(&sock));
            assert_eq!(before.1.0.contains(OFlag::O_ASYNC), is_async);
            assert_eq!(before.0, (std::process::id() as i32, libc::SIGURG));
            subflows::upgrade(&sock).unwrap();
            assert_eq!(protocol(&sock), MPTCP);
            assert_eq!((raw::owner(&sock).unwrap(), flags(&sock)), before);
        }
    }
}

#[test]
fn what_is_multipath_already_is_left_as_it_is() {
    skip_unless_ready!();
    let _inside = Namespace::new().unwrap().enter().unwrap();
    for ip in LOOPBACK {
        let sock = raw::socket(family(ip), libc::SOCK_STREAM, MPTCP).unwrap();
        raw::set_i32(&sock, libc::SOL_SOCKET, libc::SO_MARK, 77).unwrap();
        let inode = |sock: &OwnedFd| -> io::Result<u64> {
            Ok(nix::sys::stat::fstat(sock).map(|stat| stat.st_ino)?)
        };
        let before = (inode(&sock).unwrap(), flags(&sock));
        // The socket is watched and duplicated, but it is not replaced, so neither matters.
        let _twin = sock.try_clone().unwrap();
        subflows::upgrade(&sock).unwrap();
        assert_eq!((inode(&sock).unwrap(), flags(&sock)), before);
        assert_eq!(raw::get_i32(&sock, libc::SOL_SOCKET, libc::SO_MARK).unwrap(), 77);
    }
}
