//! Handles: objects that own something of core's. They can be closed while another thread uses them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;

/// Something of core's that lives until it is closed or collected.
///
/// The lock is held for a step, never while a thread waits for the network, so that any thread can
/// close the handle at once.
pub(crate) struct Handle<T> {
    inner: Mutex<Option<T>>,
    /// The error of a call after the end, with its remedy.
    ended: &'static str,
}

impl<T: Send> Handle<T> {
    pub(crate) fn new(inner: T, ended: &'static str) -> Handle<T> {
        Handle { inner: Mutex::new(Some(inner)), ended }
    }

    /// Calls `step` with it. Fails if it was closed.
    pub(crate) fn with<R>(&self, py: Python<'_>, step: impl FnOnce(&mut T) -> R) -> PyResult<R> {
        self.with_open(py, step).ok_or_else(|| PyValueError::new_err(self.ended))
    }

    /// The same, for callers to whom a closed handle is not an error.
    pub(crate) fn with_open<R>(&self, py: Python<'_>, step: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.lock(py).as_mut().map(step)
    }

    /// Takes it out. Returns nothing if it was closed before.
    pub(crate) fn take(&self, py: Python<'_>) -> Option<T> {
        self.lock(py).take()
    }

    /// Closes it, if it was not closed before, without the interpreter.
    pub(crate) fn close(&self, py: Python<'_>) {
        let inner = self.take(py);
        py.detach(|| drop(inner));
    }

    /// Closes it, after `last`, which other threads see done together with the end.
    pub(crate) fn close_with(&self, py: Python<'_>, last: impl FnOnce(&mut T)) {
        let mut inner = self.lock(py);
        if let Some(inner) = inner.as_mut() {
            last(inner);
        }
        let closed = inner.take();
        drop(inner);
        py.detach(|| drop(closed));
    }

    fn lock(&self, py: Python<'_>) -> MutexGuard<'_, Option<T>> {
        // Without the interpreter, which the thread that has the lock may need.
        self.inner.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }
}

/// Seconds from now.
pub(crate) fn seconds_until(deadline: Instant) -> f64 {
    deadline.saturating_duration_since(Instant::now()).as_secs_f64()
}
