//! A hundred thousand calls leave no descriptor and no memory behind.

use std::fs;
use std::net::SocketAddr;
use std::time::Instant;

use subflows::{
    AddEndpoint, Announce, Connect, ConnectionsOptions, Doctor, ErrorKind, Listen, Open, Opening,
    Probe, State,
};
use subflows_lab::{Net, skip_unless_ready};

use super::common::{Pair, child, judge, open_handed, raw};
use super::{close, controlled, in_a_process_of_its_own, may_be_initial, open, second};

const OPERATIONS: usize = 100_000;
const WARM_UP: usize = 20_000;
/// How much the allocator may shift; a leak of ten bytes per call is more.
const GROWTH: u64 = 1 << 20;

#[test]
fn a_hundred_thousand_calls_leave_nothing_behind() {
    skip_unless_ready!();
    in_a_process_of_its_own("leaks::helper_that_works_on_and_on");
}

/// In a process of its own: other tests have descriptors and memory too.
#[test]
#[ignore = "run by a_hundred_thousand_calls_leave_nothing_behind"]
fn helper_that_works_on_and_on() {
    child::only_as_child!();
    let net = open_handed(Net::two_subnets().unwrap());
    let pairs = [controlled(&net, 0), controlled(&net, 1)];
    let _inside = net.client.enter().unwrap();
    let mut worker = Worker { net: &net, count: 0 };
    worker.work_until(WARM_UP, &pairs);
    let before = (descriptors(), resident());
    let start = Instant::now();
    worker.work_until(WARM_UP + OPERATIONS, &pairs);
    let (took, after) = (start.elapsed(), (descriptors(), resident()));
    assert_eq!(after.0, before.0, "descriptors");
    let growth = after.1.saturating_sub(before.1);
    assert!(growth < GROWTH, "{growth} bytes of memory more");
    assert!(pairs.iter().all(Pair::moves_data));
    eprintln!("{} calls in {took:?}, {growth} bytes more", OPERATIONS);
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// VmRSS, in bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

struct Worker<'a> {
    net: &'a Net,
    count: usize,
}

