//! What only Rust's callers see of `announce`, and its rare cases. The rest is in the scenarios.

mod common;

use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use common::judge::{self, agree};
use common::ways::initial;
use common::{Pair, SOON, controlled, expect_error, open_handed, userspace};
use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;
use subflows::kernel::{LocalAddress, PathManagerSocket};
use subflows::{Address, Announce, Announced, ErrorKind, Event, EventKind, Events};
use subflows::{Open, Result, Subflow};
use subflows_lab::traffic;
use subflows_lab::{
    Direction, DropSegments, Net, Subtype, WireOptions, is_before, oracle, skip, skip_unless_ready,
    wait_until,
};

/// A network in which programs control the connections of both ends.
fn both_decide(net: std::io::Result<Net>) -> Net {
    let net = open_handed(net.unwrap());
    userspace(&net.server);
    net
}

fn announce(net: &Net, pair: &Pair, ip: IpAddr, options: &Announce) -> Result<Announced> {
    net.client.run(|| subflows::announce(&pair.client, ip, options))
}

/// The next event of this kind; others are skipped.
#[track_caller]
fn next(events: &mut Events, kind: EventKind) -> Event {
    let deadline = Instant::now() + SOON;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let event = events.next(left).unwrap().unwrap_or_else(|| panic!("no {kind:?} came"));
        if event.kind == kind {
            return event;
        }
    }
}

fn addresses(net: &Net, pair: &Pair) -> Vec<Address> {
    net.client.run(|| subflows::addresses(&pair.client)).unwrap()
}

/// An announced address with a port, and the subflow that the server opened towards it.
fn joined(net: &Net, to: IpAddr) -> (Pair, Events, Announced, Subflow) {
    let pair = controlled(net, to);
    let mut events = net.server.run(|| subflows::events(&pair.server)).unwrap();
    let ip = net.paths[1].client_ip(to);
    let here = announce(net, &pair, ip, &Announce::new().port(0u16)).unwrap();
    assert_eq!(here.address().ip(), ip);
    assert_ne!(here.address().port(), 0);

    let event = next(&mut events, EventKind::AddressAnnounced);
    assert_eq!((event.remote, event.remote_address_id), (Some(here.address()), Some(here.id())));
    let open = Open::new().local(net.paths[1].server_ips()[usize::from(to.is_ipv6())]);
    let open = open.remote(event.remote.unwrap());
    let subflow = net.server.run(|| subflows::open(&pair.server, &open)).unwrap();
    (pair, events, here, subflow)
}

#[test]
fn an_announced_address_is_known_until_its_handle_is_dropped() {
    skip_unless_ready!();
    let net = both_decide(Net::two_subnets());
    for to in net.paths[0].server_ips() {
        let (pair, mut events, here, subflow) = joined(&net, to);
        let ends = (subflow.remote, subflow.local);
        let seen = judge::ss_find(&net.client, judge::token(&pair.client), ends).unwrap();
        assert_eq!(seen.local_id, here.id(), "{seen:?}");
        let known = addresses(&net, &pair);
        let [first, second] = &known[..] else { panic!("not two: {known:?}") };
        let own = pair.client.local_addr().unwrap();
        assert_eq!((first.ip, first.is_announced), (own.ip(), false));
        // Old kernels (Linux 6.1) may count the ids from 1.
        assert!(first.id == 0 || common::is_without("full_info"), "{first:?}");
        assert_eq!((second.id, second.ip), (here.id(), here.address().ip()));
        // Before Linux 6.10 the kernel does not report what was announced.
        let is_reported = second.is_announced || common::is_without("addresses_by_token");
        assert!(is_reported && second.subflows == 1, "{second:?}");

        let id = here.id();
        net.client.run(|| drop(here));
        assert_eq!(next(&mut events, EventKind::AddressRemoved).remote_address_id, Some(id));
        let event = next(&mut events, EventKind::SubflowClosed);
        assert_eq!((event.local, event.remote), (Some(subflow.local), Some(subflow.remote)));
        agree(&net.client, &pair.client, &initial(&pair));
        assert!(addresses(&net, &pair).iter().all(|address| !address.is_announced));
        assert!(pair.moves_data());
    }
}

