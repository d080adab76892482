//! Subflows that are being opened, or will be as soon as the connection can have them.
//!
//! The patched kernels opened in the background, and took a request before the connection was ready. Here one
//! thread does it. It exists only while there is something to open. It holds no descriptor of the program, so
//! that a connection ends when the program closes it.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, SigmaskHow};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use subflows::{ErrorKind, Events, Open, Opening, Result, Subflow};

use crate::ids::ID_MAX;
use crate::layout::canonical;
use crate::registry::{Held, Registry};

/// The longest pause between two rounds. A new request, or the end of a connection, waits at most this long. Events of the
/// connection, and a step of a subflow that is being opened, end the pause.
const PAUSE: Duration = Duration::from_millis(50);

/// A request that is not carried out yet.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) number: u64,
    pub(crate) held: Held,
    /// What was asked for.
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    options: Open,
    stage: Stage,
    /// The subflow in the kernel, as it was last listed. An attempt may end and begin anew.
    pub(crate) subflow: Option<u32>,
}

#[derive(Debug)]
enum Stage {
    /// The connection is not ready. Its events report when it is, if this process may follow them.
    Kept(Option<Box<Events>>),
    Opening(Box<Opening<Held>>),
}

impl Pending {
    /// Begins to open a subflow, or keeps the request if the connection is not ready for it.
    pub(crate) fn begin(
        number: u64,
        held: Held,
        (local, remote): (SocketAddr, SocketAddr),
        options: Open,
    ) -> Result<Pending> {
        let stage = match Opening::begin(held, &options) {
            Ok(opening) => Stage::Opening(Box::new(opening)),
            Err(error) if error.kind() == ErrorKind::NotReady => {
                Stage::Kept(subflows::events(&held).ok().map(Box::new))
            }
            Err(error) => return Err(error),
        };
        Ok(Pending { number, held, local, remote, options, stage, subflow: None })
    }

    /// Reports whether a listed subflow is the one that is being opened here.
    pub(crate) fn is_of(&self, subflow: &Subflow) -> bool {
        let local = canonical(subflow.local);
        matches!(self.stage, Stage::Opening(_))
            && canonical(subflow.remote) == self.remote
            && (self.local.ip().is_unspecified() || local.ip() == self.local.ip())
            && (self.local.port() == 0 || local.port() == self.local.port())
    }

    /// Goes on as far as that is possible without waiting. Returns the result once there is one.
    fn step(&mut self) -> Option<Result<Subflow>> {
        if let Stage::Kept(events) = &mut self.stage {
            while let Some(Ok(Some(_))) = events.as_mut().map(|events| events.try_next()) {}
            match Opening::begin(self.held, &self.options) {
                Ok(opening) => self.stage = Stage::Opening(Box::new(opening)),
                Err(error) if error.kind() == ErrorKind::NotReady => return None,
                Err(error) => return Some(Err(error)),
            }
        }
        let Stage::Opening(opening) = &mut self.stage else { return None };
        match opening.advance() {
            // It began while data was on its way, which did not make the connection ready.
            Err(error) if error.kind() == ErrorKind::NotReady => {
                self.stage = Stage::Kept(subflows::events(&self.held).ok().map(Box::new));
                None
            }
            result => result.transpose(),
        }
    }
}

/// Adds a request, which a thread carries out.
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
fn wait(mut registry: std::sync::MutexGuard<'_, Registry>) {
    let deadline = Instant::now() + PAUSE;
    let mut fds = Vec::with_capacity(ID_MAX.into());
    for pending in &mut registry.pending {
        let fd = match &mut pending.stage {
            Stage::Opening(opening) => {
                opening.fd().ok().and_then(|fd| fd.try_clone_to_owned().ok())
            }
            Stage::Kept(Some(events)) => events.fd().try_clone_to_owned().ok(),
            Stage::Kept(None) => None,
        };
        fds.extend(fd);
    }
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
