//! The thread that takes control of new sockets, one after the other.
//!
//! It is a real-time thread, and so is the child process that it makes if the broker has lost its guardian:
//! neither is preempted by other programs while `net.mptcp.path_manager` is changed. It touches no socket of a
//! client.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::Builder;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;
use subflows::broker::{Done, Peer, SocketFamily, controlled_socket, refusal, set_realtime};
use subflows::{ErrorKind, Result};

use crate::Failure;

const STACK: usize = 256 * 1024;
/// How long a client waits for those before it. Taking control fails after as long if another process holds the
/// lock of the namespace.
const PATIENCE: Duration = Duration::from_secs(1);

/// A request to the thread.
#[derive(Debug)]
struct Job {
    family: SocketFamily,
    peer: Peer,
    deadline: Instant,
    answer: SyncSender<Result<Done>>,
}

/// The way to the thread.
#[derive(Clone, Debug)]
pub(crate) struct Taker(Sender<Job>);

impl Taker {
    /// Starts the thread, in which [`set_realtime`] has already been called for the calling thread: it inherits
    /// the priority, and needs no capability for it. It stays on one processor, where its child process then
    /// runs as well: waking another processor takes longer than the child.
    pub(crate) fn start() -> std::result::Result<Taker, Failure> {
        let (jobs, queue) = channel();
        let this = Pid::from_raw(0);
        let everywhere = sched_getaffinity(this);
        let here = sched_getcpu().and_then(|processor| {
            let mut here = CpuSet::new();
            here.set(processor)?;
            sched_setaffinity(this, &here)
        });
        let started =
            Builder::new().name("taker".into()).stack_size(STACK).spawn(move || serve(&queue));
        if let (Ok(everywhere), Ok(())) = (everywhere, here) {
            // If it fails, the service runs on that processor alone.
            let _ = sched_setaffinity(this, &everywhere);
        }
        set_realtime(false);
        started.map(|_| Taker(jobs)).map_err(|error| {
            Failure::new(format!("no thread can be made ({error})"), "Raise the limit of threads.")
        })
    }

    /// Makes a socket that the application controls, for that client.
    pub(crate) fn take(&self, family: SocketFamily, peer: &Peer) -> Result<Done> {
        let (answer, answered) = sync_channel(1);
        let deadline = Instant::now() + PATIENCE;
        // The thread never ends.
        let _ = self.0.send(Job { family, peer: peer.clone(), deadline, answer });
        answered.recv().unwrap_or_else(|_| Err(busy()))
    }
}

fn serve(queue: &Receiver<Job>) {
    for Job { family, peer, deadline, answer } in queue {
        let done = match Instant::now() < deadline {
            true => controlled_socket(family, &peer),
            false => Err(busy()),
        };
        // The worker waits for it.
        let _ = answer.send(done);
    }
}

fn busy() -> subflows::Error {
    refusal(
        ErrorKind::Busy,
        Errno::EBUSY as i32,
        "too many programs take control of sockets, or another process holds the lock on the network namespace",
        "Call again, or find the process by the command lslocks, which shows the namespace as net:[...].",
    )
}
