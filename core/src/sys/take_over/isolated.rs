//! A process that takes control in itself, without a child for each socket: that of a broker, which does nothing
//! else, and which no signal for the broker reaches.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::unistd::{Pid, setpgid};

use super::files;

/// What the process and the one that made it share.
pub(super) struct Shared {
    /// The switch has to be set back.
    pub(super) is_switched: AtomicBool,
    /// How many times the switch has been set back for a taker that was killed.
    pub(super) restored: AtomicU64,
}

static OWN: Shared = Shared { is_switched: AtomicBool::new(false), restored: AtomicU64::new(0) };
static SHARED: OnceLock<&'static Shared> = OnceLock::new();
static IS_ISOLATED: AtomicBool = AtomicBool::new(false);

/// Returns what this process shares with another one, or has alone.
pub(super) fn shared() -> &'static Shared {
    SHARED.get().copied().unwrap_or(&OWN)
}

/// Prepares for a fork whose child opens the files of taking control for itself, so that it has a lock of its own, and
/// calls [`isolate`].
pub(crate) fn share() -> io::Result<()> {
    let (protection, flags) =
        (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    let length = size_of::<Shared>();
    // SAFETY: makes a new anonymous mapping, at an address that the kernel chooses.
    let mapped = unsafe { libc::mmap(std::ptr::null_mut(), length, protection, flags, -1, 0) };
    if mapped == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the mapping is page-aligned, as long as the value, zeroed, which is a valid value, never unmapped,
    // and used only as this.
    let _ = SHARED.set(unsafe { &*mapped.cast::<Shared>() });
    Ok(())
}

/// Makes this process, which has one thread, one that takes control in itself. It keeps the files of taking
/// control, `own` and the standard streams, and no other descriptor: clients would wait at the socket of a
/// broker that is gone.
pub(crate) fn isolate(own: BorrowedFd<'_>) -> io::Result<()> {
    let this = Pid::from_raw(0);
    // What ends or stops the broker by its group or its terminal does not reach this process.
    let _ = setpgid(this, this);
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), None);
    let _ = prctl::set_name(c"taker");
    // Waking another processor takes longer than taking control.
    let _ = sched_getcpu().and_then(|processor| {
        let mut here = CpuSet::new();
        here.set(processor)?;
        sched_setaffinity(this, &here)
    });
    let kept = files::kept().map(files::Files::descriptors).unwrap_or_default();
    close_all_but(kept.into_iter().chain([own.as_raw_fd()]).collect())?;
    IS_ISOLATED.store(true, Ordering::Relaxed);
    Ok(())
}

/// Reports whether [`isolate`] has been called in this process.
pub(super) fn is_isolated() -> bool {
    IS_ISOLATED.load(Ordering::Relaxed)
}

fn close_all_but(mut kept: Vec<RawFd>) -> io::Result<()> {
    kept.sort_unstable();
    let mut first = libc::STDERR_FILENO + 1;
    for descriptor in kept {
        close(first, descriptor - 1)?;
        first = descriptor + 1;
    }
    close(first, i32::MAX)
}

/// Closes the descriptors from `first` to `last`.
fn close(first: RawFd, last: RawFd) -> io::Result<()> {
    if first > last {
        return Ok(());
    }
    // SAFETY: takes numbers only. Nothing in this process uses these descriptors afterwards: kept netlink
    // sockets are those of the parent.
    match unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
