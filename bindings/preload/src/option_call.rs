//! The arguments of a call that gets or sets an option of a socket, as the program has passed them.

use std::ffi::{c_int, c_void};

use libc::{EFAULT, EINVAL, socklen_t};

use crate::memory;

/// The arguments of getsockopt(2).
#[derive(Clone, Copy)]
pub(crate) struct Getting {
    pub(crate) fd: c_int,
    pub(crate) level: c_int,
    pub(crate) option: c_int,
    pub(crate) value: *mut c_void,
    pub(crate) length: *mut socklen_t,
}

impl Getting {
    /// Reads how long a value may be.
    pub(crate) fn room(&self) -> Result<usize, c_int> {
        room(self.length)
    }

    /// Writes a value and its length, as getsockopt(2) does.
    pub(crate) fn give(&self, bytes: &[u8]) -> Result<(), c_int> {
        give(self.value, self.length, bytes)
    }
}

/// The arguments of setsockopt(2).
#[derive(Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) fd: c_int,
    pub(crate) level: c_int,
    pub(crate) option: c_int,
    pub(crate) value: *const c_void,
    pub(crate) length: socklen_t,
}

/// Reads how long a value may be.
pub(crate) fn room(length: *const socklen_t) -> Result<usize, c_int> {
    let room = memory::number(length.cast()).ok_or(EFAULT)?;
    usize::try_from(room).map_err(|_| EINVAL)
}

/// Writes a value and its length, as getsockopt(2) does.
pub(crate) fn give(value: *mut c_void, length: *mut socklen_t, bytes: &[u8]) -> Result<(), c_int> {
    let written = room(length)?.min(bytes.len());
    let is_done = memory::write(value, &bytes[..written])
        && memory::write(length.cast(), &(written as socklen_t).to_ne_bytes());
    is_done.then_some(()).ok_or(EFAULT)
}
