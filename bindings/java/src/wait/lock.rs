//! Mutexes that survive a panic.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks it, even if a thread panicked while it held the lock: what is locked here stays
/// consistent, because the lock is held for look-ups only, or around a step of core's, which undoes
/// itself.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
