//! Waits on a tokio runtime neither hang nor spin, start no threads, and end with their futures.

mod common;

use std::fs;
use std::future::{Future, poll_fn};
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use common::judge;
use common::ways::{self, AT_ONCE, initial, peer, second};
use common::{Pair, SOON, child, expect_error, networks, open_handed, userspace, without_listener};
use subflows::tokio::{connect, listen, next_event, open};
use subflows::{
    Connect, Doctor, ErrorKind, Event, EventKind, Events, FindingKind, Listen, Open, Probe, Verdict,
};
use subflows_lab::{Namespace, Net, skip_unless_ready, wait_until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

/// A runtime of either kind, all of whose threads are in the namespace. The calling thread must be
/// there as well.
fn runtimes(namespace: &Namespace) -> [Runtime; 2] {
    let namespace = namespace.clone();
    let enter = move || namespace.enter_for_good().unwrap();
    let mut many = Builder::new_multi_thread();
    let many = many.worker_threads(2).on_thread_start(enter).enable_all();
    [Builder::new_current_thread().enable_all().build().unwrap(), many.build().unwrap()]
}

/// A listener of the server on this runtime.
fn serve(net: &Net, runtime: &Runtime, ip: IpAddr) -> TcpListener {
    let _entered = net.server.enter().unwrap();
    let _context = runtime.enter();
    listen(SocketAddr::new(ip, 0), &Listen::new()).unwrap()
}

/// Connects, accepts, and sends a byte each way.
async fn connected(listener: &TcpListener, to: IpAddr) -> (TcpStream, TcpStream) {
    let address = SocketAddr::new(to, listener.local_addr().unwrap().port());
    let options = Connect::new().control(true).timeout(SOON);
    let (client, accepted) = tokio::join!(connect(address, &options), listener.accept());
    let (mut client, (mut server, _)) = (client.unwrap(), accepted.unwrap());
    exchange(&mut client, &mut server).await;
    (client, server)
}

async fn exchange(client: &mut TcpStream, server: &mut TcpStream) {
    let exchange = async {
        let mut byte = [0];
        client.write_all(b"?").await.unwrap();
        server.read_exact(&mut byte).await.unwrap();
        server.write_all(b"!").await.unwrap();
        client.read_exact(&mut byte).await.unwrap();
    };
    tokio::time::timeout(SOON, exchange).await.expect("the connection moves data");
}

/// The next event of a subflow. `Established` of the connection may come after its first byte.
async fn news(events: &mut Events) -> Event {
    loop {
        let event = next_event(events, SOON).await.unwrap().unwrap();
        if event.kind != EventKind::Established {
            return event;
        }
    }
}

#[test]
fn connecting_opening_and_following_work() {
    skip_unless_ready!();
    for net in networks() {
        let _entered = net.client.enter().unwrap();
        for runtime in runtimes(&net.client) {
            for (ip, to) in ways::ways(&net) {
                let listener = serve(&net, &runtime, ip);
                let options = Open::new().local(net.paths[1].client_ip(ip));
                runtime.block_on(async {
                    let (mut client, mut server) = connected(&listener, to).await;
                    let token = subflows::info(&client).unwrap().token;
                    let mut events = subflows::events(&client).unwrap();
                    let subflow = open(&client, &options).await.unwrap();
                    judge::is_joined(&net.client, token, &subflow);
                    exchange(&mut client, &mut server).await;
                    let event = news(&mut events).await;
                    assert_eq!(event.kind, EventKind::SubflowEstablished, "{event:?}");
                    assert_eq!(event.local, Some(subflow.local), "{event:?}");
                    subflows::close(&client, subflow.id).unwrap();
                    let event = news(&mut events).await;
                    assert_eq!(event.kind, EventKind::SubflowClosed, "{event:?}");
                    exchange(&mut client, &mut server).await;
                });
            }
        }
    }
}

#[test]
fn an_event_that_comes_later_wakes_its_waiter() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
    let _entered = net.client.enter().unwrap();
    for runtime in runtimes(&net.client) {
        let listener = serve(&net, &runtime, net.paths[0].server_v4.into());
        runtime.block_on(async {
            let (client, _server) = connected(&listener, net.paths[0].server_v4.into()).await;
            let mut events = Events::of_namespace().unwrap();
            let limit = Duration::from_millis(100);
            loop {
                let start = Instant::now();
                match next_event(&mut events, limit).await.unwrap() {
                    // A moment late: see `news`. The connection before may end late, too.
                    Some(event) => {
                        let late = [EventKind::Established, EventKind::Closed];
                        assert!(late.contains(&event.kind), "{event:?}");
                    }
                    None => {
                        assert!(start.elapsed() >= limit && start.elapsed() < limit + AT_ONCE);
                        break;
                    }
                }
            }
            // The task waits before anything happens.
            let mut waiter = pin!(next_event(&mut events, SOON));
            assert!(pending(waiter.as_mut()).await);
            let options = Open::new().local(net.paths[1].client_v4);
            let (event, opened) = tokio::join!(waiter, open(&client, &options));
            assert_eq!(event.unwrap().unwrap().local, Some(opened.unwrap().local));
        });
    }
}

