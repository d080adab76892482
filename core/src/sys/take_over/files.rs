//! The files that taking control requires. A broker opens them once, when it starts, and none later.

use std::fs::File;
use std::ops::Deref;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::Failure;
use super::record::Record;
use super::switch::Switch;
use crate::sys::namespace;

/// What one taker uses. A lock on a file is one of the open file, so two takers must not share it.
pub(super) struct Files {
    pub(super) switch: Switch,
    /// Why the switch cannot be written.
    pub(super) unwritable: Option<i32>,
    /// The file of the network namespace.
    pub(super) lock: File,
    pub(super) record: Option<Record>,
}

impl Files {
    /// Opens the files of the calling thread's network namespace, in which the socket is.
    pub(super) fn open(sock: BorrowedFd<'_>) -> Result<Files, Failure> {
        let (switch, unwritable) = match Switch::open(true) {
            Ok(switch) => (switch, None),
            // If the namespace is on the userspace path manager, nothing has to be written.
            Err(error) => match error.raw_os_error() {
                Some(errno @ (libc::EROFS | libc::EACCES)) => {
                    (Switch::open(false).map_err(Failure::Switch)?, Some(errno))
                }
                _ => return Err(Failure::Switch(error)),
            },
        };
        let lock = namespace::open(sock).map_err(Failure::Os)?;
        Ok(Files { switch, unwritable, lock, record: Record::open(sock) })
    }

    pub(super) fn descriptors(&self) -> Vec<RawFd> {
        let record = self.record.as_ref().map(AsRawFd::as_raw_fd);
        [self.switch.as_raw_fd(), self.lock.as_raw_fd()].into_iter().chain(record).collect()
    }
}

/// The files of a process that must open none later. Its takers share the lock on the namespace, so that they
/// take turns.
static KEPT: OnceLock<(Files, Mutex<()>)> = OnceLock::new();

/// Opens the files for as long as the process lives. It must not change its network namespace afterwards.
pub(super) fn keep(sock: BorrowedFd<'_>) -> Result<(), Failure> {
    let _ = KEPT.set((Files::open(sock)?, Mutex::new(())));
    Ok(())
}

/// Returns the kept files, to read them.
pub(super) fn kept() -> Option<&'static Files> {
    KEPT.get().map(|(files, _)| files)
}

/// The files of one taker.
pub(super) enum Taken {
    Opened(Box<Files>),
    Kept { files: &'static Files, _turn: MutexGuard<'static, ()> },
}

impl Deref for Taken {
    type Target = Files;

    fn deref(&self) -> &Files {
        match self {
            Taken::Opened(files) => files,
            Taken::Kept { files, .. } => files,
        }
    }
}

/// Returns the kept files, or opens others.
pub(super) fn take(sock: BorrowedFd<'_>) -> Result<Taken, Failure> {
    Ok(match KEPT.get() {
        Some((files, turn)) => {
            // A panic leaves nothing behind: the files have no state of this process.
            Taken::Kept { files, _turn: turn.lock().unwrap_or_else(PoisonError::into_inner) }
        }
        None => Taken::Opened(Box::new(Files::open(sock)?)),
    })
}
