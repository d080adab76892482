//! The thread that opens the subflows that were asked for.

use std::os::fd::AsFd;
use std::sync::MutexGuard;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, SigmaskHow};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::ids::ID_MAX;
use crate::pending::Pending;
use crate::registry::Registry;

/// The longest pause between two rounds. A new request, or the end of a connection, waits at most this long. Events of the
/// connection, and a step of a subflow that is being opened, end the pause.
const PAUSE: Duration = Duration::from_millis(50);

/// Adds a request, which the thread carries out. It exists only while there is something to open.
pub(crate) fn add(registry: &mut Registry, pending: Pending) {
    registry.pending.push(pending);
    if registry.has_worker {
        return;
    }
    // The thread inherits this: no handler of the program runs on it.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK);
    let worker = thread::Builder::new().name("subflows-open".into()).spawn(work);
    if let Ok(before) = before {
        // It fails only for an invalid argument.
        let _ = before.thread_set_mask();
    }
    registry.has_worker = worker.is_ok();
}

/// Carries out requests until there are none.
fn work() {
    loop {
        let mut registry = Registry::lock();
        let mut kept = Vec::new();
        for mut pending in std::mem::take(&mut registry.pending) {
            let result = if pending.held.is_open() {
                pending.step()
            } else {
                forget(&mut registry, &pending);
                continue;
            };
            match result {
                None => kept.push(pending),
                Some(Ok(subflow)) => {
                    if let Some(connection) = registry.known(pending.held.cookie) {
                        connection.ids.becomes(pending.number, subflow.id);
                    }
                }
                // As in the patched kernel, a subflow that did not come about is no longer listed.
                Some(Err(_)) => forget(&mut registry, &pending),
            }
        }
        registry.pending = kept;
        if registry.pending.is_empty() {
            registry.has_worker = false;
            return;
        }
        wait(registry);
    }
}

fn forget(registry: &mut Registry, pending: &Pending) {
    if let Some(connection) = registry.known(pending.held.cookie) {
        connection.ids.release_request(pending.number);
    }
}

/// Waits until a request can go on, without the lock.
fn wait(mut registry: MutexGuard<'_, Registry>) {
    let deadline = Instant::now() + PAUSE;
    let mut fds = Vec::with_capacity(ID_MAX.into());
    fds.extend(registry.pending.iter_mut().filter_map(Pending::fd));
    drop(registry);
    let mut entries: Vec<_> =
        fds.iter().map(|fd| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)).collect();
    let left = deadline.saturating_duration_since(Instant::now());
    // A failure to wait ends the pause, as an event does; then wait without the descriptors.
    let limit = Timespec::try_from(left).ok();
    if poll(&mut entries, limit.as_ref()).is_err() {
        thread::sleep(PAUSE);
    }
}
