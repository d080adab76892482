//! The child process that switches the path manager, disconnects the socket and switches back.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};

use super::record::Record;
use super::switch::{PathManagerSwitch, Switch};
use super::{files, isolated};

use crate::sys::{socket, valgrind};

const STACK: usize = 32 * 1024;
/// How many times one child tries to take the lock, and how long it pauses in between. Signals are
/// delivered to this process between two children.
const LOCK_TRIES: usize = 64;
const LOCK_PAUSE: libc::timespec = libc::timespec { tv_sec: 0, tv_nsec: 50_000 };

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The child was killed before it had finished.
    Killed,
    /// Another process holds the lock.
    LockBusy,
    Done,
    Already,
    Disturbed,
    /// The switch names a path manager that the library does not know.
    UnknownPathManager,
    /// The switch would have to be written, and cannot be.
    Unwritable,
    SwitchFailed,
    /// The lock cannot be taken, although no other process holds it.
    LockFailed,
    Failed,
}

/// What the child does, and its result. In cells, because the parent and the child share it; the
/// parent does not run while the child does.
pub(super) struct ChildTask<'a> {
    socket: BorrowedFd<'a>,
    /// The file of the network namespace.
    lock: &'a File,
    switch: &'a Switch,
    is_writable: bool,
    record: Option<&'a Record>,
    /// Run as a real-time process while the switch is set.
    pub(super) wants_realtime: Cell<bool>,
    is_realtime: Cell<bool>,
    /// The switch has to be set back.
    is_switched: Cell<bool>,
    /// It is recorded that a switch is under way, which has to be cleared.
    is_recorded: Cell<bool>,
    pub(super) outcome: Cell<Outcome>,
    pub(super) errno: Cell<i32>,
}

