//! Probing many hosts at once, in one thread, with sockets that never block.
//!
//! The kernel must not notice a black hole, so no deadline of a probe may be missed: names are resolved, input is
//! read and results are printed by other threads.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use subflows::{Probe, ProbeReport, Probing};

use super::target::Target;
use crate::failure::Failure;

/// How many names are resolved at the same time.
const RESOLVERS_MAX: usize = 16;
/// A probe has at most that many descriptors: sockets, its epoll set, and one for events.
const DESCRIPTORS: u64 = 5;

/// Texts, each with the host that it names, or why it does not name a host.
pub(crate) type Hosts = Box<dyn Iterator<Item = Host> + Send>;
pub(crate) type Host = (String, Result<Target, Failure>);

/// The outcome for a host: its text, and the report.
pub(crate) type Outcome = (String, Result<ProbeReport, Failure>);

/// A probe that is under way.
struct Running {
    text: String,
    probing: Probing,
}

/// A host with its address.
type Resolved = (String, Result<SocketAddr, Failure>);

/// Probes all hosts, at most `parallel` at the same time. The outcomes come in the order in which the probes
/// end.
pub(crate) fn probe(
    hosts: Hosts,
    options: Probe,
    parallel: usize,
) -> Result<Receiver<Outcome>, Failure> {
    let failed = |error: rustix::io::Errno| Failure::system("cannot start to probe", &error.into());
    allow_descriptors(parallel as u64 * DESCRIPTORS);
    let wakeup =
        Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(failed)?);
    let (resolved, addresses) = sync_channel(parallel);
    let hosts = Arc::new(Mutex::new(hosts));
    for _ in 0..parallel.min(RESOLVERS_MAX) {
        let (hosts, resolved, wakeup) = (Arc::clone(&hosts), resolved.clone(), Arc::clone(&wakeup));
        thread::spawn(move || {
            resolve_all(&hosts, &resolved, &wakeup);
            // The other thread notices this when it is woken next.
            drop(resolved);
            wake(&wakeup);
        });
    }
    drop(resolved);
    let (outcomes, received) = channel();
    thread::spawn(move || run(&addresses, &outcomes, &wakeup, &options, parallel));
    Ok(received)
}

/// The soft limit may be lower than what the user may have.
fn allow_descriptors(more: u64) {
    let limit = getrlimit(Resource::Nofile);
    let wanted = more + 64;
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
        // With fewer descriptors, some hosts are reported as failed.
        let _ =
            setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum: limit.maximum });
    }
}

fn resolve_all(hosts: &Mutex<Hosts>, resolved: &SyncSender<Resolved>, wakeup: &OwnedFd) {
    loop {
        // Nothing under this lock panics.
        let next = hosts.lock().unwrap_or_else(PoisonError::into_inner).next();
        let host = match next {
            Some((text, target)) => (text, target.and_then(|target| target.resolve())),
            None => break,
        };
        if resolved.send(host).is_err() {
            break;
        }
        wake(wakeup);
    }
}

fn wake(wakeup: &OwnedFd) {
    // A write fails only if the counter is full: then the thread is woken anyway.
    let _ = rustix::io::write(wakeup, &1u64.to_ne_bytes());
}

fn run(
    addresses: &Receiver<Resolved>,
    outcomes: &Sender<Outcome>,
    wakeup: &OwnedFd,
    options: &Probe,
    parallel: usize,
) {
    let mut running: Vec<Running> = Vec::new();
    let mut has_more = true;
    while has_more || !running.is_empty() {
        // Before the addresses are read: a later address wakes this thread again.
        let _ = rustix::io::read(wakeup, &mut [0; 8]);
        // If the receiver of the outcomes is gone, everything ends.
        let mut is_heard = true;
        while has_more && running.len() < parallel {
            match addresses.try_recv() {
                Ok((text, address)) => match begin(address, options) {
                    Ok(probing) => running.push(Running { text, probing }),
                    Err(failure) => is_heard &= outcomes.send((text, Err(failure))).is_ok(),
                },
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => has_more = false,
            }
        }
        let before = running.len();
        let mut index = 0;
        while let Some(one) = running.get_mut(index) {
            match one.probing.advance().transpose() {
                None => index += 1,
                Some(ended) => {
                    let text = running.swap_remove(index).text;
                    is_heard &= outcomes.send((text, ended.map_err(Failure::from))).is_ok();
                }
            }
        }
        if !is_heard {
            return;
        }
        // Those that ended make room for others.
        if running.len() == before && (has_more || !running.is_empty()) {
            wait(&running, wakeup, has_more && running.len() < parallel);
        }
    }
}

fn begin(address: Result<SocketAddr, Failure>, options: &Probe) -> Result<Probing, Failure> {
    Ok(Probing::begin(address?, options)?)
}

/// Waits for the next answer, deadline or host.
fn wait(running: &[Running], wakeup: &OwnedFd, has_room: bool) {
    let wakeup = has_room.then(|| wakeup.as_fd());
    let fds = running.iter().map(|one| one.probing.fd()).chain(wakeup);
    let fds: Vec<BorrowedFd<'_>> = fds.collect();
    let mut polled: Vec<_> = fds.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
    let now = Instant::now();
    let deadline = running.iter().map(|one| one.probing.deadline()).min();
    let timeout = deadline.map(|deadline| {
        let left = deadline.saturating_duration_since(now);
        Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() }
    });
    // An interrupted wait, too, is followed by a look at all probes.
    let _ = poll(&mut polled, timeout.as_ref());
}
