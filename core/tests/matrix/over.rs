//! Connections that have ended, and sockets that never had one.

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};

use subflows::{Connect, Family, Listen, Open, PathManager, State};
use subflows_lab::{Namespace, Net, has_sysctl, skip, skip_unless_ready, wait_until};

use crate::common::{self, Pair, SOON, judge, open_handed, raw, userspace, without_listener};
use crate::{Cell, Column, LOOPBACK};

/// How a connection ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// Both ends shut down, the client first or the server first.
    ClientFirst,
    ServerFirst,
    /// One end is reset because the other closes.
    Linger,
    Unread,
    /// Its last subflow was closed, and no other was opened in time.
    Pathless,
}

const CLOSE_TIMEOUT: &str = "net.mptcp.close_timeout";

const ENDS: [End; 5] =
    [End::ClientFirst, End::ServerFirst, End::Linger, End::Unread, End::Pathless];

/// A connection that was used. The kernel's path manager or the programs control it, at both ends.
fn used(net: &Net, to: IpAddr, is_controlled: bool) -> Pair {
    if is_controlled {
        userspace(&net.client);
        userspace(&net.server);
    }
    let pair = common::connect(net, to, &Connect::new());
    pair.make_ready();
    pair
}

/// Which of the two sockets are left, and how they ended.
fn end(net: &Net, pair: Pair, end: End, survivor: usize) -> Vec<(usize, TcpStream)> {
    let Pair { client, server, .. } = pair;
    let shut = |first: &TcpStream, mut second: &TcpStream| {
        first.shutdown(Shutdown::Write).unwrap();
        assert_eq!(second.read(&mut [0]).unwrap(), 0);
        second.shutdown(Shutdown::Write).unwrap();
        let mut first = first;
        assert_eq!(first.read(&mut [0]).unwrap(), 0);
    };
    match end {
        End::ClientFirst => shut(&client, &server),
        End::ServerFirst => shut(&server, &client),
        End::Linger | End::Unread => {
            let mut ends = [client, server];
            if matches!(end, End::Linger) {
                let linger = [1i32, 0].map(i32::to_ne_bytes).concat();
                raw::set(&ends[1 - survivor], libc::SOL_SOCKET, libc::SO_LINGER, &linger).unwrap();
            } else {
                ends[survivor].write_all(b"unread").unwrap();
                wait_until(SOON, "data to wait", || {
                    ends[1 - survivor].peek(&mut [0; 6]).is_ok_and(|length| length == 6)
                });
            }
            let [client, server] = ends;
            return match survivor {
                0 => vec![(0, client)],
                _ => vec![(1, server)],
            };
        }
        End::Pathless => {
            for namespace in [&net.client, &net.server] {
                namespace.set_sysctl(CLOSE_TIMEOUT, "1").unwrap();
            }
            net.client.run(|| {
                let [only] = &subflows::list(&client).unwrap()[..] else { panic!("not one") };
                subflows::force_close(&client, only.id).unwrap();
            });
        }
    }
    vec![(0, client), (1, server)]
}

#[test]
fn over_however_it_ended() {
    skip_unless_ready!();
    let resets = common::closing_resets();
    std::thread::scope(|scope| {
        for is_controlled in [false, true] {
            for family in [0, 1] {
                scope.spawn(move || {
                    for how in ENDS {
                        if matches!(how, End::Linger) && !resets {
                            skip(common::NO_RESETS);
                            continue;
                        }
                        // Before Linux 6.7, such a connection lives for another minute.
                        if matches!(how, End::Pathless) && !has_sysctl(CLOSE_TIMEOUT) {
                            skip("this kernel has no net.mptcp.close_timeout");
                            continue;
                        }
                        for survivor in [0, 1] {
                            ends(how, survivor, family, is_controlled);
                        }
                    }
                });
            }
        }
    });
}

fn ends(how: End, survivor: usize, family: usize, is_controlled: bool) {
    let net = open_handed(Net::two_subnets().unwrap());
    let to = net.paths[0].server_ips()[family];
    let pair = used(&net, to, is_controlled);
    for (who, sock) in end(&net, pair, how, survivor) {
        let (namespace, ip) = match who {
            0 => (&net.client, net.paths[1].client_ip(to)),
            _ => (&net.server, to),
        };
        let what = format!("{how:?}, end {who}, {to}, controlled {is_controlled}");
        wait_until(SOON, &what, || {
            namespace.run(|| subflows::status(&sock)).unwrap().state == State::Closed
        });
        let column = Column::closed();
        Cell::new(&what, namespace, &sock, ip).is(&column);
        // The last verb has taken control of the socket.
        if who == 0 {
            reuse(&net, OwnedFd::from(sock), to, &what);
        }
    }
}

/// The socket of a connection that has ended can connect again, once its error has been read.
fn reuse(net: &Net, sock: OwnedFd, to: IpAddr, what: &str) {
    raw::get_i32(&sock, libc::SOL_SOCKET, libc::SO_ERROR).unwrap();
    let listener = net.server.run(|| subflows::listen((to, 0), &Listen::new())).unwrap();
    net.client.run(|| raw::connect(&sock, listener.local_addr().unwrap())).unwrap();
    let pair = Pair::accept(sock, listener);
    pair.make_ready();
    let open = Open::new().local(net.paths[1].client_ip(to));
    net.client.run(|| subflows::open(&pair.client, &open)).unwrap();
    let shown = judge::by_ss(&net.client, judge::token(&pair.client));
    assert_eq!(shown.len(), 2, "{what}: {shown:?}");
}

#[test]
fn refused() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
    for to in net.paths[0].server_ips() {
        for is_blocking in [true, false] {
            let sock = net.client.run(|| subflows::socket(Family::from(SocketAddr::new(to, 0))));
            let sock = sock.unwrap();
            if !is_blocking {
                raw::set_nonblocking(&sock);
            }
            let address = without_listener(&net.server, to);
            let error = net.client.run(|| raw::connect(&sock, address)).unwrap_err();
            let what = format!("refused, {to}, blocking {is_blocking}");
            if is_blocking {
                assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
                let cell = Cell::new(&what, &net.client, &sock, net.paths[1].client_ip(to));
                cell.is(&Column { manager: PathManager::Kernel, ..Column::unconnected() });
            } else {
                assert_eq!(error.raw_os_error(), Some(libc::EINPROGRESS));
                wait_until(SOON, &what, || {
                    let state = net.client.run(|| subflows::status(&sock)).unwrap().state;
                    state != State::Connecting
                });
                let cell = Cell::new(&what, &net.client, &sock, net.paths[1].client_ip(to));
                cell.is(&Column::closed());
            }
            raw::set_blocking(&sock);
            reuse(&net, sock, to, &what);
        }
    }
}

#[test]
fn after_a_disconnect_a_socket_is_unconnected() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    for ip in LOOPBACK {
        let pair = common::connect_between(&namespace, &namespace, ip, &Connect::new());
        pair.make_ready();
        namespace.run(|| raw::disconnect(&pair.client)).unwrap();
        let column = Column::unconnected();
        Cell::new("disconnected", &namespace, &pair.client.as_fd(), ip).is(&column);
    }
}
