//! Without these, a second path that was opened carries nothing, or the wrong path does, or data
//! are lost when a path is turned down or closed under load.

mod common;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use common::judge::{self, Ends, agree, mirrored, ss_find, ss_number};
use common::transfer::Transfer;
use common::{Pair, SOON, connect_from_to, open_handed};
use subflows::{Connect, ErrorKind, Open, Subflow};
use subflows_lab::{Namespace, Net, Path, oracle, ready, wait_until};

const MIB: u64 = 1 << 20;
/// What each path can carry in each direction.
const RATE_BITS_PER_SECOND: u64 = 80_000_000;
/// Over which time it is measured.
const WINDOW: Duration = Duration::from_millis(300);

/// The addresses of a connection and of its second subflow.
#[derive(Clone, Copy, Debug)]
enum Family {
    V4,
    V6,
    /// An IPv6 socket that is connected to an IPv4 host.
    Mapped,
    /// An IPv4 subflow of an IPv6 connection.
    V4OnV6,
}

/// By what the second subflow is chosen.
#[derive(Clone, Copy, Debug)]
enum Choice {
    Address,
    Interface,
}

impl Family {
    const ALL: [Family; 4] = [Family::V4, Family::V6, Family::Mapped, Family::V4OnV6];

    /// Where the server listens, and to what the client connects.
    fn ends(self, path: &Path) -> (IpAddr, IpAddr) {
        let (v4, v6) = (IpAddr::from(path.server_v4), IpAddr::from(path.server_v6));
        let everywhere = IpAddr::from(Ipv6Addr::UNSPECIFIED);
        match self {
            Family::V4 => (v4, v4),
            Family::V6 => (v6, v6),
            Family::Mapped => (everywhere, path.server_v4.to_ipv6_mapped().into()),
            Family::V4OnV6 => (everywhere, v6),
        }
    }

    fn second(self, path: &Path, choice: Choice) -> Open {
        let local: IpAddr = match self {
            Family::V6 => path.client_v6.into(),
            _ => path.client_v4.into(),
        };
        let open = match choice {
            Choice::Address => Open::new().local(local),
            Choice::Interface => Open::new().interface(path.client_interface.as_str()),
        };
        match self {
            // Port 0: the one that was connected to.
            Family::V4OnV6 => open.remote(SocketAddr::from((path.server_v4, 0))),
            _ => open,
        }
    }
}

/// Which way the data go.
#[derive(Clone, Copy, Debug)]
enum Way {
    Up,
    Down,
}

/// Gives every path its rate, by a token bucket where no wire is.
fn with_rates(net: Net) -> Net {
    let rate = format!("{RATE_BITS_PER_SECOND}bit");
    for path in &net.paths {
        if let Some(wire) = path.wire() {
            wire.set_rate(Some(RATE_BITS_PER_SECOND));
            continue;
        }
        let ends = [(&net.client, &path.client_interface), (&net.server, &path.server_interface)];
        for (namespace, interface) in ends {
            let command = ["qdisc", "add", "dev", interface, "root", "tbf", "rate", &rate];
            let bucket = ["burst", "64kb", "latency", "30ms"];
            namespace.output("tc", &[&command[..], &bucket].concat()).unwrap();
        }
    }
    open_handed(net)
}

/// A connection under load, and where to look.
struct Scene<'net> {
    net: &'net Net,
    pair: Pair,
    way: Way,
    what: String,
}

