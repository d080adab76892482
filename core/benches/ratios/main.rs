//! What the safe verbs cost compared with the bare system call, measured in the same run.
//!
//! `cargo bench -p subflows` measures and writes the table to `target/benchmarks.md`; the one kept
//! in the repository is `BENCHMARKS.md`. Needs root, or `unshare -Urn`.
#![allow(missing_docs, unreachable_pub)]

#[allow(dead_code)]
mod common;
mod iterator;
mod options;
mod raw;
mod report;

use std::hint::black_box;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Pair, can_run, crowd, on_one_processor, pair, raise_descriptor_limit};
use criterion::{BenchmarkGroup, Criterion, measurement::WallTime};
use subflows::{ConnectionsOptions, Family, Open};
use subflows_lab::{Namespace, Net, WireOptions};

fn reading(c: &mut Criterion, net: &Net) {
    let managed = pair(net, false);
    let fd = managed.client.as_raw_fd();
    let mut buffer = [0u8; 96];
    let mut group = c.benchmark_group("info");
    group.bench_function("raw", |b| b.iter(|| raw::getsockopt(fd, 284, 1, &mut buffer)));
    group.bench_function("ours", |b| b.iter(|| subflows::info(black_box(&managed.client))));
    group.finish();

    let pair = pair(net, true);
    let second = Open::new().local(net.paths[1].client_v4);
    subflows::open(&pair.client, &second).expect("open");
    assert_eq!(subflows::list(&pair.client).expect("list").len(), 2);
    let fd = pair.client.as_raw_fd();

    let mut group = c.benchmark_group("info of a controlled one");
    group.bench_function("raw", |b| b.iter(|| raw::getsockopt(fd, 284, 1, &mut buffer)));
    group.bench_function("ours", |b| b.iter(|| subflows::info(black_box(&pair.client))));
    group.finish();

    let mut group = c.benchmark_group("list");
    let mut full = raw::FullInfo::new();
    group.bench_function("raw", |b| b.iter(|| full.call(fd)));
    group.bench_function("ours", |b| b.iter(|| subflows::list(black_box(&pair.client))));
    group.finish();

    let token = subflows::info(&pair.client).expect("info").token;
    let mut group = c.benchmark_group("connection");
    let mut netlink = raw::Netlink::open(libc::NETLINK_SOCK_DIAG);
    let request = raw::diag(libc::AF_INET, true, Some(token));
    group.bench_function("raw", |b| {
        b.iter(|| {
            netlink.send(&request);
            netlink.receive().len()
        });
    });
    group.bench_function("ours", |b| b.iter(|| subflows::connection(black_box(token))));
    group.finish();

    let mut group = c.benchmark_group("status");
    group.bench_function("ours", |b| b.iter(|| subflows::status(black_box(&pair.client))));
    group.finish();
}

fn many(c: &mut Criterion) {
    // Both ends are in this namespace: half as many pairs are 5000 connections.
    const CONNECTIONS: usize = 5000;
    let namespace = Namespace::new().expect("a namespace");
    let _inside = namespace.enter().expect("enter");
    let _crowd = crowd(CONNECTIONS / 2);
    let plain = ConnectionsOptions::new();
    assert_eq!(subflows::connections(&plain).expect("connections").len(), CONNECTIONS);
    let mut group = c.benchmark_group("connections");
    group.sample_size(20).measurement_time(Duration::from_secs(6));
    let mut netlink = raw::Netlink::open(libc::NETLINK_SOCK_DIAG);
    let requests: Vec<_> = [(libc::AF_INET, true), (libc::AF_INET6, true)]
        .into_iter()
        .map(|(family, mptcp)| raw::diag(family, mptcp, None))
        .collect();
    group.bench_function("raw", |b| {
        b.iter(|| requests.iter().map(|request| netlink.dump(request)).sum::<usize>());
    });
    group.bench_function("ours", |b| b.iter(|| subflows::connections(&plain)));
    let whole = ConnectionsOptions::new().subflows(true);
    group.bench_function("ours with subflows", |b| b.iter(|| subflows::connections(&whole)));
    group.bench_function("ss", |b| {
        b.iter(|| {
            let mut ss = Command::new("ss");
            ss.args(["-Mni"]).stdout(Stdio::null()).status().expect("ss")
        });
    });
    group.finish();
}

