//! The wake descriptors of one handle: each ends one wait for it.
//!
//! Each wait has its own. If all waits for a handle shared one, the first thread to wake up would
//! clear it, and the thread that was meant would go on waiting.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use jni::sys::jlong;
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::lock::lock;

/// The wake descriptors, by the numbers of their waits.
#[derive(Default)]
pub(super) struct WakeFds(Mutex<HashMap<jlong, Arc<EventFd>>>);

impl WakeFds {
    /// Makes a wake descriptor, and returns the number of its wait.
    pub(super) fn add(&self) -> nix::Result<jlong> {
        static NEXT: AtomicI64 = AtomicI64::new(1);
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let wake_fd = EventFd::from_value_and_flags(0, flags)?;
        let wait = NEXT.fetch_add(1, Ordering::Relaxed);
        lock(&self.0).insert(wait, Arc::new(wake_fd));
        Ok(wait)
    }

    pub(super) fn get(&self, wait: jlong) -> Option<Arc<EventFd>> {
        lock(&self.0).get(&wait).cloned()
    }

    pub(super) fn remove(&self, wait: jlong) {
        lock(&self.0).remove(&wait);
    }

    /// Ends one wait.
    pub(super) fn wake(&self, wait: jlong) {
        if let Some(wake_fd) = lock(&self.0).get(&wait) {
            wake(wake_fd);
        }
    }

    /// Ends all waits.
    pub(super) fn wake_all(&self) {
        for wake_fd in lock(&self.0).values() {
            wake(wake_fd);
        }
    }
}

fn wake(wake_fd: &EventFd) {
    // This only fails if the wait was woken more often than the counter can hold.
    let _ = wake_fd.write(1);
}
