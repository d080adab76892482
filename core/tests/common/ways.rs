//! Controlled connections by each kind of socket, and attempts that must leave them as they were.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use subflows::{Connect, Error, Open};
use subflows_lab::Net;

use super::judge::{self, Ends, canonical};
use super::{Pair, connect_from_to};

/// How long something immediate may take on a busy machine.
pub const AT_ONCE: Duration = Duration::from_millis(500);

/// Where the server listens and what the client connects to: IPv4, IPv6, and IPv4 by a socket of
/// IPv6.
pub fn ways(net: &Net) -> [(IpAddr, IpAddr); 3] {
    let [v4, v6] = net.paths[0].server_ips();
    let mapped = net.paths[0].server_v4.to_ipv6_mapped().into();
    [(v4, v4), (v6, v6), (v4, mapped)]
}

/// A connection for each, before any byte was sent.
pub fn connected(net: &Net, options: &Connect) -> Vec<Pair> {
    let connect = |(listen, to)| connect_from_to(&net.client, &net.server, listen, to, options);
    ways(net).into_iter().map(connect).collect()
}

/// A controlled connection for each, ready for subflows.
pub fn controlled(net: &Net) -> Vec<Pair> {
    let pairs = connected(net, &Connect::new().control(true));
    pairs.iter().for_each(Pair::make_ready);
    pairs
}

/// The address of the server, as it is on the wire.
pub fn peer(pair: &Pair) -> SocketAddr {
    canonical(pair.client.peer_addr().unwrap())
}

/// A subflow from the second path.
pub fn second(net: &Net, pair: &Pair) -> Open {
    Open::new().local(net.paths[1].client_ip(peer(pair).ip()))
}

/// The initial subflow only, as the client sees it.
pub fn initial(pair: &Pair) -> BTreeSet<Ends> {
    BTreeSet::from([(canonical(pair.client.local_addr().unwrap()), peer(pair))])
}

/// Calls `open`, which must fail, leave no subflow behind, and leave the connection moving data.
#[track_caller]
pub fn fails(net: &Net, pair: &Pair, options: &Open) -> (Error, Duration) {
    let token = judge::token(&pair.client);
    let before = judge::by_ss(&net.client, token);
    let _entered = net.client.enter().unwrap();
    let start = Instant::now();
    let result = subflows::open(&pair.client, options);
    let elapsed = start.elapsed();
    let after = judge::by_ss(&net.client, token);
    let Err(error) = result else { panic!("{options:?} was opened: {result:?}") };
    assert_eq!(after, before, "{options:?} left something: {error}");
    assert_eq!(error.operation(), "open", "{error}");
    assert!(elapsed < options.timeout + AT_ONCE, "it took {elapsed:?}: {error}");
    assert!(pair.moves_data(), "after {error}");
    (error, elapsed)
}

/// Pulls the cable of a path. The client keeps sending neighbour solicitations: otherwise the
/// neighbour would become unreachable after three seconds, which is another failure.
pub fn pull_cable(net: &Net, path: usize) {
    let path = &net.paths[path];
    for family in ["ipv4", "ipv6"] {
        for asking in ["mcast_solicit", "ucast_solicit"] {
            let key = format!("net/{family}/neigh/{}/{asking}", path.client_interface);
            net.client.set_sysctl(&key, "1000").unwrap();
        }
    }
    path.pull_cable().unwrap();
}
