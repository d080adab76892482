//! A program that receives signals all the time gets the same answers as any other.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{SaFlags, SigAction, SigEvent, SigHandler, SigSet, SigevNotify, Signal};
use nix::sys::timer::{Expiration, Timer, TimerSetTimeFlags};
use nix::time::ClockId;
use nix::unistd::gettid;
use subflows::{Announce, Capability, Connect, ConnectionsOptions, EventKind, Listen, State};
use subflows_lab::{Net, skip_unless_ready};

use super::common::{Pair, child, judge, open_handed, raw};
use super::{controlled, in_a_process_of_its_own, may_be_initial, open};

const EVERY: Duration = Duration::from_micros(100);
const FOR: Duration = Duration::from_secs(2);

static HITS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn hit(_signal: i32) {
    HITS.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn no_verb_fails_by_a_signal() {
    skip_unless_ready!();
    in_a_process_of_its_own("signals::helper_that_is_hit");
}

#[test]
#[ignore = "run by no_verb_fails_by_a_signal"]
fn helper_that_is_hit() {
    child::only_as_child!();
    let net = open_handed(Net::two_subnets().unwrap());
    let pairs = [controlled(&net, 0), controlled(&net, 1)];
    let _inside = net.client.enter().unwrap();
    let capabilities = subflows::capabilities().unwrap();
    let action = SigAction::new(SigHandler::Handler(hit), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler only adds to a number.
    unsafe { nix::sys::signal::sigaction(Signal::SIGUSR1, &action) }.unwrap();
    let to = SigevNotify::SigevThreadId {
        signal: Signal::SIGUSR1,
        thread_id: gettid().as_raw(),
        si_value: 0,
    };
    let mut timer = Timer::new(ClockId::CLOCK_MONOTONIC, SigEvent::new(to)).unwrap();
    let expiration = Expiration::Interval(EVERY.into());
    timer.set(expiration, TimerSetTimeFlags::empty()).unwrap();
    let end = Instant::now() + FOR;
    let mut rounds = 0;
    while Instant::now() < end {
        every_verb(&net, &pairs[rounds % 2], &capabilities);
        rounds += 1;
    }
    drop(timer);
    let hits = HITS.load(Ordering::Relaxed);
    assert!(hits > 1000, "only {hits} signals in {rounds} rounds");
    assert!(pairs.iter().all(Pair::moves_data));
}

fn every_verb(net: &Net, pair: &Pair, capabilities: &[Capability]) {
    let sock = &pair.client;
    let token = judge::token(sock);
    assert!(subflows::status(sock).unwrap().is_ready);
    assert_eq!(subflows::list(sock).unwrap().len(), 1);
    assert_eq!(subflows::connection(token).unwrap().token, token);
    let all = subflows::connections(&ConnectionsOptions::new().subflows(true)).unwrap();
    assert!(all.iter().any(|found| found.token == token));
    assert_eq!(subflows::capabilities().unwrap(), capabilities);

    let mut events = subflows::events(sock).unwrap();
    let extra = open(net, pair).unwrap();
    assert!(subflows::details(sock, extra.id).unwrap().is_joined);
    subflows::set_backup(sock, extra.id, true).unwrap();
    assert!(may_be_initial(subflows::addresses(sock).unwrap()[0].id));
    subflows::close(sock, extra.id).unwrap();
    assert_eq!(subflows::list(sock).unwrap().len(), 1);
    // Waits, and is interrupted during the wait.
    let mut next = || events.next(Duration::from_millis(2)).unwrap();
    while next().is_some_and(|event| event.kind != EventKind::SubflowClosed) {}
    assert!(next().is_none());

    let address = net.paths[1].client_ip(sock.peer_addr().unwrap().ip());
    subflows::announce(sock, address, &Announce::new()).unwrap().withdraw().unwrap();

    connects(pair);
}

/// Covers the whole life of a connection.
fn connects(pair: &Pair) {
    let here = pair.client.local_addr().unwrap().ip();
    let listener: TcpListener = subflows::listen((here, 0), &Listen::new()).unwrap();
    let address = listener.local_addr().unwrap();
    let controlled = Connect::new().control(true).timeout(Duration::from_secs(10));
    let client = subflows::connect(address, &controlled).unwrap();
    assert_eq!(subflows::status(&client).unwrap().state, State::Mptcp);

    let sock = subflows::socket(address).unwrap();
    subflows::take_control(&sock).unwrap();
    let family = if here.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let tcp = raw::socket(family, libc::SOCK_STREAM, 0).unwrap();
    subflows::upgrade(&tcp).unwrap();
    assert_eq!(subflows::status(&tcp).unwrap().state, State::Unconnected);
}