impl Worker<'_> {
    fn work_until(&mut self, count: usize, pairs: &[Pair; 2]) {
        for turn in 0.. {
            if self.count >= count {
                return;
            }
            let pair = &pairs[turn % 2];
            self.reads(pair);
            self.fails(pair);
            // These take longer. An odd number, so that each runs on both families.
            match turn % 65 {
                0 | 33 => self.opens(pair),
                5 => self.follows(pair),
                8 => self.connects(pair),
                12 => self.looks_around(pair),
                20 => self.administers(),
                _ => {}
            }
        }
    }

    /// Counts a call, and returns its result.
    fn call<T>(&mut self, result: subflows::Result<T>) -> T {
        self.count += 1;
        result.unwrap()
    }

    /// Counts a call that has to fail.
    fn refused<T>(&mut self, kind: ErrorKind, result: subflows::Result<T>) {
        self.count += 1;
        assert_eq!(result.map(drop).unwrap_err().kind(), kind);
    }

    fn reads(&mut self, pair: &Pair) {
        let sock = &pair.client;
        let token = self.call(subflows::info(sock)).token;
        for _ in 0..4 {
            let subflows = self.call(subflows::list(sock));
            assert_eq!(subflows.len(), 1);
            let details = self.call(subflows::details(sock, subflows[0].id));
            assert_eq!(details.local, subflows[0].local);
        }
        assert_eq!(self.call(subflows::status(sock)).state, State::Mptcp);
        assert_eq!(self.call(subflows::status(&pair.listener)).state, State::Listening);
        assert_eq!(self.call(subflows::connection(token)).token, token);
        assert!(may_be_initial(self.call(subflows::addresses(sock))[0].id));
    }

    fn fails(&mut self, pair: &Pair) {
        let sock = &pair.client;
        let initial = self.call(subflows::list(sock))[0].id;
        self.refused(ErrorKind::NoSuchSubflow, subflows::details(sock, initial + 1));
        self.refused(ErrorKind::NoSuchSubflow, subflows::close(sock, 0));
        self.refused(ErrorKind::InvalidState, subflows::close(sock, initial));
        self.refused(ErrorKind::InvalidState, subflows::take_control(sock));
        self.refused(ErrorKind::InvalidState, subflows::upgrade(sock));
        self.refused(ErrorKind::NotConnected, subflows::events(&pair.listener));
        self.refused(ErrorKind::NotConnected, subflows::open(&pair.listener, &Open::new()));
        self.refused(ErrorKind::AddressNotAvailable, {
            subflows::open(sock, &Open::new().interface("none"))
        });
        self.refused(ErrorKind::Closed, subflows::connection(0));
    }

    fn opens(&mut self, pair: &Pair) {
        let sock = &pair.client;
        let extra = self.call(open(self.net, pair));
        self.call(subflows::set_backup(sock, extra.id, true));
        close(self.net, pair, &extra);
        self.count += 1;
        // An opening that is begun and dropped: the drop undoes it.
        drop(self.call(Opening::begin(sock, &second(self.net, pair))));
        let address = self.net.paths[1].client_ip(sock.peer_addr().unwrap().ip());
        let announced = self.call(subflows::announce(sock, address, &Announce::new()));
        self.call(announced.withdraw());
    }

    fn follows(&mut self, pair: &Pair) {
        let mut events = self.call(subflows::events(&pair.client));
        assert!(self.call(events.try_next()).is_none());
        drop(self.call(subflows::Events::of_namespace()));
    }

    fn connects(&mut self, pair: &Pair) {
        let here = SocketAddr::new(pair.client.local_addr().unwrap().ip(), 0);
        let listener = self.call(subflows::listen(here, &Listen::new()));
        let address = listener.local_addr().unwrap();
        let client = self.call(subflows::connect(address, &Connect::new()));
        assert_eq!(self.call(subflows::list(&client)).len(), 1);
        let sock = self.call(subflows::socket(here));
        self.call(subflows::take_control(&sock));
        let family = if here.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        let tcp = raw::socket(family, libc::SOCK_STREAM, 0).unwrap();
        self.call(subflows::upgrade(&tcp));
        // The listener is gone.
        drop(listener);
        self.refused(ErrorKind::Refused, subflows::connect(address, &Connect::new()));
    }

    fn looks_around(&mut self, pair: &Pair) {
        let all = self.call(subflows::connections(&ConnectionsOptions::new().subflows(true)));
        let token = judge::token(&pair.client);
        assert!(all.iter().any(|found| found.token == token && !found.subflows.is_empty()));
        self.call(subflows::capabilities());
        self.call(subflows::diagnose(&pair.client));
        let remote = pair.client.peer_addr().unwrap();
        self.call(subflows::doctor(&Doctor::new().remote(remote)));
        self.call(subflows::probe(remote, &Probe::new()));
    }

    fn administers(&mut self) {
        let nowhere = [192, 0, 2, 9].into();
        let added = self.call(subflows::add_endpoint(nowhere, &AddEndpoint::new()));
        self.refused(ErrorKind::InvalidArgument, {
            subflows::add_endpoint(nowhere, &AddEndpoint::new())
        });
        self.call(subflows::set_endpoint_backup(added.id, true));
        assert!(self.call(subflows::endpoints())[0].is_backup);
        self.call(subflows::remove_endpoint(added.id));
        self.refused(ErrorKind::NoSuchEndpoint, subflows::remove_endpoint(added.id));
        let limits = self.call(subflows::limits());
        self.call(subflows::set_limits(limits.subflows, limits.add_addr_accepted));
        self.refused(ErrorKind::InvalidArgument, subflows::set_limits(65, 0));
        assert_eq!(self.call(subflows::settings()).enabled, Some(true));
        self.call(subflows::set_setting("enabled", true));
        self.refused(ErrorKind::InvalidArgument, subflows::set_setting("none", true));
        assert!(!self.call(subflows::counters()).is_empty());
        self.call(subflows::connections(&ConnectionsOptions::new().processes(true)));
    }
}
