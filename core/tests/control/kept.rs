//! What taking control must not change: the socket's options, the namespace, other connections.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use subflows::{Connect, PathManager};
use subflows_lab::{
    Namespace, Net, oracle, path_manager_setting, skip_unless_ready, traffic, wait_until,
};

use crate::common::{SOON, open_handed, raw, userspace};
use crate::{LOOPBACK, prove, setting, socket, taken};

/// Level, number and a value that is not the default.
fn options(ip: IpAddr) -> Vec<(i32, i32, Vec<u8>)> {
    let number = |level, name, value: i32| (level, name, value.to_ne_bytes().to_vec());
    // The timeout that `prove` sets as well.
    let time = [SOON.as_secs() as i64, 0].map(i64::to_ne_bytes).concat();
    let linger = [1i32, 7].map(i32::to_ne_bytes).concat();
    let mut options = vec![
        (libc::IPPROTO_TCP, libc::TCP_CONGESTION, b"cubic".to_vec()),
        number(libc::IPPROTO_TCP, libc::TCP_NODELAY, 1),
        number(libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, 11),
        number(libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, 12),
        number(libc::IPPROTO_TCP, libc::TCP_KEEPCNT, 3),
        number(libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, 4567),
        number(libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1),
        number(libc::SOL_SOCKET, libc::SO_SNDBUF, 123_456),
        number(libc::SOL_SOCKET, libc::SO_RCVBUF, 134_567),
        number(libc::SOL_SOCKET, libc::SO_REUSEADDR, 1),
        number(libc::SOL_SOCKET, libc::SO_REUSEPORT, 1),
        number(libc::SOL_SOCKET, libc::SO_MARK, 77),
        number(libc::SOL_SOCKET, libc::SO_RCVLOWAT, 2),
        (libc::SOL_SOCKET, libc::SO_RCVTIMEO, time.clone()),
        (libc::SOL_SOCKET, libc::SO_SNDTIMEO, time),
        (libc::SOL_SOCKET, libc::SO_LINGER, linger),
        (libc::SOL_SOCKET, libc::SO_BINDTODEVICE, b"lo".to_vec()),
        number(libc::IPPROTO_IP, libc::IP_TOS, 0x20),
        // After IP_TOS, which changes the priority.
        number(libc::SOL_SOCKET, libc::SO_PRIORITY, 4),
    ];
    if ip.is_ipv6() {
        options.push(number(libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1));
    }
    // Old kernels (Linux 6.1) do not offer all of them on Multipath TCP sockets.
    let probe = socket(ip);
    options.retain(|(level, name, _)| raw::get(&probe, *level, *name).is_ok());
    assert!(options.len() > 10, "{options:?}");
    options
}

/// Everything that must stay: the options, the address, the descriptor's flags.
fn read(sock: &OwnedFd, ip: IpAddr) -> (Vec<Vec<u8>>, SocketAddr, i32, i32) {
    use nix::fcntl::{FcntlArg, fcntl};
    let values = options(ip).into_iter().map(|(level, name, _)| raw::get(sock, level, name));
    (
        values.collect::<Result<_, _>>().unwrap(),
        raw::local_address(sock),
        fcntl(sock, FcntlArg::F_GETFL).unwrap(),
        fcntl(sock, FcntlArg::F_GETFD).unwrap(),
    )
}

#[test]
fn what_was_set_before_stays() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    for ip in LOOPBACK {
        let entered = namespace.enter().unwrap();
        let sock = socket(ip);
        let defaults = read(&sock, ip);
        for (level, name, value) in options(ip) {
            raw::set(&sock, level, name, &value).unwrap();
        }
        raw::bind(&sock, SocketAddr::new(ip, 0)).unwrap();
        let before = read(&sock, ip);
        for ((option, set), default) in options(ip).iter().zip(&before.0).zip(&defaults.0) {
            assert_ne!(set, default, "{option:?} is the default");
        }
        subflows::take_control(&sock).unwrap();
        assert_eq!(read(&sock, ip), before);
        drop(entered);
        // The socket connects from the port that it was bound to.
        let port = before.1.port();
        let pair = prove(&namespace, sock, ip);
        assert_eq!(pair.client.local_addr().unwrap().port(), port);
        let sock = OwnedFd::from(pair.client);
        assert_eq!((read(&sock, ip).0, read(&sock, ip).1), (before.0, before.1));
    }
}