impl<'a> ChildTask<'a> {
    pub(super) fn new(
        socket: BorrowedFd<'a>,
        lock: &'a File,
        switch: &'a Switch,
        is_writable: bool,
        record: Option<&'a Record>,
    ) -> ChildTask<'a> {
        ChildTask {
            socket,
            lock,
            switch,
            is_writable,
            record,
            wants_realtime: Cell::new(may_be_realtime()),
            is_realtime: Cell::new(false),
            is_switched: Cell::new(false),
            is_recorded: Cell::new(false),
            outcome: Cell::new(Outcome::Killed),
            errno: Cell::new(0),
        }
    }

    /// Runs the task in a child made as vfork makes one: it shares memory and descriptors, and the
    /// calling thread waits in the kernel until the child has exited. Its exit sends no signal, so
    /// that no SIGCHLD handler of the program runs and no `wait` of the program returns it. Returns
    /// the signal that killed it, if one did.
    pub(super) fn run_in_child(&self) -> io::Result<Option<i32>> {
        let mut stack = vec![0u128; STACK / size_of::<u128>()];
        let mut before = SigSet::empty();
        pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))?;
        // Valgrind ends a program that makes such a child. A process that is killed under valgrind leaves
        // the switch to the next taker.
        if isolated::is_isolated() || valgrind::is_present() {
            self.run_locked();
            pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
            return Ok(None);
        }
        let argument: *const ChildTask<'_> = self;
        let top = stack.as_mut_ptr_range().end;
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_FILES;
        // SAFETY: `top` is the 16-byte aligned end of a stack that outlives the child, because
        // CLONE_VFORK keeps this thread waiting until the child has exited; so does `self`. The
        // child makes system calls only: it takes no lock of this process and allocates nothing.
        let child =
            unsafe { libc::clone(child_main, top.cast(), flags, argument.cast_mut().cast()) };
        let failed = (child < 0).then(io::Error::last_os_error);
        let signal = if child > 0 { reap(child) } else { None };
        pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
        failed.map_or(Ok(signal), Err)
    }

    /// Whether the switch has to be set back.
    pub(super) fn is_switched(&self) -> bool {
        self.is_switched.get()
    }

    fn set_switched(&self, is_switched: bool) {
        self.is_switched.set(is_switched);
        if isolated::is_isolated() {
            isolated::shared().is_switched.store(is_switched, Ordering::Relaxed);
        }
    }

    /// Takes the lock, or gives up after some tries. The kernel sends no notice when a file lock is
    /// released.
    fn lock(&self) -> bool {
        for _ in 0..LOCK_TRIES {
            // SAFETY: flock takes numbers only.
            if unsafe { libc::flock(self.lock.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
                return true;
            }
            self.fail(Outcome::LockBusy);
            if self.errno.get() != libc::EWOULDBLOCK {
                self.outcome.set(Outcome::LockFailed);
                return false;
            }
            // SAFETY: the time is a constant, and the time left is not asked for.
            unsafe { libc::nanosleep(&LOCK_PAUSE, std::ptr::null_mut()) };
        }
        false
    }

    fn run_locked(&self) {
        if self.lock() {
            self.run();
            self.restore();
        }
    }

    fn run(&self) {
        self.outcome.set(Outcome::Killed);
        match self.read_switch() {
            Some(PathManagerSwitch::Userspace) => {
                if !self.is_writable || !self.record.is_some_and(Record::is_under_way) {
                    self.disconnect(Outcome::Already);
                    // Another program may have written it in between.
                    let stood = self.read_switch() == Some(PathManagerSwitch::Userspace);
                    if !stood && self.outcome.get() == Outcome::Already {
                        self.outcome.set(Outcome::Disturbed);
                    }
                    return;
                }
                // The taker that set it was killed before it could set it back.
                self.set_switched(true);
                if self.restore_switch() {
                    isolated::shared().restored.fetch_add(1, Ordering::Relaxed);
                }
            }
            Some(PathManagerSwitch::Kernel) => {}
            Some(PathManagerSwitch::Other(_)) | None => {
                return self.outcome.set(Outcome::UnknownPathManager);
            }
        }
        if !self.is_writable {
            return self.outcome.set(Outcome::Unwritable);
        }
        if let Some(record) = self.record {
            self.is_recorded.set(true);
            record.begin();
        }
        self.set_switched(true);
        if !self.switch.write_userspace() {
            return self.fail(Outcome::SwitchFailed);
        }
        self.disconnect(Outcome::Done);
        let stood = self.restore_switch();
        if !stood && self.outcome.get() == Outcome::Done {
            self.outcome.set(Outcome::Disturbed);
        }
    }

    fn disconnect(&self, outcome: Outcome) {
        match socket::disconnect(self.socket) {
            Ok(()) => self.outcome.set(outcome),
            Err(_) => self.fail(Outcome::Failed),
        }
    }

    /// Undoes what must not stay: the switch, the record, the lock. The child calls it at its end,
    /// and the parent after it, in case the child was killed. If the switch cannot be set back, the
    /// record stays.
    pub(super) fn restore(&self) {
        self.restore_switch();
        if let (false, true, Some(record)) =
            (self.is_switched(), self.is_recorded.get(), self.record)
        {
            record.end();
            self.is_recorded.set(false);
        }
        unlock(self.lock);
    }

    /// Sets the switch back if it is set. Returns whether it still had the value that the child
    /// wrote.
    fn restore_switch(&self) -> bool {
        if !self.is_switched() {
            return false;
        }
        let stood = self.read_switch() == Some(PathManagerSwitch::Userspace);
        if stood && !self.switch.write_kernel() {
            self.errno.set(last_errno());
        } else {
            self.set_switched(false);
        }
        stood
    }

    fn read_switch(&self) -> Option<PathManagerSwitch> {
        self.switch.read().ok()
    }

    fn fail(&self, outcome: Outcome) {
        self.errno.set(last_errno());
        self.outcome.set(outcome);
    }
}