#[test]
fn the_descriptor_becomes_readable_for_strangers_and_not_for_the_peer() {
    skip_unless_ready!();
    let net = both_decide(Net::two_subnets());
    let to = net.paths[0].server_ips()[0];
    let (_pair, _events, here, _subflow) = joined(&net, to);
    let is_readable = || {
        let fd = here.fd().unwrap();
        let mut entries = [nix::poll::PollFd::new(fd.as_fd(), nix::poll::PollFlags::POLLIN)];
        nix::poll::poll(&mut entries, nix::poll::PollTimeout::ZERO).unwrap() == 1
    };
    assert!(!is_readable(), "the peer's subflow is reported as a stranger");
    let plain = traffic::Connect::new().plain_tcp();
    let mut stranger = net.server.run(|| plain.to(here.address())).unwrap();
    wait_until(SOON, "the descriptor to become readable", is_readable);
    assert_eq!(here.turn_away().unwrap(), 1);
    assert!(!is_readable());
    match stranger.read(&mut [0]) {
        Ok(count) => assert_eq!(count, 0, "a stranger received data"),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}"),
    }
}

/// A bug that this test found: the kernel accepts subflows of a controlled connection only while
/// some program on the host follows events. Other tests may be doing so; alone, this one fails if
/// the handle does not follow them.
#[test]
fn a_peer_may_come_while_no_program_follows_events() {
    skip_unless_ready!();
    let net = both_decide(Net::two_subnets());
    for to in net.paths[0].server_ips() {
        let pair = controlled(&net, to);
        let ip = net.paths[1].client_ip(to);
        let here = announce(&net, &pair, ip, &Announce::new().port(0u16)).unwrap();
        // Unlike `open`, nothing here follows events.
        let local = net.paths[1].server_ips()[usize::from(to.is_ipv6())];
        let local = LocalAddress::new(local, 9);
        let token = judge::token(&pair.server);
        let come = || PathManagerSocket::open().unwrap().create(token, &local, here.address());
        wait_until(SOON, "the announcement to arrive", || net.server.run(come).is_ok());
        wait_until(SOON, "the peer to come", || {
            let seen = judge::ss_of(&net.client, judge::token(&pair.client));
            seen.iter().any(|seen| seen.local == here.address() && seen.flags.contains('e'))
        });
        let rejected = oracle::nstat_if_any(&net.client, "MPTcpExtMPJoinRejected");
        assert_eq!(rejected.unwrap_or(0), 0);
        net.client.run(|| here.withdraw()).unwrap();
    }
}

/// A bug that this test found: an IPv6 address with a port does not fit into a segment together
/// with TCP timestamps. The kernel (6.18) then sends the peer nothing, and reports success to the
/// caller.
#[test]
fn a_chosen_port_is_announced_or_refused() {
    skip_unless_ready!();
    for has_timestamps in [false, true] {
        let net = both_decide(Net::two_subnets());
        for namespace in [&net.client, &net.server] {
            let value = if has_timestamps { "1" } else { "0" };
            namespace.set_sysctl("net.ipv4.tcp_timestamps", value).unwrap();
        }
        for to in net.paths[0].server_ips() {
            let pair = controlled(&net, to);
            let mut events = net.server.run(|| subflows::events(&pair.server)).unwrap();
            let ip = net.paths[1].client_ip(to);
            // A port that is free and not the connection's own.
            let own = pair.client.local_addr().unwrap().port();
            let port = if own == 20_000 { 20_001u16 } else { 20_000 };
            match announce(&net, &pair, ip, &Announce::new().port(port)) {
                Ok(here) => {
                    let event = next(&mut events, EventKind::AddressAnnounced);
                    assert_eq!(event.remote, Some(SocketAddr::new(ip, port)));
                    assert_eq!(here.address(), SocketAddr::new(ip, port));
                    net.client.run(|| drop(here));
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
                    assert!(has_timestamps && ip.is_ipv6(), "{error}");
                }
            }
            assert!(pair.moves_data());
        }
    }
}

#[test]
fn a_port_that_is_taken_is_not_announced() {
    skip_unless_ready!();
    let net = both_decide(Net::two_subnets());
    for to in net.paths[0].server_ips() {
        let (pair, _events, here, _) = joined(&net, to);
        let taken = Announce::new().port(here.address().port());
        expect_error(
            announce(&net, &pair, here.address().ip(), &taken),
            ErrorKind::AddressNotAvailable,
        );
        assert!(pair.moves_data());
    }
}

