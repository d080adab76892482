//! A user who asks as much as possible, in every way, while another one works.

use std::fs::File;
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{UnixAddr, connect};
use subflows::broker::{Act, Request};
use subflows_lab::Net;

use crate::common::Pair;
use crate::served::{
    AT_ONCE, CHECK, NOBODY, Served, Session, alone, ask_path_manager, become_user, net,
    new_session, slowness,
};
use crate::{EVERYONE, acts};

const FLOOD: Duration = Duration::from_secs(3);
/// For how long the setting of the path manager may be changed.
const WINDOW: Duration = Duration::from_millis(5);

/// Asks for every act in turn, then sends bytes that are not a request, with many descriptors.
fn ask_everything(served: &Served, all: &[Act], stream: &TcpStream, is_over: &AtomicBool) {
    become_user(NOBODY);
    while !is_over.load(Ordering::Relaxed) {
        let session = served.session();
        for act in all {
            // The session is refused, or the answer does not matter.
            if session.ask_for_fd(act.clone(), &[stream.as_fd()]).is_none() {
                break;
            }
        }
        for _ in 0..16 {
            let _ = session.send(&[0; 64], &[stream.as_fd(); 250]);
        }
    }
}

/// Begins sessions, and ends them at once or with a request that is not read.
fn begin_sessions(served: &Served, stream: &TcpStream, is_over: &AtomicBool) {
    become_user(NOBODY);
    let address = UnixAddr::new(&served.path()).unwrap();
    let request = Request { number: 1, act: CHECK }.encode();
    while !is_over.load(Ordering::Relaxed) {
        let session = new_session();
        if connect(session.as_raw_fd(), &address).is_ok() {
            let _ = Session::from(session).send(&request, &[stream.as_fd()]);
        }
    }
}

/// Makes this thread a real-time thread, so that it measures the broker, and not the processor's queue, in
/// which the threads that flood are as well. Without the right it measures both.
fn measure_precisely() {
    let scheduling = libc::sched_param { sched_priority: 2 };
    // SAFETY: the pointer leads to `scheduling`; 0 is this thread.
    let _ = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &scheduling) };
}

/// Reads the setting again and again. Returns for how long it was changed at most.
fn watch_setting(net: &Net, is_over: &AtomicBool) -> Duration {
    net.client.run(|| {
        measure_precisely();
        let setting = File::open("/proc/sys/net/mptcp/pm_type").unwrap();
        let (mut longest, mut since) = (Duration::ZERO, None);
        while !is_over.load(Ordering::Relaxed) {
            let mut value = [0];
            setting.read_exact_at(&mut value, 0).unwrap();
            let now = Instant::now();
            since = match value {
                [b'0'] => None,
                _ => Some(since.unwrap_or(now)),
            };
            longest = since.map_or(longest, |since| longest.max(now - since));
            thread::sleep(Duration::from_micros(20));
        }
        longest
    })
}

#[test]
fn a_flood_delays_no_other_user() {
    let Some(net) = net() else { return };
    let alone = alone();
    let served = Served::start_alone(&net.client, EVERYONE, &alone);
    let own = Pair::new(&net, net.paths[0].server_ips()[0], true);
    let mut all = acts(&net, &own.client);
    all.extend([CHECK, Act::TakeControl, Act::Events, Act::Options { cookie: 1, steps: vec![] }]);
    served.serves_at_once(&net);
    let before = served.count("fd");
    let is_over = AtomicBool::new(false);
    let mut times = Vec::new();
    let longest = thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| ask_everything(&served, &all, &own.client, &is_over));
        }
        for _ in 0..2 {
            scope.spawn(|| begin_sessions(&served, &own.client, &is_over));
        }
        let watcher = scope.spawn(|| watch_setting(&net, &is_over));
        measure_precisely();
        let start = Instant::now();
        // A failure must end the flood, too.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            while start.elapsed() < FLOOD {
                times.push((served.serve(&net), ask_path_manager(&net.server)));
                // This user has limits, too.
                thread::sleep(Duration::from_millis(10));
            }
        }));
        is_over.store(true, Ordering::Relaxed);
        let longest = watcher.join().unwrap();
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        longest
    });
    let (mut served_in, mut asked_in): (Vec<_>, Vec<_>) = times.into_iter().unzip();
    let limit = AT_ONCE * slowness();
    for (what, times) in [("served", &mut served_in), ("answered", &mut asked_in)] {
        times.sort();
        let (most, all) = (times[times.len() * 9 / 10], times[times.len() - 1]);
        println!("another user was {what} {} times: {most:?}, at most {all:?}", times.len());
        // The flood's own threads use both processors of a small host.
        assert!(most < limit && all < 5 * limit, "{what} within {most:?}, at most {all:?}");
    }
    println!("the setting was changed for {longest:?} at most; {} KiB", served.resident());
    assert!(longest < WINDOW, "the setting was changed for {longest:?}");
    served.has_nothing_left(before);
    assert!(served.resident() < 24 * 1024, "{} KiB", served.resident());
}
