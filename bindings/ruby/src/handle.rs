//! What has an owner: it may be closed early, and is then of no use.

use std::cell::{RefCell, RefMut};
use std::time::Instant;

use magnus::{Error, Ruby};

/// Something of core's that lives until it is closed or forgotten.
pub(crate) struct Handle<T>(RefCell<Option<T>>);

impl<T> Handle<T> {
    pub(crate) fn new(inner: T) -> Handle<T> {
        Handle(RefCell::new(Some(inner)))
    }

    /// For a call; IOError as from a closed IO, or while another thread is in such a call.
    pub(crate) fn get(&self, ruby: &Ruby) -> Result<RefMut<'_, T>, Error> {
        let inner =
            self.0.try_borrow_mut().map_err(|_| io_error(ruby, "used by another thread"))?;
        RefMut::filter_map(inner, Option::as_mut).map_err(|_| io_error(ruby, "closed"))
    }

    /// For the last time. Nothing, if it was closed before.
    pub(crate) fn take(&self, ruby: &Ruby) -> Result<Option<T>, Error> {
        let mut inner =
            self.0.try_borrow_mut().map_err(|_| io_error(ruby, "used by another thread"))?;
        Ok(inner.take())
    }
}

pub(crate) fn io_error(ruby: &Ruby, message: &'static str) -> Error {
    Error::new(ruby.exception_io_error(), message)
}

/// Seconds from now.
pub(crate) fn seconds_until(deadline: Instant) -> f64 {
    deadline.saturating_duration_since(Instant::now()).as_secs_f64()
}
