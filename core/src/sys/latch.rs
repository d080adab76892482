//! Taking control of one socket: the namespace's path manager is switched for the microsecond in
//! which the socket takes it over, and switched back whatever happens to us.
//!
//! The kernel has no option for it: a Multipath TCP socket copies `net.mptcp.path_manager` when it
//! is made and when it is disconnected (`mptcp_pm_data_reset` in `net/mptcp/pm.c`). So the switch
//! is written, the unconnected socket is disconnected, and the switch is written back. What makes
//! that safe:
//!
//! - The three steps run in a child that shares our memory and descriptors but is a process of its
//!   own, outside our process group, with every signal blocked: SIGKILL to us, by pid or by group,
//!   does not reach it.
//! - A lock on the network namespace's own file keeps two of us apart; it is waited for with a
//!   bound, because anybody may hold it. The child takes it, not we: so it is held for some
//!   microseconds, and not for as long as a busy processor takes to get round to the child.
//! - The thread is not cancelled (`pthread_cancel`) meanwhile. The child shares its thread-local data
//!   as well, and would see the cancellation of its parent: it would unwind its own stack, in the
//!   middle of the three steps.
//! - The switch is only ever moved from the default and back to it. Where it no longer stands as
//!   we left it, somebody else has written it, and their word stays.
//! - If only the child is killed, we set the switch back. A journal, where there is a place for
//!   one, says that a switch is under way: if a whole control group is killed in the middle, the
//!   next taker heals it. (Where somebody sets `userspace` for good between the two, that is undone
//!   once: the kernel does not tell who wrote it.)

use std::cell::Cell;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};

use super::cancel::Uncancelled;
use super::{namespace, poll, socket};

/// The two names of the switch, the newer one (Linux 6.15) first, with its values.
const SWITCHES: [Switch; 2] = [
    Switch {
        path: "/proc/sys/net/mptcp/path_manager",
        kernel: b"kernel\n",
        userspace: b"userspace\n",
    },
    Switch { path: "/proc/sys/net/mptcp/pm_type", kernel: b"0\n", userspace: b"1\n" },
];
const STACK: usize = 32 * 1024;
/// Only root may write there: a journal is read by those who can write the switch.
const JOURNALS: &str = "/run/subflows";
/// How many journals of namespaces that may be gone are looked at when one is made, and after
/// which time without use they are removed.
const OLD_JOURNALS: usize = 64;
const OLD: Duration = Duration::from_secs(60);
/// How often an unknown value is read again: it may have been read while it was written.
const READS: usize = 64;
/// How often one child asks for the lock, and how long it waits in between. Signals reach us
/// between two children.
const LOCK_TRIES: usize = 64;
const LOCK_PAUSE: libc::timespec = libc::timespec { tv_sec: 0, tv_nsec: 50_000 };

struct Switch {
    path: &'static str,
    kernel: &'static [u8],
    userspace: &'static [u8],
}

/// Which path manager new sockets of the namespace get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PathManagerSwitch {
    Kernel,
    Userspace,
    /// One that we do not know: it is left alone.
    Other(String),
}

/// Why control was not taken.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Somebody held the lock for as long as we were willing to wait.
    Busy,
    /// The switch stands at a path manager that we do not know.
    UnknownPathManager(String),
    /// The switch cannot be read, or would have to be written and cannot be.
    Switch(io::Error),
    /// The switch was set and cannot be set back.
    Stuck(io::Error),
    /// The socket cannot be disconnected, or the child cannot be made or was killed.
    Os(io::Error),
}

/// What was done, in the order of what a caller may rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Latched {
    /// The namespace was on the userspace path manager already: nothing was written.
    Already,
    /// The switch was set, and still stood when the socket had taken it over.
    Switched,
    /// Somebody else wrote the switch in between: try again.
    Disturbed,
}

/// Reads the switch of the calling thread's network namespace, without any privilege.
pub(crate) fn read_switch() -> io::Result<PathManagerSwitch> {
    let (file, switch) = open_switch(false)?;
    switch.read(&file)
}

/// Tries whether the switch could be written.
pub(crate) fn may_write_switch() -> io::Result<()> {
    open_switch(true).map(drop)
}

