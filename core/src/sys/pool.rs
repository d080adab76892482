//! Values that the process keeps for their next use.
//!
//! The threads share them: one takes a value out of its place and puts it back afterwards. The places have no
//! lock: the child of a fork would wait forever for one that another thread of its parent held.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// How many values are kept.
const PLACES: usize = 2;

/// The values that wait for their next use. Never dropped: the kernel closes descriptors when the process
/// ends.
pub(crate) struct Pool<T>([AtomicPtr<T>; PLACES]);

impl<T> Pool<T> {
    pub(crate) const fn new() -> Pool<T> {
        Pool([const { AtomicPtr::new(ptr::null_mut()) }; PLACES])
    }

    /// Takes a value out of its place.
    pub(super) fn take(&self) -> Option<Box<T>> {
        self.0.iter().find_map(|place| {
            let taken = place.swap(ptr::null_mut(), Ordering::Acquire);
            // SAFETY: what is not null in a place was put there by `put`, which made it of a box. The
            // swap has removed it, so that no other thread takes it.
            (!taken.is_null()).then(|| unsafe { Box::from_raw(taken) })
        })
    }

    /// Drops all values that are kept.
    pub(super) fn clear(&self) {
        for _ in 0..PLACES {
            drop(self.take());
        }
    }

    /// Puts a value into a free place. Without one, it is dropped.
    pub(super) fn put(&self, value: Box<T>) {
        let value = Box::into_raw(value);
        let is_put = self.0.iter().any(|place| {
            let (put, taken) = (Ordering::Release, Ordering::Relaxed);
            place.compare_exchange(ptr::null_mut(), value, put, taken).is_ok()
        });
        if !is_put {
            // SAFETY: the pointer was made of a box above, and is in no place.
            drop(unsafe { Box::from_raw(value) });
        }
    }
}
