//! Every middlebox by name, and those with a state: data arrives whole, or the connection fails and the
//! application learns it.

use std::io;
use std::net::TcpStream;
use std::time::Duration;

use subflows_lab::traffic::{self, Server};
use subflows_lab::{
    BoxSpec, ChangePayload, Direction, EchoOptions, Nat, Net, OnPort, RewriteIsn, WireOptions,
    box_names, has_sysctl, oracle, skip, skip_unless_ready, wait_until,
};

const SOON: Duration = Duration::from_secs(30);
const BYTES: u64 = 200_000;

/// What an application sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    WholeByMptcp,
    WholeByTcp,
    /// The connection failed.
    Failed,
    /// As much data as was sent, with other bytes.
    Changed,
}

fn one_wire() -> Net {
    Net::wires(&[("wifi", WireOptions::default())]).unwrap()
}

fn two_wires() -> Net {
    let perfect = WireOptions::default();
    let net = Net::wires(&[("wifi", perfect), ("lte", perfect)]).unwrap();
    net.join_by_kernel().unwrap();
    net
}

/// Connects to a server, transfers, and reports what became of it.
fn transfer(net: &Net, server: &Server, by: fn(&TcpStream, u64) -> io::Result<()>) -> Seen {
    // A path that drops all SYNs lets a connection fail after this time.
    let connect = traffic::Connect::new().timeout(Duration::from_millis(500));
    let Ok(stream) = net.client.run(|| connect.to(server.local_addr())) else {
        return Seen::Failed;
    };
    match by(&stream, BYTES) {
        Ok(()) if traffic::is_mptcp(&stream).unwrap() => Seen::WholeByMptcp,
        Ok(()) => Seen::WholeByTcp,
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Seen::Changed,
        Err(_) => Seen::Failed,
    }
}

#[test]
fn data_arrives_whole_or_the_connection_fails() {
    skip_unless_ready!();
    let net = one_wire();
    let wire = net.paths[0].wire().unwrap();
    for ip in net.paths[0].server_ips() {
        for (name, _) in box_names() {
            let box_of = || format!("wifi={name}").parse::<BoxSpec>().unwrap().middlebox();
            let source = traffic::serve_source(&net.server, (ip, 0).into(), BYTES).unwrap();
            let sink = traffic::serve_sink(&net.server, (ip, 0).into()).unwrap();
            for server in [&source, &sink] {
                wire.add(OnPort::new(server.local_addr().port(), box_of()));
            }
            // Nothing answers a request that an echoing host has acknowledged.
            if name == "echo" {
                continue;
            }
            let seen =
                [transfer(&net, &source, traffic::fetch), transfer(&net, &sink, traffic::push)];
            if name == "join" {
                // It holds the small request until the next segment or its repetition. On a busy machine the
                // connection is then sometimes plain TCP.
                assert!(matches!(seen[0], Seen::WholeByMptcp | Seen::WholeByTcp), "{seen:?} {ip}");
                assert_eq!(seen[1], Seen::WholeByMptcp, "{name} {ip}");
                continue;
            }
            let expected = match name {
                // Without MPTCP's checksum, as by TCP. The middlebox changes what the server sends.
                "change-payload" => [Seen::Changed, Seen::WholeByMptcp],
                "drop-syn" | "reset-syn" => [Seen::Failed; 2],
                _ if name.starts_with("strip-") => [Seen::WholeByTcp; 2],
                _ => [Seen::WholeByMptcp; 2],
            };
            assert_eq!(seen, expected, "{name} {ip}");
        }
    }
    for end in [&net.client, &net.server] {
        assert_eq!(oracle::nstat(end, "TcpInCsumErrors"), 0);
    }
}

#[test]
fn changed_data_is_noticed_by_checksums() {
    skip_unless_ready!();
    for is_joined in [false, true] {
        let net = if is_joined { two_wires() } else { one_wire() };
        for end in [&net.client, &net.server] {
            end.set_sysctl("net.mptcp.checksum_enabled", "1").unwrap();
        }
        for ip in net.paths[0].server_ips() {
            let server = traffic::serve_source(&net.server, (ip, 0).into(), BYTES).unwrap();
            let change = ChangePayload::always(Direction::ToClient);
            let path = net.paths.last().unwrap();
            let port = server.local_addr().port();
            path.wire().unwrap().add(OnPort::new(port, change.clone()));
            if is_joined {
                let stream = net.client.run(|| traffic::connect(server.local_addr())).unwrap();
                fetch_until(&stream, || change.changed() > 0);
            }
            let seen = transfer(&net, &server, traffic::fetch);
            if is_joined {
                // The subflow over which changed data arrives is reset, and the data comes by the other.
                assert_eq!(seen, Seen::WholeByMptcp);
            } else {
                // The kernel falls back to TCP, which cannot notice, or closes the connection.
                assert!(matches!(seen, Seen::Changed | Seen::Failed), "{seen:?}");
            }
            assert!(oracle::nstat(&net.client, "MPTcpExtDataCsumErr") > 0);
        }
    }
}

/// Fetches until a condition holds. All data is checked.
fn fetch_until(stream: &TcpStream, mut condition: impl FnMut() -> bool) {
    wait_until(SOON, "enough transfers", || {
        traffic::fetch(stream, BYTES).unwrap();
        condition()
    });
}

