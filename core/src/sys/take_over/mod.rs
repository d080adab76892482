//! Taking control of one socket: the namespace's path manager is switched for the microsecond in
//! which the socket copies it, and switched back whatever happens to this process.
//!
//! The kernel has no option for it: a Multipath TCP socket copies `net.mptcp.path_manager` when it
//! is made and when it is disconnected (`mptcp_pm_data_reset` in `net/mptcp/pm.c`). So the library
//! writes the switch, disconnects the unconnected socket, and writes the switch back. What makes
//! that safe:
//!
//! - The three steps run in a child that shares this process's memory and descriptors, but is a
//!   process of its own, in another process group, with every signal blocked: a SIGKILL to this
//!   process, by pid or by group, does not reach the child.
//! - A broker has one such process for all sockets, which shares neither memory nor descriptors with it: see
//!   `isolated.rs`.
//! - A lock on the network namespace's own file keeps two takers apart. The wait for it is bounded,
//!   because any process may hold it. The child takes the lock, not the parent: so it is held for
//!   some microseconds, and not until a busy processor gets round to running the child.
//! - Thread cancellation (`pthread_cancel`) is off for the calling thread until the end. The child
//!   shares the thread's local data, and would see the cancellation of its parent: it would unwind
//!   its own stack, in the middle of the three steps.
//! - The switch is only ever moved from the default and back to it. If it no longer has the value
//!   that the child wrote, another program has written it since, and that value stays.
//! - If only the child is killed, the parent sets the switch back. A record, if it can be written, marks
//!   that a switch is under way: if both are killed in the middle, with a whole control group or as the
//!   first process of a container, the next taker sets the switch back. The record is in the network
//!   namespace itself, so that the taker may be in another container. (If another program sets
//!   `userspace` for good between the two, that is undone once: the kernel does not record who wrote it.)

mod child;
mod files;
mod isolated;
mod journal;
mod marker;
mod record;
mod switch;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use self::child::{ChildTask, Outcome};

use self::files::Files;
pub(crate) use self::isolated::{isolate, share};
pub(crate) use self::switch::PathManagerSwitch;
use self::switch::Switch;
use super::cancel::Uncancelled;
use super::poll;
use crate::kernel_name::KernelName;

/// Why control was not taken.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Other processes held the lock until the deadline.
    Busy,
    /// The switch names a path manager that the library does not know.
    UnknownPathManager(KernelName),
    /// The switch cannot be read, or has to be written and cannot be.
    Switch(io::Error),
    /// The switch was set and cannot be set back.
    Stuck(io::Error),
    /// The child cannot be made.
    Child(io::Error),
    /// The lock cannot be taken, although no other process holds it.
    Lock(io::Error),
    /// The child was killed, by that signal if it is known.
    Killed(Option<i32>),
    /// The socket cannot be disconnected.
    Os(io::Error),
}

impl Failure {
    /// Returns the kernel's error of a failure to open the files.
    fn error(self) -> io::Error {
        match self {
            Failure::Switch(error) | Failure::Os(error) => error,
            _ => io::ErrorKind::Other.into(),
        }
    }
}

/// How control was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TakeOver {
    /// The namespace was on the userspace path manager already: nothing was written.
    Already,
    /// The switch was set, and still was after the socket had copied it.
    Switched,
    /// Another program wrote the switch in between: the caller has to try again.
    Disturbed,
}

/// Makes one unconnected, unlistening socket copy the userspace path manager. Waits for the lock
/// until `timeout`.
///
/// The caller has checked that the socket is one, and that it lives in the calling thread's
/// namespace.
pub(crate) fn attempt(sock: BorrowedFd<'_>, timeout: Duration) -> Result<TakeOver, Failure> {
    let _uncancelled = Uncancelled::new();
    let deadline = poll::deadline_in(timeout);
    let taken = files::take(sock)?;
    let Files { switch, unwritable, lock, record } = &*taken;
    let task = ChildTask::new(sock, lock, switch, unwritable.is_none(), record.as_ref());
    let signal = loop {
        let result = task.run_in_child();
        // The child may have been killed before it could.
        isolated::shared().restored.fetch_add(task.is_switched().into(), Ordering::Relaxed);
        task.restore();
        let signal = result.map_err(Failure::Child)?;
        match task.outcome.get() {
            Outcome::LockBusy if Instant::now() < deadline => {}
            Outcome::LockBusy => return Err(Failure::Busy),
            // Some system call filters kill a process that changes its priority: the child is made
            // once more, without that.
            Outcome::Killed if signal == Some(libc::SIGSYS) && task.wants_realtime.get() => {
                child::forbid_realtime();
                task.wants_realtime.set(false);
            }
            _ => break signal,
        }
    };
    let errno = io::Error::from_raw_os_error(task.errno.get());
    if task.is_switched() {
        return Err(Failure::Stuck(errno));
    }
    match task.outcome.get() {
        Outcome::Done => Ok(TakeOver::Switched),
        Outcome::Already => Ok(TakeOver::Already),
        Outcome::Disturbed => Ok(TakeOver::Disturbed),
        Outcome::UnknownPathManager => match switch.read().map_err(Failure::Switch)? {
            PathManagerSwitch::Other(name) => Err(Failure::UnknownPathManager(name)),
            _ => Ok(TakeOver::Disturbed),
        },
        Outcome::Unwritable => {
            Err(Failure::Switch(unwritable.map_or(errno, io::Error::from_raw_os_error)))
        }
        Outcome::SwitchFailed => Err(Failure::Switch(errno)),
        Outcome::LockFailed => Err(Failure::Lock(errno)),
        Outcome::Failed => Err(Failure::Os(errno)),
        Outcome::LockBusy | Outcome::Killed => Err(Failure::Killed(signal)),
    }
}

