//! The bells of one handle: descriptors that end a wait for it.
//!
//! Each wait has a bell of its own. If all waits for a handle shared one, the first thread to wake
//! up would silence it, which need not be the thread that it was rung for.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use jni::sys::jlong;
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::lock::lock;

/// The bells, by the numbers of their waits.
#[derive(Default)]
pub(super) struct Bells(Mutex<HashMap<jlong, Arc<EventFd>>>);

impl Bells {
    /// Makes a bell, and returns the number of its wait.
    pub(super) fn add(&self) -> nix::Result<jlong> {
        static NEXT: AtomicI64 = AtomicI64::new(1);
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let bell = EventFd::from_value_and_flags(0, flags)?;
        let wait = NEXT.fetch_add(1, Ordering::Relaxed);
        lock(&self.0).insert(wait, Arc::new(bell));
        Ok(wait)
    }

    pub(super) fn get(&self, wait: jlong) -> Option<Arc<EventFd>> {
        lock(&self.0).get(&wait).cloned()
    }

    pub(super) fn remove(&self, wait: jlong) {
        lock(&self.0).remove(&wait);
    }

    /// Ends one wait.
    pub(super) fn ring(&self, wait: jlong) {
        if let Some(bell) = lock(&self.0).get(&wait) {
            ring(bell);
        }
    }

    /// Ends all waits.
    pub(super) fn ring_all(&self) {
        for bell in lock(&self.0).values() {
            ring(bell);
        }
    }
}

fn ring(bell: &EventFd) {
    // This only fails if the bell has rung already.
    let _ = bell.write(1);
}
