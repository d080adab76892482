//! Sockets that have no connection yet.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use subflows::{Connect, ErrorKind, Family, Listen, State};
use subflows_lab::{Namespace, Net, ready, wait_until};

use crate::common::{SOON, raw};
use crate::{Cell, Column, Fails, LOOPBACK, Works};

fn socket(ip: IpAddr) -> OwnedFd {
    subflows::socket(Family::from(SocketAddr::new(ip, 0))).unwrap()
}

#[test]
fn unconnected() {
    if !ready() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    for ip in LOOPBACK {
        let sock = namespace.run(|| socket(ip));
        Cell::new("unconnected", &namespace, &sock, ip).is(&Column::unconnected());
        let taken = Column { manager: subflows::PathManager::Userspace, ..Column::unconnected() };
        Cell::new("unconnected, controlled", &namespace, &sock, ip).is(&taken);
    }
}

#[test]
fn bound() {
    if !ready() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    for ip in LOOPBACK {
        let everywhere = if ip.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        for address in [SocketAddr::new(ip, 0), everywhere.parse().unwrap()] {
            let sock = namespace.run(|| socket(ip));
            namespace.run(|| raw::bind(&sock, address)).unwrap();
            let before = raw::local_address(&sock);
            assert_ne!(before.port(), 0);
            Cell::new("bound", &namespace, &sock, ip).is(&Column::unconnected());
            assert_eq!(raw::local_address(&sock), before);
        }
    }
}

#[test]
fn listening() {
    if !ready() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    for ip in LOOPBACK {
        let listener = namespace.run(|| subflows::listen((ip, 0), &Listen::new())).unwrap();
        Cell::new("listening", &namespace, &listener, ip).is(&Column::listening());
        // It listens on.
        let address = listener.local_addr().unwrap();
        let client = namespace.run(|| subflows::connect(address, &Connect::new())).unwrap();
        assert_eq!(listener.accept().unwrap().1, client.local_addr().unwrap());
        assert!(raw::is_mptcp(&client));
    }
}

#[test]
fn connecting() {
    if !ready() {
        return;
    }
    for control in [false, true] {
        let net = Net::two_subnets().unwrap();
        for to in net.paths[0].server_ips() {
            let listener = net.server.run(|| subflows::listen((to, 0), &Listen::new())).unwrap();
            let address = listener.local_addr().unwrap();
            net.paths[0].pull_cable().unwrap();
            let sock = net.client.run(|| socket(to));
            net.client.run(|| {
                if control {
                    subflows::take_control(&sock).unwrap();
                }
                raw::set_nonblocking(&sock);
                let error = raw::connect(&sock, address).unwrap_err();
                assert_eq!(error.raw_os_error(), Some(libc::EINPROGRESS));
            });
            let column = match control {
                true => Column::connecting(),
                // Before there is a peer nobody knows that it is not for us to open.
                false => Column { manager: subflows::PathManager::Kernel, ..Column::connecting() },
            };
            let mut cell = Cell::new("connecting", &net.client, &sock, to);
            cell.announce = net.paths[1].client_ip(to);
            cell.open = cell.open.local(net.paths[1].client_ip(to));
            cell.is(&column);
            // It goes on connecting.
            net.paths[0].plug_in().unwrap();
            wait_until(SOON, "the connection", || {
                subflows::status(&sock).unwrap().state != State::Connecting
            });
            assert!(raw::is_mptcp(&sock));
            assert_eq!(subflows::status(&sock).unwrap().state, State::Mptcp);
        }
    }
}

#[test]
fn plain_tcp() {
    if !ready() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    for ip in LOOPBACK {
        let family = if ip.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        let tcp = || raw::socket(family, libc::SOCK_STREAM, 0).unwrap();
        let _entered = namespace.enter().unwrap();
        let bound = tcp();
        raw::bind(&bound, SocketAddr::new(ip, 0)).unwrap();
        // There is a way to control yet: `upgrade`, then `take_control`.
        let unconnected =
            Column { take_control: Fails(ErrorKind::NotMptcp), ..Column::tcp(State::Tcp) };
        Cell::new("TCP, bound", &namespace, &bound, ip).is(&unconnected);
        raw::listen(&bound).unwrap();
        Cell::new("TCP, listening", &namespace, &bound, ip).is(&Column::tcp(State::Tcp));
        let client = tcp();
        raw::connect(&client, raw::local_address(&bound)).unwrap();
        let (accepted, _) =
            std::net::TcpListener::from(bound.try_clone().unwrap()).accept().unwrap();
        Cell::new("TCP, connected", &namespace, &client, ip).is(&Column::tcp(State::Tcp));
        Cell::new("TCP, accepted", &namespace, &accepted, ip).is(&Column::tcp(State::Tcp));
    }
}

#[test]
fn plain_tcp_that_is_upgraded() {
    if !ready() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    for ip in LOOPBACK {
        let family = if ip.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        let _entered = namespace.enter().unwrap();
        let sock = raw::socket(family, libc::SOCK_STREAM, 0).unwrap();
        assert_eq!(subflows::take_control(&sock).unwrap_err().kind(), ErrorKind::NotMptcp);
        assert_eq!(subflows::status(&sock).unwrap().state, State::Tcp);
        subflows::upgrade(&sock).unwrap();
        let column = Column { upgrade: Works, ..Column::unconnected() };
        Cell::new("upgraded", &namespace, &sock, ip).is(&column);
    }
}