/// Polls the future once; returns whether it waits.
async fn pending<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
}

#[test]
fn failures_have_their_kind_and_their_time() {
    skip_unless_ready!();
    for net in networks() {
        let _entered = net.client.enter().unwrap();
        let limit = Duration::from_millis(150);
        for runtime in runtimes(&net.client) {
            for pair in ways::controlled(&net) {
                let address = peer(&pair);
                let closed = without_listener(&net.server, address.ip());
                let refused = runtime.block_on(connect(closed, &Connect::new())).unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::Refused, "{refused}");
                let refused = second(&net, &pair).remote(closed);
                let refused = runtime.block_on(open(&pair.client, &refused)).unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::Refused, "{refused}");

                (0..2).for_each(|path| ways::pull_cable(&net, path));
                let start = Instant::now();
                let options = Connect::new().timeout(limit);
                expect_error(runtime.block_on(connect(address, &options)), ErrorKind::TimedOut);
                assert!(start.elapsed() >= limit && start.elapsed() < limit + AT_ONCE);
                let start = Instant::now();
                let options = second(&net, &pair).timeout(limit);
                expect_error(runtime.block_on(open(&pair.client, &options)), ErrorKind::TimedOut);
                assert!(start.elapsed() >= limit && start.elapsed() < limit + AT_ONCE);
                let left = judge::by_ss(&net.client, judge::token(&pair.client));
                assert_eq!(left, initial(&pair));
                net.paths.iter().for_each(|path| path.plug_in().unwrap());
                assert!(pair.moves_data());
            }
        }
    }
}

/// Whether a segment of this connection is unacknowledged.
fn is_half_open(net: &Net, pair: &Pair) -> bool {
    let seen = judge::ss_of(&net.client, judge::token(&pair.client));
    seen.iter().any(|seen| seen.state == "SYN-SENT")
}

#[test]
fn a_dropped_future_leaves_nothing() {
    skip_unless_ready!();
    for net in networks() {
        let _entered = net.client.enter().unwrap();
        for runtime in runtimes(&net.client) {
            for pair in ways::controlled(&net) {
                ways::pull_cable(&net, 1);
                let options = second(&net, &pair);
                runtime.block_on(async {
                    {
                        let mut opening = pin!(open(&pair.client, &options));
                        assert!(pending(opening.as_mut()).await);
                        assert!(is_half_open(&net, &pair));
                    }
                    assert!(!is_half_open(&net, &pair));
                    // A task can be aborted at each point where it waits.
                    let (client, options) = (pair.client.try_clone().unwrap(), options.clone());
                    let task = tokio::spawn(async move { open(&client, &options).await });
                    while !is_half_open(&net, &pair) {
                        assert!(!task.is_finished(), "it does not wait");
                        tokio::task::yield_now().await;
                    }
                    task.abort();
                    assert!(task.await.unwrap_err().is_cancelled());
                    assert!(!is_half_open(&net, &pair));
                });
                let left = judge::by_ss(&net.client, judge::token(&pair.client));
                assert_eq!(left, initial(&pair));
                net.paths[1].plug_in().unwrap();
                assert!(pair.moves_data());
            }
        }
    }
}

