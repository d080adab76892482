//! The descriptor that all openings borrow, onto which a socket is duplicated for each of their
//! steps.
//!
//! An `Opening` borrows a descriptor for as long as it lives. If each borrowed a duplicate of its
//! own, a connection that the application closes would stay open, and the peer would not see its
//! end, until the opening is over.

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::fcntl::OFlag;
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::unistd::dup3;

use super::agent_sockets::{self, AgentSocket};

pub(super) struct SharedDescriptor {
    shared: OwnedFd,
    /// The file that `shared` refers to between two steps.
    placeholder: OwnedFd,
}

impl SharedDescriptor {
    pub(super) fn new() -> io::Result<SharedDescriptor> {
        let placeholder = OwnedFd::from(EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC)?);
        Ok(SharedDescriptor { shared: placeholder.try_clone()?, placeholder })
    }

    /// Calls `act` while the descriptor refers to the socket. Returns `None` if the application has
    /// closed the socket.
    pub(super) fn with<T>(&self, socket: AgentSocket, act: impl FnOnce() -> T) -> Option<T> {
        // SAFETY: it is not -1. It may be closed, or belong to another file: its inode is checked,
        // and that of the duplicate again.
        let theirs = unsafe { BorrowedFd::borrow_raw(socket.number) };
        // Checked first: a file loses its locks when a duplicate of it is closed.
        if agent_sockets::inode(theirs) != Some(socket.inode) {
            return None;
        }
        self.refer_to(theirs).ok()?;
        let _reset = ResetOnDrop(self);
        (agent_sockets::inode(&self.shared) == Some(socket.inode)).then(act)
    }

    fn refer_to(&self, file: BorrowedFd<'_>) -> nix::Result<()> {
        // SAFETY: `shared` is open as long as `self` lives, and is not closed here.
        let shared = unsafe { OwnedFd::from_raw_fd(self.shared.as_raw_fd()) };
        dup3(file, &mut ManuallyDrop::new(shared), OFlag::O_CLOEXEC)
    }
}

impl AsFd for SharedDescriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.as_fd()
    }
}

/// Releases the socket, even if the step panics.
struct ResetOnDrop<'a>(&'a SharedDescriptor);

impl Drop for ResetOnDrop<'_> {
    fn drop(&mut self) {
        // Both are open, so that this cannot fail.
        let _ = self.0.refer_to(self.0.placeholder.as_fd());
    }
}