#[test]
fn an_address_of_a_connection_that_has_ended_cannot_be_withdrawn() {
    skip_unless_ready!();
    let net = both_decide(Net::two_subnets());
    for to in net.paths[0].server_ips() {
        let (pair, _events, here, _) = joined(&net, to);
        let token = judge::token(&pair.client);
        drop(pair);
        let has_ended = || subflows::connection(token).is_err();
        wait_until(SOON, "the connection to end", || net.client.run(has_ended));
        expect_error(net.client.run(|| here.withdraw()), ErrorKind::Closed);
    }
}

/// Whether the kernel reports which addresses are announced, even if the verbs treat it as an older one.
fn shows_announced() -> bool {
    !is_before(6, 10)
}

/// What the kernel reports, even if the verbs treat it as an older kernel.
fn is_announced(net: &Net, pair: &Pair, ip: IpAddr) -> bool {
    let token = judge::token(&pair.client);
    let known = net.client.run(|| PathManagerSocket::open()?.addresses(token)).unwrap();
    known.iter().any(|known| known.ip == ip && known.is_announced)
}

/// If the handle did not keep its namespace, closing it on a thread that has moved would leave the
/// address announced forever, or withdraw an address of another connection.
#[test]
fn an_address_is_withdrawn_from_another_namespace() {
    skip_unless_ready!();
    let net = both_decide(Net::two_subnets());
    let ip = net.paths[0].client_ip(net.paths[0].server_v4.into());
    let pair = controlled(&net, net.paths[0].server_v4.into());
    let other = net.paths[1].client_ip(ip);
    let mut events = net.server.run(|| subflows::events(&pair.server)).unwrap();
    let here = announce(&net, &pair, other, &Announce::new()).unwrap();
    // Without a port there is no listener.
    assert_eq!((here.address().port(), here.turn_away().unwrap()), (0, 0));
    assert!(here.fd().is_none());
    assert_eq!(next(&mut events, EventKind::AddressAnnounced).remote_address_id, Some(here.id()));
    net.server.run(|| here.withdraw()).unwrap();
    next(&mut events, EventKind::AddressRemoved);
    assert!(!is_announced(&net, &pair, other));
}

/// If the handle did not know which process made it, a forked child that drops its copy would
/// withdraw the address of its parent.
#[test]
fn a_fork_withdraws_nothing_of_its_parent() {
    skip_unless_ready!();
    let net = both_decide(Net::two_subnets());
    let to = IpAddr::from(net.paths[0].server_v4);
    let pair = controlled(&net, to);
    let other = net.paths[1].client_ip(to);
    let here = announce(&net, &pair, other, &Announce::new()).unwrap();
    // SAFETY: the child drops one value and leaves, without running anything of the parent's.
    match unsafe { nix::unistd::fork() }.unwrap() {
        nix::unistd::ForkResult::Child => {
            drop(here);
            // SAFETY: nothing of this process is used after this.
            unsafe { libc::_exit(0) }
        }
        nix::unistd::ForkResult::Parent { child } => {
            nix::sys::wait::waitpid(child, None).unwrap();
        }
    }
    assert!(is_announced(&net, &pair, other) || !shows_announced());
    here.withdraw().unwrap();
}

/// Opens a subflow from that path of the client's, without the rest of a regular one.
fn open_backup(net: &Net, pair: &Pair, path: usize) -> Result<Subflow> {
    let local = net.paths[path].client_ip(pair.client.peer_addr().unwrap().ip());
    net.client.run(|| subflows::open(&pair.client, &Open::new().local(local).backup(true)))
}

fn details(net: &Net, pair: &Pair, subflow: &Subflow) -> subflows::Details {
    net.client.run(|| subflows::details(&pair.client, subflow.id)).unwrap()
}

/// Announces the address of the second path, and makes the kernel forget it.
fn announced_and_forgotten(net: &Net, pair: &Pair) -> Announced {
    let ip = net.paths[1].client_ip(pair.client.peer_addr().unwrap().ip());
    let here = announce(net, pair, ip, &Announce::new()).unwrap();
    assert!(is_announced(net, pair, ip) || !shows_announced());
    let extra = open_backup(net, pair, 1).unwrap();
    net.client.run(|| subflows::close(&pair.client, extra.id)).unwrap();
    assert!(!is_announced(net, pair, ip), "the kernel has not forgotten it");
    here
}