/// Reads the switch of the calling thread's network namespace, without any privilege.
pub(crate) fn read_switch() -> io::Result<PathManagerSwitch> {
    match files::kept() {
        Some(files) => files.switch.read(),
        None => Switch::open(false)?.read(),
    }
}

/// Reports whether the switch can be written, by opening it.
pub(crate) fn may_write_switch() -> io::Result<()> {
    match files::kept() {
        Some(files) => {
            files.unwritable.map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno)))
        }
        None => Switch::open(true).map(drop),
    }
}

/// Opens the files of taking control for as long as this process lives, which opens none later.
pub(crate) fn keep(sock: BorrowedFd<'_>) -> io::Result<()> {
    files::keep(sock).map_err(Failure::error)
}

/// Sets the switch back if the isolated process of this one was killed while it was set.
pub(crate) fn heal(timeout: Duration) {
    let Some(files) = files::kept() else { return };
    let Ok(_turn) = files::take(files.lock.as_fd()) else { return };
    let shared = isolated::shared();
    // Otherwise another thread has just done so. The dead process may still hold the lock for a moment.
    if !shared.is_switched.load(Ordering::Relaxed)
        || !child::lock_by(&files.lock, poll::deadline_in(timeout))
    {
        return;
    }
    let is_set = matches!(files.switch.read(), Ok(PathManagerSwitch::Userspace));
    if !is_set || files.switch.write_kernel() {
        shared.restored.fetch_add(is_set.into(), Ordering::Relaxed);
        shared.is_switched.store(false, Ordering::Relaxed);
        if let Some(record) = &files.record {
            record.end();
        }
    }
    child::unlock(&files.lock);
}

/// Makes the calling thread a real-time thread with the lowest priority, or an ordinary one again. Returns
/// whether the process has the privilege to do so.
pub(crate) fn set_realtime(is_realtime: bool) -> bool {
    child::set_realtime(is_realtime)
}

/// How many times this process has set the switch back for a taker that was killed.
pub(crate) fn restored() -> u64 {
    isolated::shared().restored.load(Ordering::Relaxed)
}

/// Sets the switch back if it is recorded that a switch is under way: its taker was killed. Returns whether it
/// was set back.
pub(crate) fn restore(timeout: Duration) -> io::Result<bool> {
    let deadline = poll::deadline_in(timeout);
    let sock = super::socket::new(libc::AF_UNIX, libc::SOCK_SEQPACKET, 0)?;
    let Files { switch, unwritable, lock, record } =
        Files::open(sock.as_fd()).map_err(Failure::error)?;
    if let Some(errno) = unwritable {
        return Err(io::Error::from_raw_os_error(errno));
    }
    let Some(record) = record else { return Ok(false) };
    let _locked = loop {
        match Flock::lock(lock.try_clone()?, FlockArg::LockExclusiveNonblock) {
            Ok(locked) => break locked,
            Err((_, Errno::EWOULDBLOCK)) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err((_, Errno::EWOULDBLOCK)) => return Err(Errno::EBUSY.into()),
            Err((_, error)) => return Err(error.into()),
        }
    };
    if !record.is_under_way() {
        return Ok(false);
    }
    let is_set = switch.read()? == PathManagerSwitch::Userspace;
    if is_set && !switch.write_kernel() {
        return Err(io::Error::last_os_error());
    }
    record.end();
    isolated::shared().restored.fetch_add(is_set.into(), Ordering::Relaxed);
    Ok(is_set)
}