#[test]
fn many_at_once_are_many() {
    skip_unless_ready!();
    const COUNT: usize = 24;
    for (net, is_far) in networks().into_iter().zip([false, false, true]) {
        userspace(&net.server);
        let _entered = net.client.enter().unwrap();
        for runtime in runtimes(&net.client) {
            for pair in ways::controlled(&net) {
                let client = Arc::new(pair.client.try_clone().unwrap());
                let options = second(&net, &pair);
                let start = Instant::now();
                let first = runtime.block_on(open(&*client, &options));
                let alone = start.elapsed();
                let start = Instant::now();
                let mut opened = runtime.block_on(async {
                    let mut tasks = JoinSet::new();
                    for _ in 0..COUNT {
                        let (client, options) = (Arc::clone(&client), options.clone());
                        tasks.spawn(async move { open(&*client, &options).await });
                    }
                    tasks.join_all().await
                });
                let together = start.elapsed();
                // On the longest path, two round trips are most of the time that one takes.
                let bound = alone.mul_f64(0.75 * COUNT as f64);
                assert!(!is_far || together < bound, "{together:?}, one alone {alone:?}");
                opened.push(first);
                let mut expected = initial(&pair);
                expected.extend(opened.into_iter().map(|opened| {
                    let subflow = opened.unwrap();
                    (subflow.local, subflow.remote)
                }));
                assert_eq!(expected.len(), COUNT + 2);
                let token = judge::token(&pair.client);
                wait_until(SOON, "ss to show them", || {
                    judge::by_ss(&net.client, token) == expected
                });
                assert!(pair.moves_data());
            }
        }
    }
}

#[test]
fn probe_and_doctor_are_futures() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
    let _entered = net.client.enter().unwrap();
    for runtime in runtimes(&net.client) {
        let ip = net.paths[0].server_v4.into();
        let listener = serve(&net, &runtime, ip);
        let address = listener.local_addr().unwrap();
        let report = runtime.block_on(subflows::tokio::probe(address, &Probe::new())).unwrap();
        assert_eq!(report.verdict, Verdict::Mptcp);
        let nobody = SocketAddr::new(ip, 9);
        let report = runtime.block_on(subflows::tokio::probe(nobody, &Probe::new())).unwrap();
        assert_eq!(report.verdict, Verdict::Refused);
        let options = Doctor::new().remote(nobody);
        let found = runtime.block_on(subflows::tokio::doctor(&options)).unwrap();
        assert!(found.iter().any(|found| found.kind == FindingKind::Refused), "{found:?}");
    }
}

/// The number of threads of this process, according to the kernel.
fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

/// The helper of the next test: alone in its process, it can count threads.
#[test]
#[ignore = "a helper of another test"]
fn helper_that_counts_threads() {
    child::only_as_child!();
    let net = open_handed(Net::two_subnets().unwrap());
    let _entered = net.client.enter().unwrap();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let ip = net.paths[0].server_v4.into();
    let listener = serve(&net, &runtime, ip);
    let before = threads();
    runtime.block_on(async {
        let (client, _server) = connected(&listener, ip).await;
        assert_eq!(threads(), before, "connected");
        let mut events = Events::of_namespace().unwrap();
        let options = Open::new().local(net.paths[1].client_v4);
        open(&client, &options).await.unwrap();
        assert_eq!(threads(), before, "opened");
        next_event(&mut events, SOON).await.unwrap().unwrap();
        assert_eq!(threads(), before, "followed");
        ways::pull_cable(&net, 1);
        let mut opening = pin!(open(&client, &options));
        assert!(pending(opening.as_mut()).await);
        assert_eq!(threads(), before, "opening");
    });
    assert_eq!(threads(), before, "after all");
}

#[test]
fn no_thread_is_started() {
    skip_unless_ready!();
    child::plays(&mut child::helper("helper_that_counts_threads"));
}