/// Takes the lock until the deadline. Returns whether it has it.
pub(super) fn lock_by(lock: &File, deadline: Instant) -> bool {
    const PAUSE: Duration = Duration::from_millis(1);
    // SAFETY: flock takes numbers only.
    while unsafe { libc::flock(lock.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(PAUSE);
    }
    true
}

/// Releases the lock. Closing the file does not always do so: if another thread has forked since, its child process
/// holds the same open file, and with it the lock.
pub(super) fn unlock(lock: &File) {
    // SAFETY: flock takes numbers only.
    unsafe { libc::flock(lock.as_raw_fd(), libc::LOCK_UN) };
}

fn reap(child: libc::pid_t) -> Option<i32> {
    let mut status = 0;
    // A child without an exit signal is waited for with __WCLONE. Signals are blocked, so that
    // nothing interrupts the wait.
    // SAFETY: waitpid takes numbers, and writes the status to which the pointer points.
    let ended = unsafe { libc::waitpid(child, &mut status, libc::__WCLONE) };
    (ended == child && libc::WIFSIGNALED(status)).then(|| libc::WTERMSIG(status))
}

extern "C" fn child_main(argument: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `argument` is the task of `run_in_child`, which waits until this process has exited.
    let task = unsafe { &*argument.cast::<ChildTask<'_>>() };
    // The child leaves the process group, so that a signal to the group no longer reaches it; nothing has been
    // written until here. A session of its own would take the kernel three times as long.
    // SAFETY: takes numbers only; 0 is the caller.
    unsafe { libc::setpgid(0, 0) };
    task.is_realtime.set(task.wants_realtime.get() && becomes_realtime());
    if !task.is_realtime.get() {
        // Having yielded, the child starts a fresh time slice and is unlikely to be preempted.
        // SAFETY: takes no argument.
        unsafe { libc::sched_yield() };
    }
    task.run_locked();
    // The end of a real-time process takes the kernel several times as long. The broker's is one from its start, and
    // stays one: a flood would otherwise keep it from ending, and the next client waits for that.
    if task.is_realtime.get() {
        set_scheduling(libc::SCHED_OTHER, 0);
    }
    0
}

/// Whether a filter of system calls has killed a child that became a real-time process.
static IS_REALTIME_DEADLY: AtomicBool = AtomicBool::new(false);

/// Remembers that a filter of system calls has killed a child that became a real-time process.
pub(super) fn forbid_realtime() {
    IS_REALTIME_DEADLY.store(true, Ordering::Relaxed);
}

/// Reports whether the child may ask for another priority. Some filters of system calls kill a process
/// that does, and the kernel then writes all memory of this process to a core file. The filter of a process
/// that keeps the files is the broker's, which denies nothing that way.
fn may_be_realtime() -> bool {
    // SAFETY: takes numbers only.
    let filter = unsafe { libc::prctl(libc::PR_GET_SECCOMP, 0, 0, 0, 0) };
    (filter == 0 || files::kept().is_some()) && !IS_REALTIME_DEADLY.load(Ordering::Relaxed)
}

/// Makes the child a real-time process. A child of a real-time process is one already, perhaps with a
/// higher priority.
fn becomes_realtime() -> bool {
    // SAFETY: takes a number; 0 is the caller.
    let policy = unsafe { libc::sched_getscheduler(0) } & !libc::SCHED_RESET_ON_FORK;
    matches!(policy, libc::SCHED_OTHER | libc::SCHED_BATCH | libc::SCHED_IDLE)
        && set_scheduling(libc::SCHED_FIFO, 1)
}

/// Makes the calling thread a real-time thread with the lowest priority, or an ordinary one again.
pub(super) fn set_realtime(is_realtime: bool) -> bool {
    if is_realtime {
        set_scheduling(libc::SCHED_FIFO, 1)
    } else {
        set_scheduling(libc::SCHED_OTHER, 0)
    }
}

/// Changes how the child is scheduled, so that the switch is set for microseconds, and not for the
/// time slices of other programs. Returns whether the process has the privilege to do so.
fn set_scheduling(policy: i32, priority: i32) -> bool {
    let parameters = libc::sched_param { sched_priority: priority };
    // SAFETY: the pointer describes `parameters`; 0 is the caller, this child alone.
    unsafe { libc::sched_setscheduler(0, policy, &parameters) == 0 }
}

fn last_errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{becomes_realtime, set_scheduling};

    /// A child of a real-time program got a lower priority than the program had.
    #[test]
    fn a_real_time_process_keeps_its_priority() {
        let thread = std::thread::spawn(|| {
            if !set_scheduling(libc::SCHED_FIFO, 7) {
                return eprintln!("skip: this process may not become a real-time process");
            }
            assert!(!becomes_realtime());
            let mut parameters = libc::sched_param { sched_priority: 0 };
            // SAFETY: the pointer leads to `parameters`; 0 is the caller.
            assert_eq!(unsafe { libc::sched_getparam(0, &mut parameters) }, 0);
            assert_eq!(parameters.sched_priority, 7);
            assert!(set_scheduling(libc::SCHED_OTHER, 0));
            assert!(becomes_realtime());
        });
        thread.join().unwrap();
    }
}
