//! A program or a map that the process keeps.

use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::call::{self, Identity};

/// A program or a map, and what shows that the descriptor still is one.
pub(super) struct Object {
    fd: ManuallyDrop<OwnedFd>,
    identity: Option<Identity>,
}

impl Object {
    pub(super) fn new(fd: OwnedFd) -> Object {
        let identity = call::identity(fd.as_fd());
        Object { fd: ManuallyDrop::new(fd), identity }
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub(super) fn is_still_open(&self) -> bool {
        self.identity == call::identity(self.as_fd())
    }
}

impl Drop for Object {
    /// Closes the descriptor, unless its number now belongs to another file.
    fn drop(&mut self) {
        if self.is_still_open() {
            // SAFETY: this is the one place that drops `fd`, and nothing uses it after this.
            unsafe { ManuallyDrop::drop(&mut self.fd) };
        }
    }
}
