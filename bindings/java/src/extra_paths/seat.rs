//! A descriptor of ours on which the socket sits that is just being worked on.
//!
//! Whoever opens a subflow borrows a descriptor for as long as that takes. A duplicate of the
//! application's, held all the time, would keep open what the application closes: its peer would not
//! see the end before the opening is over. So all openings borrow the same descriptor, and the socket
//! of the one that takes a step is duplicated onto it for that step.

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::fcntl::OFlag;
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::unistd::dup3;

use super::known::{self, Made};

pub(super) struct Seat {
    place: OwnedFd,
    /// What sits there between two steps.
    nobody: OwnedFd,
}

impl Seat {
    pub(super) fn new() -> io::Result<Seat> {
        let nobody = OwnedFd::from(EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC)?);
        Ok(Seat { place: nobody.try_clone()?, nobody })
    }

    /// Does something while the socket sits here; nothing where the application has closed it.
    pub(super) fn seat<T>(&self, made: Made, act: impl FnOnce() -> T) -> Option<T> {
        // SAFETY: it is not -1. It may be closed, or be another file: it is asked which, and what
        // came to sit here is asked again.
        let theirs = unsafe { BorrowedFd::borrow_raw(made.number) };
        // Asked first, because of a file whose duplicate is closed its locks are lost.
        if known::inode(theirs) != Some(made.inode) {
            return None;
        }
        self.put(theirs).ok()?;
        let _rises = Rises(self);
        (known::inode(&self.place) == Some(made.inode)).then(act)
    }

    fn put(&self, file: BorrowedFd<'_>) -> nix::Result<()> {
        // SAFETY: `place` stays open all the time, whatever sits there, and is not closed by this.
        let place = unsafe { OwnedFd::from_raw_fd(self.place.as_raw_fd()) };
        dup3(file, &mut ManuallyDrop::new(place), OFlag::O_CLOEXEC)
    }
}

impl AsFd for Seat {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.place.as_fd()
    }
}

/// Frees the seat, also where a step panics.
struct Rises<'a>(&'a Seat);

impl Drop for Rises<'_> {
    fn drop(&mut self) {
        // Both are ours and open, for which the kernel has no error.
        let _ = self.0.put(self.0.nobody.as_fd());
    }
}
