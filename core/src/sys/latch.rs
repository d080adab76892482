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
//!   bound, because anybody may hold it.
//! - What is not the default is never written back, so that two writers cannot hand a wrong value
//!   to each other.
//! - A journal, where there is a place for one, says that a switch is under way: if the machine's
//!   power or a whole control group is taken away in the middle, the next taker heals it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};

use super::socket;

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
const JOURNAL: &str = "/run/subflows";

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
    /// The switch cannot be written.
    Switch(io::Error),
    /// The socket cannot be disconnected, or the child cannot be made.
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
        let mut value = [0u8; 64];
        let length = file.read_at(&mut value, 0)?;
        Ok(match &value[..length] {
            value if value == self.kernel => PathManagerSwitch::Kernel,
            value if value == self.userspace => PathManagerSwitch::Userspace,
            other => PathManagerSwitch::Other(String::from_utf8_lossy(other).trim().to_owned()),
        })
    }
}

/// Makes one unconnected, unlistening socket take the userspace path manager. The caller has
/// checked that it is one, and that it lives in the calling thread's namespace.
pub(crate) fn latch(sock: BorrowedFd<'_>, bound: Duration) -> Result<Latched, Failure> {
    let (switch_file, switch) = open_switch(true).map_err(Failure::Switch)?;
    let lock = Lock::take(bound)?;
    let journal = Journal::open(sock);
    match switch.read(&switch_file).map_err(Failure::Switch)? {
        PathManagerSwitch::Kernel => {}
        PathManagerSwitch::Userspace if journal.as_ref().is_some_and(Journal::is_under_way) => {
            // Whoever wrote it was stopped before it could write it back.
            switch_file.write_at(switch.kernel, 0).map_err(Failure::Switch)?;
        }
        PathManagerSwitch::Userspace => {
            return socket::disconnect(sock).map(|()| Latched::Already).map_err(Failure::Os);
        }
        PathManagerSwitch::Other(name) => return Err(Failure::UnknownPathManager(name)),
    }
    let mut steps = Steps {
        socket: sock.as_raw_fd(),
        switch: switch_file.as_raw_fd(),
        journal: journal.as_ref().map_or(-1, |journal| journal.0.as_raw_fd()),
        kernel: switch.kernel,
        userspace: switch.userspace,
        outcome: Outcome::NotRun,
        errno: 0,
    };
    run_in_child(&mut steps).map_err(Failure::Os)?;
    drop(lock);
    let errno = io::Error::from_raw_os_error(steps.errno);
    match steps.outcome {
        Outcome::Done => Ok(Latched::Switched),
        Outcome::Disturbed => Ok(Latched::Disturbed),
        Outcome::SwitchFailed => Err(Failure::Switch(errno)),
        Outcome::DisconnectFailed => Err(Failure::Os(errno)),
        Outcome::NotRun => Err(Failure::Os(io::Error::from_raw_os_error(libc::ECHILD))),
    }
}

/// A lock that all of a network namespace share: on the namespace's own file, whose inode is the
/// same through every mount of /proc.
struct Lock(File);