impl Scene<'_> {
    fn sender(&self) -> (&Namespace, &TcpStream) {
        match self.way {
            Way::Up => (&self.net.client, &self.pair.client),
            Way::Down => (&self.net.server, &self.pair.server),
        }
    }

    /// What each wire has carried in the direction of the data.
    fn carried(&self) -> Vec<u64> {
        let bytes = |path: &Path| {
            let bytes = path.bytes().unwrap();
            match self.way {
                Way::Up => bytes.to_server,
                Way::Down => bytes.to_client,
            }
        };
        self.net.paths.iter().map(bytes).collect()
    }

    /// Waits for a window in which the wires carried these parts of what they can, at least, and
    /// in which `also` held.
    #[track_caller]
    fn wait_for_window(
        &self,
        transfer: &Transfer,
        least: &[f64],
        mut also: impl FnMut(&[u64]) -> bool,
    ) {
        let (mut start, mut before) = (Instant::now(), self.carried());
        let mut last = Vec::new();
        let deadline = start + SOON;
        wait_until(2 * SOON, "a window", || {
            transfer.check();
            let span = start.elapsed();
            if span < WINDOW {
                return false;
            }
            let now = self.carried();
            let moved: Vec<u64> = now.iter().zip(&before).map(|(now, then)| now - then).collect();
            let can = RATE_BITS_PER_SECOND as f64 / 8.0 * span.as_secs_f64();
            let is_met = moved.iter().zip(least).all(|(&moved, least)| moved as f64 >= can * least);
            let is_met = is_met && also(&moved);
            last = moved.iter().map(|moved| *moved as f64 / can).collect();
            (start, before) = (Instant::now(), now);
            if start >= deadline {
                let [client, server] = [&self.net.client, &self.net.server].map(|namespace| {
                    (oracle::ss_subflows(namespace), oracle::ss_connections(namespace))
                });
                panic!(
                    "{}: the wires carried {last:?} of {least:?}\n{client:#?}\n{server:#?}",
                    self.what
                );
            }
            is_met
        });
    }

    /// How many bytes the sender has sent on a subflow, by ss.
    fn sent_on(&self, client_ends: Ends) -> u64 {
        let (namespace, sock) = self.sender();
        let ends = match self.way {
            Way::Up => client_ends,
            Way::Down => (client_ends.1, client_ends.0),
        };
        let found = ss_find(namespace, judge::token(sock), ends);
        ss_number(&found.expect("ss shows the subflow"), "bytes_sent")
    }

    /// `list` and ss show exactly these, at both ends.
    #[track_caller]
    fn both_agree(&self, expected: &BTreeSet<Ends>) {
        agree(&self.net.client, &self.pair.client, expected);
        agree(&self.net.server, &self.pair.server, &mirrored(expected));
    }

    /// The letters of ss for a subflow, at the client and at the server.
    fn flags(&self, (local, remote): Ends) -> [String; 2] {
        let client = ss_find(&self.net.client, judge::token(&self.pair.client), (local, remote));
        let server = ss_find(&self.net.server, judge::token(&self.pair.server), (remote, local));
        [client, server].map(|found| found.expect("ss shows the subflow").flags)
    }
}

fn ends(subflow: &Subflow) -> Ends {
    (subflow.local, subflow.remote)
}

/// The whole story: one path, two, the first as a backup, the first closed.
fn steer(net: &Net, family: Family, choice: Choice) {
    let way = match choice {
        Choice::Address => Way::Down,
        Choice::Interface => Way::Up,
    };
    let (listen, to) = family.ends(&net.paths[0]);
    let options = Connect::new().control(true);
    let pair = connect_from_to(&net.client, &net.server, listen, to, &options);
    let what = format!("{family:?} {choice:?} {way:?}");
    let scene = Scene { net, pair, way, what };
    let (client, server) = (&scene.pair.client, &scene.pair.server);
    let transfer = match way {
        Way::Up => Transfer::start(client, server, 64 * MIB),
        Way::Down => Transfer::start(server, client, 64 * MIB),
    };
    transfer.wait_for(MIB);

    let entered = net.client.enter().unwrap();
    let [initial] = &subflows::list(client).unwrap()[..] else { panic!("not one subflow") };
    let second = subflows::open(client, &family.second(&net.paths[1], choice)).unwrap();
    assert_eq!(second.local.ip(), expected_local(family, &net.paths[1]), "{}", scene.what);
    drop(entered);
    let [ours, theirs] = scene.flags(ends(&second));
    assert!(ours.contains('e') && theirs.contains('e'), "{}: {ours} {theirs}", scene.what);
    let both = BTreeSet::from([ends(initial), ends(&second)]);
    scene.both_agree(&both);
    scene.wait_for_window(&transfer, &[0.3, 0.3], |_| true);
    scene.both_agree(&both);

    net.client.run(|| subflows::set_backup(client, initial.id, true)).unwrap();
    let mut before = scene.sent_on(ends(initial));
    let mut silence = before;
    scene.wait_for_window(&transfer, &[0.0, 0.3], |moved| {
        silence = scene.sent_on(ends(initial));
        let is_silent = silence == before && moved[0] < moved[1] / 50;
        before = silence;
        is_silent
    });
    // The peer is told by an option that nobody sends again when it is lost.
    wait_until(SOON, "both ends know the backup", || {
        let [ours, theirs] = scene.flags(ends(initial));
        net.client.run(|| subflows::set_backup(client, initial.id, true)).unwrap();
        ours.contains('b') && theirs.contains('B')
    });
    transfer.wait_for(MIB);
    assert_eq!(scene.sent_on(ends(initial)), silence, "{}: the backup was used", scene.what);

    net.client.run(|| subflows::close(client, initial.id)).unwrap();
    let only = BTreeSet::from([ends(&second)]);
    assert_eq!(judge::listed(&net.client, client), only, "{}", scene.what);
    assert_eq!(judge::by_ss(&net.client, judge::token(client)), only, "{}", scene.what);
    scene.both_agree(&only);
    scene.wait_for_window(&transfer, &[0.0, 0.3], |moved| moved[0] < moved[1] / 50);
    scene.both_agree(&only);
    assert!(transfer.finish() >= 64 * MIB);
}

