//! Accepting clients: each session gets a worker, a thread of its own.
//!
//! A client can make every system call on its socket wait for as long as it likes: a page fault inside send
//! keeps the socket locked, and the close of a socket may wait for its data (SO_LINGER). So this thread
//! touches no socket that a client has passed. It does not even close a session, which closes the
//! descriptors in its unread messages: the worker does, or a thread of [`refuse`].

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Builder};
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};
use subflows::broker::{Peer, ServerSession};

use crate::Failure;
use crate::policy::Policy;
use crate::user::Users;
use crate::worker::{self, Worker};

/// Enough for an act and its answer.
const STACK: usize = 256 * 1024;
/// How long to wait if the process has no descriptor or no thread left.
const PAUSE: Duration = Duration::from_millis(10);

/// Serves until the process is killed.
pub(crate) fn serve(listener: &OwnedFd, policy: Policy) -> Result<(), Failure> {
    let policy = Arc::new(policy);
    let mut users = Users::default();
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
        let peer = session.peer().unwrap_or_default();
        let user = users.get(peer.uid, policy.limits.requests);
        let Some(counted) = user.begin(policy.limits.sessions) else {
            refuse(session);
            continue;
        };
        // The thread takes it from here. If no thread can be made, it is still there.
        let place = Arc::new(Mutex::new(Some(session)));
        let take = |place: &Mutex<Option<ServerSession>>| {
            place.lock().unwrap_or_else(PoisonError::into_inner).take()
        };
        let (shared, policy) = (Arc::clone(&place), Arc::clone(&policy));
        let started = Builder::new().stack_size(STACK).spawn(move || {
            if let Some(session) = take(&shared) {
                let client = policy.client(&peer, || cgroup(&peer));
                Worker::new(session, peer, client, &policy, &counted).run();
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

/// Answers that the broker is busy, and closes the session without waiting for the descriptors in it.
///
/// The kernel lets the close of a socket wait (SO_LINGER) unless the closing thread is ending. So a thread
/// with descriptors of its own closes the session by ending.
fn refuse(session: ServerSession) {
    let (unshared, is_unshared) = channel();
    let (closed, is_closed) = channel::<()>();
    let ending = move || {
        let _ = unshared.send(unshare(CloneFlags::CLONE_FILES).is_ok());
        // The sender is dropped when the other thread has closed the session.
        let _ = is_closed.recv();
    };
    worker::answer_busy(&session);
    // Without a thread, or if a filter of system calls forbids it, closing may wait.
    if Builder::new().stack_size(STACK).spawn(ending).is_ok() {
        let _ = is_unshared.recv();
    }
    drop(session);
    drop(closed);
}

/// The control group of a client (cgroup v2).
fn cgroup(peer: &Peer) -> Option<String> {
    let read =
        |pid: i32| -> io::Result<String> { fs::read_to_string(format!("/proc/{pid}/cgroup")) };
    let text = read(peer.pid).ok()?;
    text.lines().find_map(|line| line.strip_prefix("0::")).map(str::to_owned)
}
