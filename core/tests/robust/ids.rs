//! Address ids are bytes: a connection that lives long must not run out of them.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use subflows::ErrorKind;
use subflows_lab::{Net, skip_unless_ready, wait_until};

use super::common::{Pair, SOON, judge, open_handed};
use super::{close, controlled, open, second};

/// More than there are ids.
const MANY: usize = 300;

/// Plays it on a controlled connection of each family, IPv4 (0) and IPv6 (1).
fn on_both(play: impl Fn(&Net, &Pair, usize)) {
    let net = open_handed(Net::two_subnets().unwrap());
    (0..2).for_each(|family| play(&net, &controlled(&net, family), family));
}

/// Opens one more subflow. Both ends and ss show it, and it carries data alone.
fn still_opens(net: &Net, pair: &Pair) {
    let extra = net.client.run(|| open(net, pair)).unwrap();
    assert_eq!(judge::by_ss(&net.client, judge::token(&pair.client)).len(), 2);
    assert!(pair.moves_data());
    net.client.run(|| close(net, pair, &extra));
    assert!(pair.moves_data());
}

#[test]
fn opened_and_closed() {
    skip_unless_ready!();
    on_both(|net, pair, _| {
        net.client.run(|| {
            for time in 0..MANY {
                let extra = open(net, pair).unwrap_or_else(|error| panic!("{time}: {error}"));
                close(net, pair, &extra);
            }
        });
        still_opens(net, pair);
    });
}

#[test]
fn refused_by_the_peer() {
    skip_unless_ready!();
    on_both(|net, pair, family| {
        // A port without a listener: the first segment is answered by a reset.
        let closed = SocketAddr::new(net.paths[1].server_ips()[family], 1);
        let options = second(net, pair).remote(closed);
        net.client.run(|| {
            for time in 0..MANY {
                let error = subflows::open(&pair.client, &options).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Refused, "{time}: {error}");
            }
        });
        still_opens(net, pair);
    });
}

/// Two threads once freed the same id: one of them got an error because the kernel did not know it.
#[test]
fn refused_by_the_peer_to_several_threads() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
    let pair = controlled(&net, 0);
    let closed = SocketAddr::new(net.paths[1].server_ips()[0], 1);
    let options = second(&net, &pair).remote(closed);
    let ask = || {
        net.client.run(|| {
            for time in 0..MANY {
                let error = subflows::open(&pair.client, &options).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Refused, "{time}: {error}");
            }
        });
    };
    thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(ask))));
    still_opens(&net, &pair);
}

#[test]
fn closed_by_the_peer() {
    skip_unless_ready!();
    on_both(|net, pair, _| {
        let count = || net.client.run(|| subflows::list(&pair.client)).unwrap().len();
        for time in 0..MANY {
            let extra = net.client.run(|| open(net, pair));
            let extra = extra.unwrap_or_else(|error| panic!("{time}: {error}"));
            net.server.run(|| {
                let theirs = subflows::list(&pair.server).unwrap();
                let same = theirs.iter().find(|theirs| theirs.remote == extra.local).unwrap();
                subflows::close(&pair.server, same.id).unwrap();
            });
            wait_until(SOON, "the peer's close to be seen", || count() == 1);
            // A subflow that the peer has closed counts against its limit for a moment longer.
            wait_until(SOON, "the peer to stop counting it", || {
                subflows::info(&pair.server).unwrap().subflows == Some(1)
            });
        }
        still_opens(net, pair);
    });
}

#[test]
fn given_up() {
    skip_unless_ready!();
    on_both(|net, pair, _| {
        let impatient = second(net, pair).timeout(Duration::ZERO);
        net.client.run(|| {
            for time in 0..MANY {
                // The subflow becomes usable, or its timeout expires: either ends the attempt.
                match subflows::open(&pair.client, &impatient) {
                    Ok(extra) => close(net, pair, &extra),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::TimedOut, "{time}: {error}"),
                }
                wait_until(SOON, "the peer to close it", || {
                    net.server.run(|| subflows::list(&pair.server)).unwrap().len() == 1
                });
            }
        });
        assert_eq!(net.client.run(|| subflows::list(&pair.client)).unwrap().len(), 1);
        still_opens(net, pair);
    });
}
