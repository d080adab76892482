//! The guardian of a broker: a process that sets the switch back if the broker is killed.
//!
//! It takes the place of the child that other programs make for each socket. Making one takes as long as all
//! the rest. (A broker that is stopped, and not killed, in the microseconds in which the switch is set leaves it
//! set until it goes on. The permission to stop it is that to change the setting anyway.)

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, pipe2, setpgid};

use super::files::Files;

/// How long the guardian waits for the lock on the network namespace.
const LOCK_BOUND: Duration = Duration::from_secs(1);

struct Guardian {
    process: Pid,
    /// The guardian reads the end of this pipe when the process that holds it is gone.
    _life: OwnedFd,
}

static GUARDIAN: OnceLock<Guardian> = OnceLock::new();

/// Starts the guardian of this process, which must have one thread only.
pub(super) fn start(files: &'static Files) -> io::Result<()> {
    let (watched, life) = pipe2(OFlag::O_CLOEXEC)?;
    // SAFETY: no other thread can have held a lock at the fork.
    match unsafe { fork() }? {
        ForkResult::Child => {
            drop(life);
            watch(File::from(watched), files);
            // SAFETY: takes a number. What the broker runs at its exit is not run.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { child } => {
            let _ = GUARDIAN.set(Guardian { process: child, _life: life });
            Ok(())
        }
    }
}

/// Reports whether this process has a guardian that still runs.
pub(super) fn is_alive() -> bool {
    let state = |guardian: &Guardian| waitpid(guardian.process, Some(WaitPidFlag::WNOHANG));
    GUARDIAN.get().is_some_and(|guardian| state(guardian) == Ok(WaitStatus::StillAlive))
}

/// Waits for the end of the broker.
fn watch(mut life: File, files: &Files) {
    // What ends the broker by its group or by its terminal must not end its guardian before it.
    let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), None);
    let _ = prctl::set_name(c"guardian");
    // The clients of a broker that is gone would otherwise wait at its socket.
    let mut kept = files.descriptors();
    kept.push(life.as_raw_fd());
    close_all_but(kept);
    let _ = life.read(&mut [0]);
    let _ = super::restore_by(files, Instant::now() + LOCK_BOUND);
}

fn close_all_but(mut kept: Vec<i32>) {
    kept.sort_unstable();
    let mut first = 0;
    for descriptor in kept {
        close(first, descriptor - 1);
        first = descriptor + 1;
    }
    close(first, i32::MAX);
}

/// Closes the descriptors from `first` to `last`.
fn close(first: i32, last: i32) {
    if first <= last {
        // SAFETY: takes numbers only. This process uses none of these descriptors afterwards.
        unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    }
}
