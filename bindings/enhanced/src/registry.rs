//! What this process knows of its connections between two requests: their path indexes, and the subflows that
//! are still to be opened.

use std::collections::BTreeMap;
use std::process;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::held::Held;
use crate::ids::Ids;
use crate::pending::Pending;

/// How many connections are kept before those are forgotten that the program has closed.
const FORGET_FROM: usize = 64;

/// What is known of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    held: Held,
    pub(crate) ids: Ids,
}

/// The connections of this process, and the requests that are not carried out yet.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    connections: BTreeMap<u64, Connection>,
    forget_from: usize,
    pub(crate) pending: Vec<Pending>,
    pub(crate) has_worker: bool,
    /// The number of the last request.
    pub(crate) last: u64,
}

/// A registry, and the process to which it belongs.
struct Owned {
    process: u32,
    registry: Mutex<Registry>,
}

impl Registry {
    /// The registry of this process. A child of fork(2) has the path indexes of its parent, and opens nothing
    /// for it. It does not wait for a lock that a thread of the parent held.
    pub(crate) fn lock() -> MutexGuard<'static, Registry> {
        static CURRENT: AtomicPtr<Owned> = AtomicPtr::new(ptr::null_mut());
        let process = process::id();
        let mut current = CURRENT.load(Ordering::Acquire);
        loop {
            // SAFETY: it is null, or a box that was leaked.
            let known = unsafe { current.as_ref() };
            if let Some(known) = known.filter(|known| known.process == process) {
                return known.registry.lock().unwrap_or_else(PoisonError::into_inner);
            }
            let inherited = known.and_then(|parent| parent.registry.try_lock().ok());
            let mut registry = Registry { forget_from: FORGET_FROM, ..Registry::default() };
            if let Some(parent) = inherited {
                registry.connections = parent.connections.clone();
                registry.last = parent.last;
                // The parent carries its requests out. A subflow that comes of one is new to the child.
                registry.connections.values_mut().for_each(|known| known.ids.release_requests());
            }
            let new = Box::into_raw(Box::new(Owned { process, registry: registry.into() }));
            match CURRENT.compare_exchange(current, new, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => current = new,
                Err(other) => {
                    // SAFETY: nothing else has this pointer.
                    drop(unsafe { Box::from_raw(new) });
                    current = other;
                }
            }
        }
    }

    /// What is known of a connection.
    pub(crate) fn connection(&mut self, held: Held) -> &mut Connection {
        if self.connections.len() >= self.forget_from {
            self.connections.retain(|_, connection| connection.held.is_open());
            self.forget_from = FORGET_FROM.max(2 * self.connections.len());
        }
        let new = || Connection { held, ids: Ids::default() };
        let connection = self.connections.entry(held.cookie).or_insert_with(new);
        connection.held = held;
        connection
    }

    /// The request with that number.
    pub(crate) fn request(&self, held: Held, number: u64) -> Option<&Pending> {
        self.pending.iter().find(|pending| pending.held == held && pending.number == number)
    }

    /// What is known of the connection with that cookie.
    pub(crate) fn known(&mut self, cookie: u64) -> Option<&mut Connection> {
        self.connections.get_mut(&cookie)
    }
}