fn opening(c: &mut Criterion, net: &Net, name: &str) {
    // Both ends under application control: the kernel's server would limit how many are open.
    net.server.set_sysctl("net.mptcp.path_manager", "userspace").expect("sysctl");
    let pair = pair(net, true);
    let mut group = c.benchmark_group(name);
    group.sample_size(50).measurement_time(Duration::from_secs(8));
    raw_open(&mut group, net, &pair);
    let options = Open::new().local(net.paths[1].client_v4);
    group.bench_function("ours", |b| {
        b.iter_custom(|rounds| {
            let mut total = Duration::ZERO;
            for _ in 0..rounds {
                let start = Instant::now();
                let subflow = subflows::open(&pair.client, &options).expect("open");
                total += start.elapsed();
                subflows::close(&pair.client, subflow.id).expect("close");
            }
            total
        });
    });
    group.finish();
    net.server.set_sysctl("net.mptcp.path_manager", "kernel").expect("sysctl");
    drop(pair.server);
}

/// From sending SUBFLOW_CREATE until the event SUB_ESTABLISHED is received: less than "usable", and
/// with all arguments known in advance.
fn raw_open(group: &mut BenchmarkGroup<'_, WallTime>, net: &Net, pair: &Pair) {
    let (family, events_group) = raw::family();
    let mut commands = raw::Netlink::open(libc::NETLINK_GENERIC);
    let token = subflows::info(&pair.client).expect("info").token;
    let SocketAddr::V4(remote) = pair.client.peer_addr().expect("peer") else { unreachable!() };
    let local = net.paths[1].client_v4;
    let mut port = 20_000u16;
    group.bench_function("raw", |b| {
        b.iter_custom(|rounds| {
            let mut events = raw::Netlink::open(libc::NETLINK_GENERIC);
            events.join(events_group);
            let mut total = Duration::ZERO;
            for _ in 0..rounds {
                port = if port > 30_000 { 20_000 } else { port + 1 };
                let ours = (local, port, 1);
                let message = raw::create(family, token, ours, (*remote.ip(), remote.port()));
                let start = Instant::now();
                commands.send(&message);
                let answer = commands.receive();
                assert_eq!(answer[16..20], [0; 4], "SUBFLOW_CREATE was refused");
                while events.receive()[16] != 10 {}
                total += start.elapsed();
                let opened = subflows::list(&pair.client).expect("list");
                let ours = opened.iter().find(|s| s.local.port() == port).expect("listed");
                subflows::close(&pair.client, ours.id).expect("close");
                while events.receive()[16] != 11 {}
            }
            total
        });
    });
}

fn taking_control(c: &mut Criterion, name: &str) {
    let mut group = c.benchmark_group(name);
    group.bench_function("raw", |b| b.iter(raw::child));
    group.bench_function("ours", |b| {
        b.iter_batched(
            || subflows::socket(Family::V4).expect("socket"),
            |sock| subflows::take_control(&sock).map(|()| sock),
            criterion::BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// If the child runs on another processor, most of the time is needed to wake that processor up: on
/// a virtual machine, tens of microseconds.
fn taking_control_on_one_processor(c: &mut Criterion) {
    on_one_processor(|| taking_control(c, "take_control on one processor"));
}

fn main() {
    if !can_run() {
        return;
    }
    raise_descriptor_limit();
    let net = Net::two_subnets().expect("a network");
    forget_ports(&net);
    let mut criterion = Criterion::default()
        .configure_from_args()
        .without_plots()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    {
        let _inside = net.client.enter().expect("enter");
        reading(&mut criterion, &net);
        taking_control(&mut criterion, "take_control");
        taking_control_on_one_processor(&mut criterion);
        opening(&mut criterion, &net, "open");
    }
    {
        let delay = WireOptions { delay: Duration::from_millis(1), ..WireOptions::default() };
        let far = Net::wires(&[("wifi", delay), ("lte", delay)]).expect("a network");
        forget_ports(&far);
        let _inside = far.client.enter().expect("enter");
        opening(&mut criterion, &far, "open far away");
    }
    options::options(&mut criterion);
    many(&mut criterion);
    criterion.final_summary();
    report::write();
}

/// Subflows are opened and closed faster than their ports leave TIME_WAIT.
fn forget_ports(net: &Net) {
    for namespace in [&net.client, &net.server] {
        namespace.set_sysctl("net.ipv4.tcp_max_tw_buckets", "0").expect("sysctl");
    }
}