#[test]
fn a_router_that_forgets_ends_its_subflows_only() {
    skip_unless_ready!();
    for is_v6 in [0, 1] {
        let net = two_wires();
        let nats = [Nat::new(), Nat::new()];
        for (path, nat) in net.paths.iter().zip(&nats) {
            path.wire().unwrap().add(nat.clone());
        }
        let ip = net.paths[0].server_ips()[is_v6];
        let server = traffic::serve_source(&net.server, (ip, 0).into(), BYTES).unwrap();
        let stream = net.client.run(|| traffic::connect(server.local_addr())).unwrap();
        let joined = |s: &oracle::SsSubflow| s.state == "ESTAB" && s.remote_token != "0000";
        fetch_until(&stream, || oracle::ss_subflows(&net.client).iter().any(joined));
        assert!(nats.iter().all(|nat| nat.mappings() == 1));
        let accepted = server.accepted().unwrap();
        assert_ne!(accepted[0].peer_addr().unwrap().port(), stream.local_addr().unwrap().port());
        // One path stays.
        nats[1].forget();
        traffic::fetch(&stream, BYTES).unwrap();

        let net = one_wire();
        let nat = Nat::new();
        net.paths[0].wire().unwrap().add(nat.clone());
        let server = traffic::serve_source(&net.server, (ip, 0).into(), BYTES).unwrap();
        let stream = net.client.run(|| traffic::connect(server.local_addr())).unwrap();
        traffic::fetch(&stream, BYTES).unwrap();
        // A connection without subflows ends after this time, in seconds.
        if !net.client.run(|| has_sysctl("net.mptcp.close_timeout")) {
            return skip("before Linux 6.7, a connection without subflows ends after a minute");
        }
        net.client.set_sysctl("net.mptcp.close_timeout", "1").unwrap();
        nat.forget();
        let error = traffic::fetch(&stream, BYTES).unwrap_err();
        assert!(
            !matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::WouldBlock),
            "{error}"
        );
    }
}

#[test]
fn announcements_can_be_dropped_and_joins_reset() {
    skip_unless_ready!();
    let net =
        Net::wires(&[("wifi", WireOptions::default()), ("lte", WireOptions::default())]).unwrap();
    net.raise_limits().unwrap();
    let announced = net.paths[1].server_v4.to_string();
    net.server.ip(&["mptcp", "endpoint", "add", &announced, "signal"]).unwrap();
    let drops = subflows_lab::DropSegments::add_addrs();
    net.paths[0].wire().unwrap().add(drops.clone());
    let resets = subflows_lab::DropSegments::join_syns().resetting();
    net.paths[1].wire().unwrap().add(resets.clone());
    let ip = net.paths[0].server_v4;
    let server = traffic::serve_source(&net.server, (ip, 0).into(), BYTES).unwrap();
    let stream = net.client.run(|| traffic::connect(server.local_addr())).unwrap();
    fetch_until(&stream, || drops.dropped() > 0);
    assert_eq!(oracle::nstat(&net.client, "MPTcpExtAddAddr"), 0);
    // The server announces again on a new connection, from which the client joins, and is reset.
    drops.stop();
    let stream = net.client.run(|| traffic::connect(server.local_addr())).unwrap();
    fetch_until(&stream, || resets.dropped() > 0);
    // It may announce again on the first one, too.
    assert!(oracle::nstat(&net.client, "MPTcpExtAddAddr") >= 1);
    assert_eq!(oracle::nstat(&net.server, "MPTcpExtMPJoinSynRx"), 0);
    traffic::fetch(&stream, BYTES).unwrap();
}

#[test]
fn selective_acknowledgements_survive_other_sequence_numbers() {
    skip_unless_ready!();
    let lossy =
        WireOptions { loss: 0.02, delay: Duration::from_millis(1), ..WireOptions::default() };
    let net = Net::wires(&[("wifi", lossy)]).unwrap();
    net.paths[0].wire().unwrap().add(RewriteIsn::new());
    for ip in net.paths[0].server_ips() {
        let server = traffic::serve_source(&net.server, (ip, 0).into(), 2_000_000).unwrap();
        let stream = net.client.run(|| traffic::connect(server.local_addr())).unwrap();
        traffic::fetch(&stream, 2_000_000).unwrap();
        assert!(traffic::is_mptcp(&stream).unwrap());
    }
    assert!(oracle::nstat(&net.server, "TcpExtTCPSackRecovery") > 0);
    // Blocks with numbers of the other side would be discarded.
    assert_eq!(oracle::nstat(&net.server, "TcpExtTCPSACKDiscard"), 0);
}

#[test]
fn echoed_options_do_not_make_mptcp() {
    skip_unless_ready!();
    let net = one_wire();
    for (echo, seems_mptcp, port) in
        [(EchoOptions::exactly(), false, 81), (EchoOptions::with_key(), true, 82)]
    {
        net.paths[0].wire().unwrap().add(OnPort::new(port, echo.clone()));
        for ip in net.paths[0].server_ips() {
            let stream = net.client.run(|| traffic::connect((ip, port).into())).unwrap();
            assert_eq!(traffic::is_mptcp(&stream).unwrap(), seems_mptcp);
            assert!(echo.answered() > 0);
        }
    }
    assert_eq!(oracle::nstat(&net.server, "TcpInSegs"), 0);
}