fn expected_local(family: Family, path: &Path) -> IpAddr {
    match family {
        Family::V6 => path.client_v6.into(),
        _ => path.client_v4.into(),
    }
}

/// All families at once, each in a network of its own.
fn every_family(build: fn() -> std::io::Result<Net>, choice: Choice) {
    if !ready() {
        return;
    }
    thread::scope(|scope| {
        for family in Family::ALL {
            scope.spawn(move || steer(&with_rates(build().unwrap()), family, choice));
        }
    });
}

#[test]
fn two_subnets_by_address() {
    every_family(Net::two_subnets, Choice::Address);
}

#[test]
fn two_subnets_by_interface() {
    every_family(Net::two_subnets, Choice::Interface);
}

#[test]
fn a_laptop_by_address() {
    every_family(Net::laptop, Choice::Address);
}

#[test]
fn a_laptop_by_interface() {
    every_family(Net::laptop, Choice::Interface);
}

#[test]
fn far_by_address() {
    every_family(Net::far, Choice::Address);
}

#[test]
fn far_by_interface() {
    every_family(Net::far, Choice::Interface);
}

#[test]
fn by_address_alone_a_laptops_packets_vanish() {
    if !ready() {
        return;
    }
    let net = open_handed(Net::laptop().unwrap());
    let path = &net.paths[1];
    for to in net.paths[0].server_ips() {
        let pair = common::connect(&net, to, &Connect::new().control(true));
        pair.make_ready();
        let (client, token) = (&pair.client, judge::token(&pair.client));
        let local = path.client_ip(to);
        let naive = Open::new().local(local).unbound(true);
        let naive = naive.timeout(Duration::from_secs(1));
        let joins = oracle::nstat(&net.server, "MPTcpExtMPJoinSynRx");
        let of_it = || {
            let mut subflows = judge::ss_of(&net.client, token);
            subflows.retain(|subflow| subflow.local.ip() == local);
            subflows
        };
        let error = thread::scope(|scope| {
            let opening = scope.spawn(|| net.client.run(|| subflows::open(client, &naive)));
            wait_until(SOON, "a SYN that nobody answers", || {
                of_it().iter().any(|subflow| subflow.state == "SYN-SENT")
            });
            opening.join().unwrap().unwrap_err()
        });
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        wait_until(SOON, "nothing to be left of it", || of_it().is_empty());
        assert_eq!(oracle::nstat(&net.server, "MPTcpExtMPJoinSynRx"), joins, "it came through");
        assert!(pair.moves_data());

        let second = net.client.run(|| subflows::open(client, &Open::new().local(local))).unwrap();
        assert_eq!(second.local.ip(), local);
        let [found] = &of_it()[..] else { panic!("not one subflow from {local}") };
        assert_eq!(found.interface.as_deref(), Some(path.client_interface.as_str()));
        assert!(found.flags.contains('e') && found.state == "ESTAB", "{found:?}");
        assert!(pair.moves_data());
    }
    let filtered = oracle::nstat(&net.routers[0], "TcpExtIPReversePathFilter");
    assert!(filtered > 0, "the first router has filtered nothing");
}