fn open_switch(write: bool) -> io::Result<(File, &'static Switch)> {
    let mut last = io::Error::from_raw_os_error(libc::ENOENT);
    for switch in &SWITCHES {
        match OpenOptions::new().read(true).write(write).open(switch.path) {
            Ok(file) => return Ok((file, switch)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

impl Switch {
    fn read(&self, file: &File) -> io::Result<PathManagerSwitch> {
        let mut name = String::new();
        for _ in 0..READS {
            let mut value = [0u8; 64];
            let length = file.read_at(&mut value, 0)?;
            match &value[..length] {
                value if value == self.kernel => return Ok(PathManagerSwitch::Kernel),
                value if value == self.userspace => return Ok(PathManagerSwitch::Userspace),
                other => name = String::from_utf8_lossy(other).trim().to_owned(),
            }
        }
        Ok(PathManagerSwitch::Other(name))
    }
}

/// Makes one unconnected, unlistening socket take the userspace path manager. The caller has
/// checked that it is one, and that it lives in the calling thread's namespace.
pub(crate) fn latch(sock: BorrowedFd<'_>, bound: Duration) -> Result<Latched, Failure> {
    let _uncancelled = Uncancelled::new();
    let deadline = poll::deadline_in(bound);
    let (file, switch, unwritable) = match open_switch(true) {
        Ok((file, switch)) => (file, switch, None),
        // Where the namespace is on the userspace path manager, nothing has to be written.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EROFS | libc::EACCES)) => {
            let (file, switch) = open_switch(false).map_err(Failure::Switch)?;
            (file, switch, Some(error))
        }
        Err(error) => return Err(Failure::Switch(error)),
    };
    let lock = File::open("/proc/thread-self/ns/net").map_err(Failure::Os)?;
    let journal = Journal::open(sock);
    let steps = Steps {
        socket: sock,
        lock: lock.as_raw_fd(),
        file: &file,
        switch,
        is_writable: unwritable.is_none(),
        journal: journal.as_ref(),
        is_urgent: Cell::new(true),
        is_switched: Cell::new(false),
        is_noted: Cell::new(false),
        outcome: Cell::new(Outcome::Killed),
        errno: Cell::new(0),
    };
    loop {
        let result = run_in_child(&steps);
        steps.settle();
        let end = result.map_err(Failure::Os)?;
        match steps.outcome.get() {
            Outcome::Locked if Instant::now() >= deadline => return Err(Failure::Busy),
            Outcome::Locked => {}
            // A filter of system calls kills who asks for another priority.
            Outcome::Killed if end == Some(libc::SIGSYS) && steps.is_urgent.replace(false) => {}
            _ => break,
        }
    }
    if steps.is_switched.get() {
        return Err(Failure::Stuck(io::Error::from_raw_os_error(steps.errno.get())));
    }
    let errno = io::Error::from_raw_os_error(steps.errno.get());
    match steps.outcome.get() {
        Outcome::Done => Ok(Latched::Switched),
        Outcome::Already => Ok(Latched::Already),
        Outcome::Disturbed => Ok(Latched::Disturbed),
        Outcome::Unknown => match switch.read(&file).map_err(Failure::Switch)? {
            PathManagerSwitch::Other(name) => Err(Failure::UnknownPathManager(name)),
            _ => Ok(Latched::Disturbed),
        },
        Outcome::Unwritable => Err(Failure::Switch(unwritable.unwrap_or(errno))),
        Outcome::SwitchFailed => Err(Failure::Switch(errno)),
        Outcome::Failed => Err(Failure::Os(errno)),
        Outcome::Locked | Outcome::Killed => {
            Err(Failure::Os(io::Error::from_raw_os_error(libc::ECHILD)))
        }
    }
}

/// Where there is a place that only root can write: one byte per namespace, `1` while a switch is
/// under way. Read and written under the lock.
struct Journal(File);

impl Journal {
    fn open(sock: BorrowedFd<'_>) -> Option<Journal> {
        let path = format!("{JOURNALS}/path-manager.{}", namespace::cookie(sock)?);
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        match options.open(&path) {
            Ok(file) => Some(Journal(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match fs::DirBuilder::new().mode(0o700).create(JOURNALS) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => remove_old(),
                    result => result.ok()?,
                }
                options.create(true).open(&path).ok().map(Journal)
            }
            Err(_) => None,
        }
    }

    fn is_under_way(&self) -> bool {
        let mut byte = [0u8];
        self.0.read_at(&mut byte, 0).is_ok_and(|length| length == 1 && byte == *b"1")
    }
}

/// Nobody tells when a namespace is gone. One that is not makes its journal again.
fn remove_old() {
    let Ok(entries) = fs::read_dir(JOURNALS) else { return };
    for entry in entries.flatten().take(OLD_JOURNALS) {
        let is_old = entry
            .metadata()
            .and_then(|about| about.modified())
            .is_ok_and(|last| last.elapsed().is_ok_and(|age| age > OLD));
        if is_old && fs::read(entry.path()).is_ok_and(|text| text != b"1") {
            // Somebody else may have done so.
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The child did not come to its end.
    Killed,
    /// Somebody else holds the lock.
    Locked,
    Done,
    Already,
    Disturbed,
    /// The switch stands at a path manager that we do not know.
    Unknown,
    /// The switch would have to be written, and cannot be.
    Unwritable,
    SwitchFailed,
    Failed,
}

/// What the child does, and what came of it. In cells, because two processes share it.
struct Steps<'a> {
    socket: BorrowedFd<'a>,
    lock: RawFd,
    file: &'a File,
    switch: &'static Switch,
    is_writable: bool,
    journal: Option<&'a Journal>,
    /// Ask for the processor's attention while the switch is set.
    is_urgent: Cell<bool>,
    /// The switch is to be set back.
    is_switched: Cell<bool>,
    /// The journal is to be removed.
    is_noted: Cell<bool>,
    outcome: Cell<Outcome>,
    errno: Cell<i32>,
}

/// Runs the steps in a child made like vfork's: it shares memory and descriptors, and we wait in
/// the kernel until it is gone. Its exit sends no signal, so no SIGCHLD handler and no reaper of
/// the program sees it. Gives the signal that ended it, if one did.
fn run_in_child(steps: &Steps<'_>) -> io::Result<Option<i32>> {
    let mut stack = vec![0u128; STACK / size_of::<u128>()];
    let mut before = SigSet::empty();
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))?;
    let argument: *const Steps<'_> = steps;
    let top = stack.as_mut_ptr_range().end;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_FILES;
    // SAFETY: `top` is the 16-byte aligned end of a stack of our own that outlives the child,
    // because CLONE_VFORK keeps us waiting until it has exited; so does `steps`. The child makes
    // system calls only: it takes no lock of this process and allocates nothing.
    let child = unsafe { libc::clone(child_main, top.cast(), flags, argument.cast_mut().cast()) };
    let failed = (child < 0).then(io::Error::last_os_error);
    let signal = if child > 0 { reap(child) } else { None };
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
    failed.map_or(Ok(signal), Err)
}

fn reap(child: libc::pid_t) -> Option<i32> {
    let mut status = 0;
    // A child without an exit signal is waited for with __WCLONE. Signals are blocked, so that
    // nothing interrupts it.
    // SAFETY: waitpid takes numbers, and writes the status that the pointer leads to.
    let ended = unsafe { libc::waitpid(child, &mut status, libc::__WCLONE) };
    (ended == child && libc::WIFSIGNALED(status)).then(|| libc::WTERMSIG(status))
}

extern "C" fn child_main(argument: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `argument` is the `Steps` of `run_in_child`, which waits until we are gone.
    let steps = unsafe { &*argument.cast::<Steps<'_>>() };
    // SAFETY: takes no argument. It leaves the process group, so that a signal to the group no
    // longer reaches us; until here nothing has been written.
    unsafe { libc::setsid() };
    if !steps.is_urgent.get() || !set_scheduling(libc::SCHED_FIFO, 1) {
        // Who has just given way is not preempted soon.
        // SAFETY: takes no argument.
        unsafe { libc::sched_yield() };
    }
    if steps.lock() {
        steps.run();
        steps.settle();
    }
    // The end of a real-time process costs the kernel several times as much.
    if steps.is_urgent.get() {
        set_scheduling(libc::SCHED_OTHER, 0);
    }
    0
}

/// The switch is to stay set for microseconds, and not for other programs' time slices. Gives
/// whether we have the right to that.
fn set_scheduling(policy: i32, priority: i32) -> bool {
    let parameters = libc::sched_param { sched_priority: priority };
    // SAFETY: the pointer describes `parameters`; 0 is the caller, this child alone.
    unsafe { libc::sched_setscheduler(0, policy, &parameters) == 0 }
}

impl Steps<'_> {
    /// Nothing tells when a file lock is released, so that it is asked for again after a while.
    fn lock(&self) -> bool {
        for _ in 0..LOCK_TRIES {
            // SAFETY: flock takes numbers only.
            if unsafe { libc::flock(self.lock, libc::LOCK_EX | libc::LOCK_NB) } == 0 {
                return true;
            }
            self.fail(Outcome::Locked);
            if self.errno.get() != libc::EWOULDBLOCK {
                self.outcome.set(Outcome::Failed);
                return false;
            }
            // SAFETY: the time is a constant, and nobody asks how much of it was left.
            unsafe { libc::nanosleep(&LOCK_PAUSE, std::ptr::null_mut()) };
        }
        false
    }

    fn run(&self) {
        self.outcome.set(Outcome::Killed);
        match self.read() {
            // Whoever set it was killed before it could be set back.
            Value::Userspace
                if self.is_writable && self.journal.is_some_and(Journal::is_under_way) =>
            {
                self.is_switched.set(true);
                self.settle_switch();
            }
            Value::Userspace => return self.disconnect(Outcome::Already),
            Value::Kernel => {}
            Value::Other => return self.outcome.set(Outcome::Unknown),
        }
        if !self.is_writable {
            return self.outcome.set(Outcome::Unwritable);
        }
        if let Some(journal) = self.journal {
            self.is_noted.set(true);
            write(&journal.0, b"1");
        }
        self.is_switched.set(true);
        if !write(self.file, self.switch.userspace) {
            return self.fail(Outcome::SwitchFailed);
        }
        self.disconnect(Outcome::Done);
        let stood = self.settle_switch();
        if !stood && self.outcome.get() == Outcome::Done {
            self.outcome.set(Outcome::Disturbed);
        }
    }

    /// What must not stay; we do it after the child as well, in case that was killed. Where the
    /// switch cannot be set back, the journal goes on saying so.
    fn settle(&self) {
        self.settle_switch();
        if let (false, true, Some(journal)) =
            (self.is_switched.get(), self.is_noted.get(), self.journal)
        {
            write(&journal.0, b"0");
            self.is_noted.set(false);
        }
        // Closing would do, were it not for a thread that forked meanwhile: its child holds the
        // same open file, and with it the lock.
        // SAFETY: flock takes numbers only.
        unsafe { libc::flock(self.lock, libc::LOCK_UN) };
    }

    /// Sets the switch back, if it is set; gives whether it still stood as we had set it.
    fn settle_switch(&self) -> bool {
        if !self.is_switched.get() {
            return false;
        }
        let stood = self.read() == Value::Userspace;
        if stood && !write(self.file, self.switch.kernel) {
            self.errno.set(last_errno());
        } else {
            self.is_switched.set(false);
        }
        stood
    }

    fn disconnect(&self, outcome: Outcome) {
        match socket::disconnect(self.socket) {
            Ok(()) => self.outcome.set(outcome),
            Err(_) => self.fail(Outcome::Failed),
        }
    }

    fn read(&self) -> Value {
        for _ in 0..READS {
            let mut value = [0u8; 16];
            let length = self.file.read_at(&mut value, 0).unwrap_or(0);
            match &value[..length] {
                value if value == self.switch.kernel => return Value::Kernel,
                value if value == self.switch.userspace => return Value::Userspace,
                _ => {}
            }
        }
        Value::Other
    }

    fn fail(&self, outcome: Outcome) {
        self.errno.set(last_errno());
        self.outcome.set(outcome);
    }
}

/// Where the switch stands, told without allocating.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    Kernel,
    Userspace,
    Other,
}

fn write(file: &File, bytes: &[u8]) -> bool {
    file.write_at(bytes, 0).is_ok_and(|written| written == bytes.len())
}

fn last_errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
