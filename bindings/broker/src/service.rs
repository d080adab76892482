//! Accepting clients: each session gets a worker, a thread of its own.
//!
//! A client can make every system call on its socket wait for as long as it likes: a page fault inside send
//! keeps the socket locked, and the close of a socket may wait for its data (SO_LINGER). So this thread
//! touches no socket that a client has passed. It does not even close a session, which closes the
//! descriptors in its unread messages: the worker does, or a thread of [`close`].

use std::fs;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Builder};
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};
use subflows::broker::{Peer, ServerSession, Taker};

use crate::Failure;
use crate::metrics::Counts;
use crate::permissions::Policy;
use crate::user::Users;
use crate::worker::{self, Worker};

/// Enough for an act and its answer.
const STACK: usize = 256 * 1024;
/// A session costs the broker as much as that many requests: it gets a thread.
const COST: f64 = 4.0;
/// How long to wait if the process has no descriptor or no thread left.
const PAUSE: Duration = Duration::from_millis(10);
/// How many refused sessions wait to be closed at most.
const REFUSED: usize = 1024;

/// Serves until the process is killed.
pub(crate) fn serve(
    listener: &OwnedFd,
    policy: Policy,
    mut users: Users,
    counts: Arc<Counts>,
    taker: &Taker,
) -> Result<(), Failure> {
    let policy = Arc::new(policy);
    let (refused, queue) = sync_channel(REFUSED);
    let closing = move || {
        while let Ok(first) = queue.recv() {
            close(std::iter::once(first).chain(queue.try_iter()).collect());
        }
    };
    Builder::new().stack_size(STACK).spawn(closing).map_err(|error| {
        Failure::new(format!("no thread can be made ({error})"), "Raise the limit of threads.")
    })?;
    // The other thread never ends.
    let refuse = |session: ServerSession| {
        worker::answer_busy(&session);
        let _ = refused.send(session);
    };
    loop {
        let session = match accept_with(listener, SocketFlags::CLOEXEC) {
            Ok(fd) => ServerSession::new(fd),
            Err(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS) => {
                thread::sleep(PAUSE);
                continue;
            }
            Err(Errno::INTR | Errno::CONNABORTED | Errno::AGAIN) => continue,
            Err(error) => {
                return Err(Failure::new(
                    format!("the socket accepts no clients ({error})"),
                    "Start the broker again.",
                ));
            }
        };
        // The kernel knows the user of every connection.
        let uid = session.user().unwrap_or(u32::MAX);
        let limits = policy.limits;
        let begun = users.begin(uid, limits.requests, limits.sessions).and_then(|counted| {
            let wait = counted.user().wait_of(COST, limits.requests)?;
            Some((counted, wait))
        });
        let Some((counted, wait)) = begun else {
            counts.refused.fetch_add(1, Ordering::Relaxed);
            refuse(session);
            continue;
        };
        // The thread takes it from here. If no thread can be made, it is still there.
        let place = Arc::new(Mutex::new(Some(session)));
        let take = |place: &Mutex<Option<ServerSession>>| {
            place.lock().unwrap_or_else(PoisonError::into_inner).take()
        };
        let (shared, policy, counts, taker) =
            (Arc::clone(&place), Arc::clone(&policy), Arc::clone(&counts), taker.clone());
        let started = Builder::new().stack_size(STACK).spawn(move || {
            if let Some((session, peer)) = take(&shared).and_then(|session| {
                thread::sleep(wait);
                // A client that is not known has no rights.
                let peer = session.peer().ok()?;
                Some((session, peer))
            }) {
                let client = policy.client(&peer, || cgroup(&session, &peer));
                Worker::new(session, peer, client, &policy, &counted, &counts, taker).run();
            }
            // Counted for as long as closing the session takes.
            drop(counted);
        });
        if started.is_err() {
            if let Some(session) = take(&place) {
                refuse(session);
            }
        }
    }
}

/// Closes sessions without waiting for the descriptors in their messages.
///
/// The kernel lets the close of a socket wait (SO_LINGER) unless the closing thread is ending. So a thread
/// with descriptors of its own closes the sessions by ending.
fn close(sessions: Vec<ServerSession>) {
    let (unshared, is_unshared) = channel();
    let (closed, is_closed) = channel::<()>();
    let ending = move || {
        let _ = unshared.send(unshare(CloneFlags::CLONE_FILES).is_ok());
        // The sender is dropped when the other thread has closed the sessions.
        let _ = is_closed.recv();
    };
    // Without a thread, or if a filter of system calls forbids it, closing may wait.
    if Builder::new().stack_size(STACK).spawn(ending).is_ok() {
        let _ = is_unshared.recv();
    }
    drop(sessions);
    drop(closed);
}

/// The control group of a client (cgroup v2). Returns `None` if the client has ended, because its number may be that
/// of another process by now.
fn cgroup(session: &ServerSession, peer: &Peer) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{}/cgroup", peer.pid)).ok()?;
    let group = text.lines().find_map(|line| line.strip_prefix("0::")).map(str::to_owned);
    group.filter(|_| session.has_living_peer())
}