/// The id was given to a subflow from another address, which the withdrawal then closed.
#[test]
fn the_id_of_an_announced_address_was_given_away() {
    skip_unless_ready!();
    let net = both_decide(Net::two_subnets());
    for to in net.paths[0].server_ips() {
        let pair = controlled(&net, to);
        let here = announced_and_forgotten(&net, &pair);
        let stays = open_backup(&net, &pair, 0).unwrap();
        // The ids are used in turn: this is all of them.
        let (open, token) =
            (Open::new().local(net.paths[0].client_ip(to)), judge::token(&pair.client));
        net.client.run(|| {
            let mut kernel = PathManagerSocket::open().unwrap();
            for _ in 0..256 {
                let opening = subflows::Opening::begin(&pair.client, &open).unwrap();
                let known = kernel.addresses(token).unwrap();
                assert!(known.iter().all(|known| known.id != here.id()), "{known:?}");
                drop(opening);
            }
        });
        let mut events = net.server.run(|| subflows::events(&pair.server)).unwrap();
        let id = here.id();
        net.client.run(|| here.withdraw()).unwrap();
        assert_eq!(next(&mut events, EventKind::AddressRemoved).remote_address_id, Some(id));
        assert!(details(&net, &pair, &stays).is_joined);
        assert!(pair.moves_data());
    }
}

/// Another process is not bound to what this one remembers.
#[test]
fn a_withdrawal_closed_a_subflow_from_another_address() {
    skip_unless_ready!();
    let net = both_decide(Net::two_subnets());
    for to in net.paths[0].server_ips() {
        let pair = controlled(&net, to);
        let here = announced_and_forgotten(&net, &pair);
        let other = LocalAddress::new(net.paths[0].client_ip(to), here.id());
        let (token, remote) = (judge::token(&pair.client), pair.client.peer_addr().unwrap());
        net.client.run(|| PathManagerSocket::open()?.create(token, &other, remote)).unwrap();
        let live = || net.client.run(|| subflows::list(&pair.client)).unwrap().len();
        wait_until(SOON, "the subflow", || live() == 2);
        expect_error(net.client.run(|| here.withdraw()), ErrorKind::InvalidState);
        assert_eq!(live(), 2);
        assert!(pair.moves_data());
    }
}

/// The kernel chose another id for the address, and then refused to announce it with the former one.
#[test]
fn an_address_that_the_peer_used_after_the_kernel_forgot_it_could_not_be_withdrawn() {
    skip_unless_ready!();
    let net = both_decide(Net::two_subnets());
    for to in net.paths[0].server_ips() {
        let pair = controlled(&net, to);
        let mut events = net.server.run(|| subflows::events(&pair.server)).unwrap();
        let ip = net.paths[1].client_ip(to);
        let here = announce(&net, &pair, ip, &Announce::new().port(0u16)).unwrap();
        let address = next(&mut events, EventKind::AddressAnnounced).remote.unwrap();
        let own = open_backup(&net, &pair, 1).unwrap();
        net.client.run(|| subflows::close(&pair.client, own.id)).unwrap();
        assert!(!is_announced(&net, &pair, ip), "the kernel has not forgotten it");
        let local = net.paths[1].server_ips()[usize::from(to.is_ipv6())];
        let open = Open::new().local(local).remote(address).backup(true);
        let joined = net.server.run(|| subflows::open(&pair.server, &open)).unwrap();
        // Two streams, because the two events come by different paths.
        let mut streams =
            [0, 1].map(|_| net.server.run(|| subflows::events(&pair.server)).unwrap());
        let id = here.id();
        net.client.run(|| here.withdraw()).unwrap();
        let event = next(&mut streams[0], EventKind::SubflowClosed);
        assert_eq!(event.remote, Some(joined.remote));
        let event = next(&mut streams[1], EventKind::AddressRemoved);
        assert_eq!(event.remote_address_id, Some(id));
        agree(&net.client, &pair.client, &initial(&pair));
        assert!(pair.moves_data());
    }
}