impl Lock {
    fn take(bound: Duration) -> Result<Lock, Failure> {
        let file = File::open("/proc/thread-self/ns/net").map_err(Failure::Os)?;
        let deadline = socket::deadline_in(bound);
        let mut pause = Duration::from_micros(20);
        loop {
            // SAFETY: flock takes numbers only, and `file` is open.
            if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
                return Ok(Lock(file));
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::WouldBlock {
                return Err(Failure::Os(error));
            }
            let now = Instant::now();
            if now >= deadline {
                return Err(Failure::Busy);
            }
            wait(pause.min(deadline - now)).map_err(Failure::Os)?;
            pause = (pause * 2).min(Duration::from_millis(2));
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing would do, were it not for a thread that forked meanwhile: its child holds the
        // same open file, and with it the lock.
        // SAFETY: flock takes numbers only, and the file is open.
        unsafe { libc::flock(self.0.as_raw_fd(), libc::LOCK_UN) };
    }
}

/// Nothing tells when a file lock is released, so that it is asked for again after a while.
fn wait(span: Duration) -> io::Result<()> {
    let span = nix::sys::time::TimeSpec::from_duration(span);
    nix::poll::ppoll(&mut [], Some(span), None).map(drop).map_err(io::Error::from)
}

/// Where there is a place that only root can write: one byte per namespace, `1` while a switch is
/// under way. Read and written under the lock.
struct Journal(File);

impl Journal {
    fn open(sock: BorrowedFd<'_>) -> Option<Journal> {
        let cookie = socket::namespace_cookie(sock)?;
        let path = format!("{JOURNAL}/path-manager.{cookie}");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        match options.open(&path) {
            Ok(file) => Some(Journal(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                std::fs::DirBuilder::new().mode(0o700).create(JOURNAL).ok()?;
                options.open(&path).ok().map(Journal)
            }
            Err(_) => None,
        }
    }

    fn is_under_way(&self) -> bool {
        let mut byte = [0u8];
        self.0.read_at(&mut byte, 0).is_ok_and(|length| length == 1 && byte == *b"1")
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    NotRun,
    Done,
    Disturbed,
    SwitchFailed,
    DisconnectFailed,
}

/// What the child does, and what came of it.
struct Steps {
    socket: RawFd,
    switch: RawFd,
    journal: RawFd,
    kernel: &'static [u8],
    userspace: &'static [u8],
    outcome: Outcome,
    errno: i32,
}

/// Runs the steps in a child made like vfork's: it shares memory and descriptors, and we wait in
/// the kernel until it is gone. Its exit sends no signal, so no SIGCHLD handler and no reaper of
/// the program sees it.
fn run_in_child(steps: &mut Steps) -> io::Result<()> {
    let mut stack = vec![0u128; STACK / size_of::<u128>()];
    let mut before = SigSet::empty();
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))?;
    let argument: *mut Steps = steps;
    let top = stack.as_mut_ptr_range().end;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_FILES;
    // SAFETY: `top` is the 16-byte aligned end of a stack of our own that outlives the child,
    // because CLONE_VFORK keeps us waiting until it has exited; so does `steps`. The child makes
    // system calls only: it takes no lock and allocates nothing.
    let child = unsafe { libc::clone(child_main, top.cast(), flags, argument.cast()) };
    let failed = (child < 0).then(io::Error::last_os_error);
    if child > 0 {
        reap(child);
    }
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
    failed.map_or(Ok(()), Err)
}

fn reap(child: libc::pid_t) {
    // A child without an exit signal is waited for with __WCLONE. Signals are blocked, so that
    // nothing interrupts it.
    // SAFETY: waitpid takes numbers and accepts a null status.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), libc::__WCLONE) };
}

extern "C" fn child_main(argument: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `argument` is the `Steps` of `run_in_child`, which waits and touches it only after
    // we are gone.
    let steps = unsafe { &mut *argument.cast::<Steps>() };
    // SAFETY: takes no argument. It leaves the process group, so that a signal to the group no
    // longer reaches us; until here nothing has been written.
    unsafe { libc::setsid() };
    // A process that has just given way is not preempted at once: the switch stays set for a
    // microsecond and not for somebody else's time slice.
    // SAFETY: takes no argument.
    unsafe { libc::sched_yield() };
    write(steps.journal, b"1");
    steps.run();
    write(steps.journal, b"0");
    0
}

impl Steps {
    fn run(&mut self) {
        if !write(self.switch, self.userspace) {
            return self.fail(Outcome::SwitchFailed);
        }
        let unspecified = libc::sockaddr { sa_family: 0, sa_data: [0; 14] };
        let length = size_of::<libc::sockaddr>() as libc::socklen_t;
        // SAFETY: the pointer and the length describe `unspecified`.
        let connected = unsafe { libc::connect(self.socket, &unspecified, length) };
        let mut still = [0u8; 16];
        // SAFETY: the pointer and the length describe `still`.
        let read = unsafe { libc::pread(self.switch, still.as_mut_ptr().cast(), still.len(), 0) };
        if connected != 0 {
            self.fail(Outcome::DisconnectFailed);
        } else if usize::try_from(read).is_ok_and(|n| still.get(..n) == Some(self.userspace)) {
            self.outcome = Outcome::Done;
        } else {
            self.outcome = Outcome::Disturbed;
        }
        write(self.switch, self.kernel);
    }

    fn fail(&mut self, outcome: Outcome) {
        self.outcome = outcome;
        self.errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
    }
}

fn write(fd: RawFd, bytes: &[u8]) -> bool {
    // SAFETY: the pointer and the length describe `bytes`; a descriptor of -1 fails with EBADF.
    let written = unsafe { libc::pwrite(fd, bytes.as_ptr().cast(), bytes.len(), 0) };
    usize::try_from(written).is_ok_and(|written| written == bytes.len())
}