/// Watches the setting of a namespace.
pub(crate) fn watch(namespace: &Namespace) -> Inotify {
    namespace.run(|| {
        let watch = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).unwrap();
        let file = path_manager_setting().file;
        watch.add_watch(file, AddWatchFlags::IN_MODIFY).unwrap();
        watch
    })
}

/// How often the setting was written, or opened for writing, since the previous call.
pub(crate) fn writes(watch: &Inotify) -> usize {
    match watch.read_events() {
        Ok(events) => events.len(),
        Err(nix::errno::Errno::EAGAIN) => 0,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn where_the_namespace_is_on_userspace_nothing_is_written() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let watch = watch(&namespace);
    for ip in LOOPBACK {
        taken(&namespace, ip);
        // The kernel merges equal events that were not read yet.
        assert!(writes(&watch) > 0, "the watch reported nothing");
    }
    userspace(&namespace);
    assert!(writes(&watch) > 0, "the watch reported nothing");
    for ip in LOOPBACK {
        // Also a socket that was made before, like a program's own.
        let sock = taken(&namespace, ip);
        assert_eq!((writes(&watch), setting(&namespace).as_str()), (0, "userspace"));
        prove(&namespace, sock, ip);
    }
}

#[test]
fn a_socket_from_before_the_namespace_went_to_userspace_is_taken() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let socks = LOOPBACK.map(|ip| namespace.run(|| socket(ip)));
    userspace(&namespace);
    for (sock, ip) in socks.into_iter().zip(LOOPBACK) {
        namespace.run(|| subflows::take_control(&sock)).unwrap();
        prove(&namespace, sock, ip);
    }
    assert_eq!(setting(&namespace), "userspace");
}

#[test]
fn without_control_the_administrators_endpoints_give_their_paths() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
    net.join_by_kernel().unwrap();
    for to in net.paths[0].server_ips() {
        let server = traffic::serve_echo(&net.server, (to, 0).into()).unwrap();
        let address = server.local_addr();
        let entered = net.client.enter().unwrap();
        // Plain Multipath TCP; then the library without control; then with control, which must
        // differ.
        let plain = traffic::connect(address).unwrap();
        let ours = subflows::connect(address, &Connect::new()).unwrap();
        let taken = subflows::connect(address, &Connect::new().control(true)).unwrap();
        drop(entered);
        let counted = |sock: &std::net::TcpStream| {
            let port = sock.local_addr().unwrap().port();
            let shown = oracle::ss_connections(&net.client);
            let found = shown.iter().find(|c| c.local.port() == port && c.remote == address);
            let token = found.expect("ss shows the connection").token.clone();
            let subflows = oracle::ss_subflows(&net.client);
            subflows.iter().filter(|s| s.token == token && s.flags.contains('e')).count()
        };
        for sock in [&plain, &ours, &taken] {
            use std::io::{Read, Write};
            let mut sock: &std::net::TcpStream = sock;
            sock.write_all(b"?").unwrap();
            sock.read_exact(&mut [0]).unwrap();
        }
        wait_until(SOON, "both paths of plain Multipath TCP", || counted(&plain) == 2);
        wait_until(SOON, "both paths without control", || counted(&ours) == 2);
        let status = |sock| net.client.run(|| subflows::status(sock)).unwrap();
        assert_eq!(status(&ours).path_manager, PathManager::Kernel);
        assert_eq!(status(&plain).path_manager, PathManager::Kernel);
        assert_eq!(status(&taken).path_manager, PathManager::Userspace);
        assert_eq!(
            counted(&taken),
            1,
            "a controlled connection has only the paths that the program opens"
        );
    }
}
