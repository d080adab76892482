//! The files that taking control requires. A broker opens them once, when it starts, and none later.

use std::fs::File;
use std::ops::Deref;
use std::os::fd::BorrowedFd;
use std::sync::{Mutex, MutexGuard, OnceLock, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use super::Failure;
use super::record::Record;
use super::switch::Switch;

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
        let lock = File::open("/proc/thread-self/ns/net").map_err(Failure::Os)?;
        Ok(Files { switch, unwritable, lock, record: Record::open(sock) })
    }
}

/// The files of a process that must open none later, and whose turn it is to use them.
struct Kept {
    files: Files,
    turn: Mutex<()>,
}

static KEPT: OnceLock<Kept> = OnceLock::new();
/// How long to pause while another thread takes control, which takes about as long.
const PAUSE: Duration = Duration::from_micros(50);

/// Opens the files for as long as the process lives. It must not change its network namespace afterwards.
pub(super) fn keep(sock: BorrowedFd<'_>) -> Result<(), Failure> {
    let kept = Kept { files: Files::open(sock)?, turn: Mutex::new(()) };
    let _ = KEPT.set(kept);
    Ok(())
}

/// Returns the kept files, to read them.
pub(super) fn kept() -> Option<&'static Files> {
    KEPT.get().map(|kept| &kept.files)
}

/// The files of one taker.
pub(super) enum Taken {
    Opened(Box<Files>),
    Kept(&'static Files, #[allow(dead_code)] MutexGuard<'static, ()>),
}

impl Deref for Taken {
    type Target = Files;

    fn deref(&self) -> &Files {
        match self {
            Taken::Opened(files) => files,
            Taken::Kept(files, _) => files,
        }
    }
}

/// Returns the kept files, or opens others.
///
/// # Errors
/// `Busy` if other threads use the kept files until the deadline.
pub(super) fn take(sock: BorrowedFd<'_>, deadline: Instant) -> Result<Taken, Failure> {
    let Some(Kept { files, turn }) = KEPT.get() else {
        return Ok(Taken::Opened(Box::new(Files::open(sock)?)));
    };
    loop {
        match turn.try_lock() {
            Ok(guard) => return Ok(Taken::Kept(files, guard)),
            // A panic has left nothing behind: the files have no state of this process.
            Err(TryLockError::Poisoned(guard)) => {
                return Ok(Taken::Kept(files, guard.into_inner()));
            }
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => return Err(Failure::Busy),
        }
    }
}
