//! How fast events are read, compared with receiving them and nothing else: `cargo bench -p subflows --bench events`.
//!
//! Prints a table, and writes it to `target/benchmarks-events.md`. Needs root, or `unshare -Urn`.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{is_bench, verdict};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::socket::sockopt::RcvBufForce;
use nix::sys::socket::{MsgFlags, recv, setsockopt};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use subflows::{Connect, EventKind, Events, Listen};
use subflows_lab::Namespace;

#[path = "ratios/common.rs"]
#[allow(dead_code, unreachable_pub)]
mod common;
#[path = "ratios/raw.rs"]
#[allow(dead_code, unreachable_pub)]
mod raw;

/// Enough for every event of a measurement.
const WHOLE: u32 = 256 << 20;
/// The size that `subflows events` sets.
const USUAL: u32 = 8 << 20;
const CONNECTIONS: usize = 3_000;
const LISTENERS: usize = 20_000;
const TURNS: usize = 5;
/// What has to be read without loss, and for how long.
const RATE: u32 = 50_000;
const SECONDS: u32 = 3;
/// The processor time that reading one event may take: that of one processor at this rate.
const MOST_US: f64 = 20.0;

fn main() {
    if !is_bench() {
        return;
    }
    let namespace = Namespace::new().expect("a namespace");
    let table = namespace.run(|| {
        let mut table =
            "\n| events, read from a full buffer | takes | received only | ratio | bar | |\n\
                         |---|---|---|---|---|---|\n"
                .to_owned();
        table += &drained("events of connections that open and close", connections);
        table += &drained("events of listeners", listeners);
        table + &followed()
    });
    print!("{table}");
    common::write("benchmarks-events.md", &table);
}

/// Opens and closes connections, both of whose ends are in this namespace.
fn connections() {
    let listener = subflows::listen("127.0.0.1:0", &Listen::new()).expect("listen");
    let address = listener.local_addr().expect("an address");
    for _ in 0..CONNECTIONS {
        let client: TcpStream = subflows::connect(address, &Connect::new()).expect("connect");
        drop((client, listener.accept().expect("accept")));
    }
}

fn listeners() {
    (0..LISTENERS).for_each(|_| drop(listen()));
}

fn listen() -> TcpListener {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    subflows::listen(any, &Listen::new()).expect("listen")
}

/// A row: what reading costs when the events have come already, in microseconds of an event.
fn drained(what: &str, cause: fn()) -> String {
    let (_, group) = raw::family();
    let mut costs = [(); TURNS].map(|()| {
        let mut events = Events::of_namespace().expect("events");
        events.set_buffer(WHOLE);
        let raw = raw::Netlink::open(libc::NETLINK_GENERIC);
        setsockopt(&raw, RcvBufForce, &(WHOLE as usize)).expect("a large buffer");
        raw.join(group);
        cause();
        let (begun, mut datagrams, mut buffer) = (processor_time(), 0, vec![0; 16 << 10]);
        while recv(raw.as_fd().as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT).is_ok() {
            datagrams += 1;
        }
        let received = processor_time() - begun;
        let (begun, mut count) = (processor_time(), 0);
        while let Some(event) = events.try_next().expect("an event") {
            assert_ne!(event.kind, EventKind::Lost);
            count += 1;
        }
        let ours = processor_time() - begun;
        // What it has found out itself replaces a few events that come late.
        assert!(count >= datagrams * 99 / 100, "{count} of {datagrams}");
        [ours, received].map(|time| time.as_secs_f64() * 1e6 / f64::from(datagrams))
    });
    costs.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let [ours, received] = costs[TURNS / 2];
    format!(
        "| {what} | {ours:.2} µs | {received:.2} µs | {:.1} | ≤ {MOST_US} µs | {} |\n",
        ours / received,
        verdict(ours <= MOST_US)
    )
}

/// Rows: events come at a fixed rate, on one processor, and are read on another one.
fn followed() -> String {
    let done = AtomicBool::new(false);
    let (reader, producer) = two_processors();
    let mut events = Events::of_namespace().expect("events");
    events.set_buffer(USUAL);
    let (sent, took, read, lost, spent) = thread::scope(|scope| {
        let done = &done;
        let read = scope.spawn(move || {
            pin(reader);
            let (mut read, mut lost) = (0u32, 0u32);
            let begun = processor_time();
            loop {
                match events.next(Duration::from_millis(100)).expect("an event") {
                    Some(event) if event.kind == EventKind::Lost => lost += 1,
                    Some(_) => read += 1,
                    None if done.load(Ordering::Acquire) => break,
                    None => {}
                }
            }
            (read, lost, processor_time() - begun)
        });
        let sent = scope.spawn(move || {
            pin(producer);
            let (begun, mut sent) = (Instant::now(), 0);
            while sent < RATE * SECONDS {
                if f64::from(sent) <= begun.elapsed().as_secs_f64() * f64::from(RATE) {
                    drop(listen());
                    sent += 2;
                }
            }
            let took = begun.elapsed();
            done.store(true, Ordering::Release);
            (sent, took)
        });
        let (sent, took) = sent.join().expect("the producer");
        let (read, lost, spent) = read.join().expect("the reader");
        (sent, took, read, lost, spent)
    });
    let rate = f64::from(sent) / took.as_secs_f64();
    let share = spent.as_secs_f64() / took.as_secs_f64() * 100.0;
    format!(
        "\n| events that are read as they come | events a second | read | losses | of one processor | bar | |\n\
         |---|---|---|---|---|---|---|\n\
         | events of listeners for {SECONDS} s | {rate:.0} | {read} of {sent} | {lost} | {share:.0} % | {RATE} a \
         second, no loss | {} |\n",
        verdict(lost == 0 && read == sent && rate >= f64::from(RATE) * 0.99)
    )
}

/// The processor time of this thread.
fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a clock").into()
}

/// Two processors that this process may use; twice the same if it has only one.
fn two_processors() -> (usize, usize) {
    let allowed = sched_getaffinity(Pid::from_raw(0)).expect("affinity");
    let mut usable = (0..CpuSet::count()).filter(|place| allowed.is_set(*place).unwrap_or(false));
    let first = usable.next().expect("a processor");
    (first, usable.next().unwrap_or(first))
}

fn pin(processor: usize) {
    let mut only = CpuSet::new();
    only.set(processor).expect("a processor");
    sched_setaffinity(Pid::from_raw(0), &only).expect("affinity");
}