/// The kernel assigns the id of an own subflow to the peer's subflow to the same address.
#[test]
fn a_peers_subflow_outlived_the_withdrawal_of_its_address() {
    skip_unless_ready!();
    let net = both_decide(Net::two_subnets());
    for to in net.paths[0].server_ips() {
        // The address of the initial subflow, and of another one.
        for path in [0, 1] {
            for port in [None, Some(0u16)] {
                let pair = controlled(&net, to);
                let own = (path == 1).then(|| open_backup(&net, &pair, path).unwrap());
                let here = net.paths[path].client_ip(to);
                let mut options = Announce::new();
                if let Some(port) = port {
                    options = options.port(port);
                }
                let mut events = net.server.run(|| subflows::events(&pair.server)).unwrap();
                // Without a port the peer joins where this end is, so something must listen there.
                let end = SocketAddr::new(here, pair.client.local_addr().unwrap().port());
                let _listener = port.is_none().then(|| {
                    let listen = subflows::Listen::new();
                    net.client.run(|| subflows::listen(end, &listen).ok())
                });
                let here = match announce(&net, &pair, here, &options) {
                    // With TCP timestamps, IPv6 is announced with the port of this end only.
                    Err(error) if error.kind() == ErrorKind::AddressNotAvailable => {
                        assert!(to.is_ipv6() && path == 0, "{error}");
                        continue;
                    }
                    here => here.unwrap(),
                };
                let event = next(&mut events, EventKind::AddressAnnounced);
                let local = net.paths[path].server_ips()[usize::from(to.is_ipv6())];
                let mut remote = event.remote.unwrap();
                if remote.port() == 0 {
                    remote.set_port(end.port());
                }
                let open = Open::new().local(local).remote(remote).backup(true);
                let Ok(joined) = net.server.run(|| subflows::open(&pair.server, &open)) else {
                    assert!(port.is_none(), "the peer cannot join");
                    continue;
                };
                net.client.run(|| here.withdraw()).unwrap();
                let event = next(&mut events, EventKind::SubflowClosed);
                assert_eq!(event.remote, Some(joined.remote), "path {path}, port {port:?}");
                let mut stay = initial(&pair);
                stay.extend(own.map(|own| (own.local, own.remote)));
                agree(&net.client, &pair.client, &stay);
                assert!(pair.moves_data());
            }
        }
    }
}

/// The kernel sends no REMOVE_ADDR while an ADD_ADDR waits to be sent: here the repetition of one whose echo was
/// lost. A timer asks for that, and a thread of the kernel on the same processor sends it.
#[test]
fn a_withdrawal_was_never_sent() {
    skip_unless_ready!();
    let perfect = WireOptions::default();
    let net = both_decide(Net::wires(&[("wifi", perfect), ("lte", perfect)]));
    net.paths[0].wire().unwrap().add(DropSegments::all(|segment| {
        segment.direction == Direction::ToClient && segment.has(Subtype::AddAddr)
    }));
    let pairs = net.paths[0].server_ips().map(|to| (controlled(&net, to), to));
    let withdraw_late = || {
        let _entered = net.client.enter().unwrap();
        let announced = pairs.each_ref().map(|(pair, to)| {
            let ip = net.paths[1].client_ip(*to);
            subflows::announce(&pair.client, ip, &Announce::new()).unwrap()
        });
        if !alone_on_one_processor() {
            skip("a thread with real-time priority");
        }
        // The kernel repeats after 200 ms, or a few more.
        let repeated = Instant::now() + Duration::from_millis(300);
        while Instant::now() < repeated {
            std::hint::spin_loop();
        }
        announced.into_iter().for_each(|announced| announced.withdraw().unwrap());
    };
    // A thread of its own, with which the priority ends.
    thread::scope(|scope| scope.spawn(withdraw_late).join().unwrap());
    wait_until(SOON, "both withdrawals to arrive", || {
        oracle::nstat(&net.server, "MPTcpExtRmAddr") >= 2
    });
}

/// Keeps the calling thread on one processor, on which no thread of normal priority then runs. Returns whether that
/// is permitted.
fn alone_on_one_processor() -> bool {
    let here = sched_getcpu().unwrap();
    let mut one = CpuSet::new();
    one.set(here).unwrap();
    sched_setaffinity(Pid::from_raw(0), &one).unwrap();
    // SAFETY: the kernel reads one `sched_param`.
    unsafe {
        libc::sched_setscheduler(0, libc::SCHED_FIFO, &libc::sched_param { sched_priority: 1 }) == 0
    }
}
