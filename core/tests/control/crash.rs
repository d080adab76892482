//! A taker is killed in the middle: the process, its process group, its child, or both.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::FileExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use subflows_lab::{Namespace, path_manager_setting, skip_unless_ready, wait_until};

use crate::common::child::{Guarded, helper, only_as_child};
use crate::common::deny::die_at;
use crate::common::{SOON, has_one_processor, is_emulated};
use crate::{LOOPBACK, prove, setting, socket, taken};

/// How often each of the two is killed.
const KILLS: u64 = 200;
/// The longest time for which a namespace may be found switched.
const BAR: Duration = Duration::from_millis(5);

/// Takes control of one socket after the other, and increments the counter on its standard input.
#[test]
#[ignore = "a child of other tests"]
fn takes_control_until_it_is_killed() {
    only_as_child!();
    let board = Board(File::from(io::stdin().as_fd().try_clone_to_owned().unwrap()));
    for count in board.count() + 1.. {
        let sock = subflows::socket(subflows::Family::V4).unwrap();
        subflows::take_control(&sock).unwrap();
        board.write(count);
    }
}

/// A number that two processes share.
struct Board(File);

impl Board {
    fn new() -> Board {
        let flags = nix::sys::memfd::MFdFlags::MFD_CLOEXEC;
        let board = Board(nix::sys::memfd::memfd_create("board", flags).unwrap().into());
        board.write(0);
        board
    }

    fn write(&self, count: u64) {
        self.0.write_all_at(&count.to_ne_bytes(), 0).unwrap();
    }

    fn count(&self) -> u64 {
        let mut bytes = [0; 8];
        self.0.read_exact_at(&mut bytes, 0).unwrap();
        u64::from_ne_bytes(bytes)
    }
}

/// What a watcher saw that read the setting continuously.
#[derive(Debug, Default)]
struct Seen {
    looks: u64,
    switched: u64,
    /// Reads that happened while the kernel was writing the setting.
    torn: u64,
    longest: Duration,
}

/// Reads the setting again and again. A watcher that did not run for a while may find it switched
/// before and after that, by two takers. If the boards show that one taker finished a whole take in
/// between, the two observations do not belong to one span.
fn watch(namespace: &Namespace, boards: &[Board], is_over: &AtomicBool) -> Seen {
    /// If reading took longer than this, the value may not belong to the same moment as the boards.
    const GLANCE: Duration = Duration::from_micros(100);
    let _entered = namespace.enter().unwrap();
    let setting = path_manager_setting();
    let file = File::open(setting.file).unwrap();
    let counts = || boards.iter().map(Board::count).collect::<Vec<_>>();
    let mut seen = Seen::default();
    let mut span: Option<(Instant, Vec<u64>)> = None;
    while !is_over.load(Ordering::Relaxed) {
        let start = Instant::now();
        let between = span.as_ref().map(|_| counts());
        let mut value = [0; 32];
        let length = file.read_at(&mut value, 0).unwrap();
        let now = Instant::now();
        seen.looks += 1;
        match setting.name(&String::from_utf8_lossy(&value[..length])) {
            "userspace" if now - start > GLANCE => continue,
            "userspace" => seen.switched += 1,
            "kernel" => {
                span = None;
                continue;
            }
            _ => {
                seen.torn += 1;
                continue;
            }
        }
        // Two more: the first may have been in progress at the previous look.
        let is_another =
            |then: &[u64]| between.iter().flatten().zip(then).any(|(n, t)| *n >= t + 2);
        let first = match &span {
            Some((first, then)) if !is_another(then) => *first,
            _ => now,
        };
        seen.longest = seen.longest.max(now - first);
        span = Some((first, counts()));
    }
    seen
}

#[derive(Clone, Copy)]
enum By {
    Pid,
    Group,
}

/// Starts a taker, waits until it takes control, kills it at some moment, and repeats that.
fn kill_again_and_again(namespace: &Namespace, board: &Board) {
    let _entered = namespace.enter().unwrap();
    for round in 0..KILLS {
        let before = board.count();
        let mut command = helper("crash::takes_control_until_it_is_killed");
        command.stdin(board.0.try_clone().unwrap()).stdout(Stdio::null());
        let mut taker = Guarded(command.process_group(0).spawn().unwrap());
        let pid = Pid::from_raw(i32::try_from(taker.0.id()).unwrap());
        // A varying number of takes, so that the moment varies.
        let takes = 1 + round * 7 % 16;
        wait_until(SOON, "a taker to take", || {
            board.count() >= before + takes || taker.0.try_wait().unwrap().is_some()
        });
        let by = if round % 2 == 0 { By::Pid } else { By::Group };
        match by {
            By::Pid => kill(pid, Signal::SIGKILL).unwrap(),
            By::Group => killpg(pid, Signal::SIGKILL).unwrap(),
        }
        let status = taker.0.wait().unwrap();
        assert_eq!(status.signal(), Some(libc::SIGKILL), "the taker ended by itself: {status}");
    }
}

#[test]
fn killed_takers_leave_the_namespace_as_it_was() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    assert_eq!(setting(&namespace), "kernel");
    let boards = [Board::new(), Board::new()];
    let is_over = AtomicBool::new(false);
    let seen = thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(&namespace, &boards, &is_over));
        let killers = [0, 1].map(|i| {
            let (namespace, board) = (&namespace, &boards[i]);
            scope.spawn(move || kill_again_and_again(namespace, board))
        });
        let outcomes = killers.map(|killer| killer.join());
        is_over.store(true, Ordering::Relaxed);
        let seen = watcher.join().unwrap();
        for outcome in outcomes {
            outcome.unwrap();
        }
        seen
    });
    println!("{seen:?}, {:?} takes", boards.each_ref().map(Board::count));
    // The last child may still be finishing.
    wait_until(SOON, "the setting of before", || setting(&namespace) == "kernel");
    // With one processor, it does not run in the middle of another process's microsecond.
    assert!(seen.switched > 0 || has_one_processor(), "the watcher saw nothing: {seen:?}");
    // The processors of an emulator take turns.
    let bar = if is_emulated() { 4 * BAR } else { BAR };
    assert!(seen.longest <= bar, "{seen:?}");
    for ip in LOOPBACK {
        let sock = taken(&namespace, ip);
        prove(&namespace, sock, ip);
    }
    assert_eq!(setting(&namespace), "kernel");
}

/// The environment variable that names the system calls at which the taker is killed.
const DEADLY: &str = "SUBFLOWS_TEST_DEADLY";

#[test]
#[ignore = "a child of other tests"]
fn helper_that_is_killed_in_the_middle() {
    only_as_child!();
    let sock = subflows::socket(subflows::Family::V4).unwrap();
    let deadly = std::env::var(DEADLY).unwrap();
    // The child is killed at `connect`, in the middle of the switch, and its parent at `wait4`,
    // while it waits for the child.
    let calls = [("connect", libc::SYS_connect), ("wait", libc::SYS_wait4)];
    let calls: Vec<_> = calls.into_iter().filter(|(name, _)| deadly.contains(name)).collect();
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0).unwrap();
    die_at(&calls.into_iter().map(|(_, call)| call).collect::<Vec<_>>());
    let error = subflows::take_control(&sock).unwrap_err();
    assert_eq!(error.kind(), subflows::ErrorKind::Os, "{error}");
    println!("survived");
}

/// Runs a taker that is killed at these calls.
fn kill_at(namespace: &Namespace, deadly: &str) -> std::process::Output {
    let _entered = namespace.enter().unwrap();
    let mut command = helper("crash::helper_that_is_killed_in_the_middle");
    command.env(DEADLY, deadly).output().unwrap()
}

#[test]
fn if_only_the_child_is_killed_its_parent_sets_back() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let output = kill_at(&namespace, "connect");
    assert!(String::from_utf8_lossy(&output.stdout).contains("survived"), "{output:?}");
    assert_eq!(setting(&namespace), "kernel");
    // A setting that the administrator made is not mistaken for a leftover.
    crate::common::userspace(&namespace);
    taken(&namespace, LOOPBACK[0]);
    assert_eq!(setting(&namespace), "userspace");
}

/// Mounts a /run for this thread alone, as a container has.
fn private_run() {
    use nix::mount::{MsFlags, mount};
    let none = None::<&str>;
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
    mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), none).unwrap();
}

/// Calls a function in a thread that is in a container of the namespace.
fn in_a_container<T: Send>(namespace: &Namespace, call: impl FnOnce() -> T + Send) -> T {
    namespace.run(|| {
        private_run();
        call()
    })
}

const TAG: &str = "net.ipv4.conf.lo.tag";

/// The restarted container had a new /run, without the journal: the setting was never restored.
#[test]
fn if_both_are_killed_the_next_taker_sets_back() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    for ip in LOOPBACK {
        let kill = || {
            let mut command = helper("crash::helper_that_is_killed_in_the_middle");
            command.env(DEADLY, "connect, wait").output().unwrap()
        };
        let output = in_a_container(&namespace, kill);
        assert_eq!(output.status.signal(), Some(libc::SIGSYS), "{output:?}");
        assert_eq!(setting(&namespace), "userspace", "they were not killed in the middle");
        let sock = namespace.run(|| socket(ip));
        in_a_container(&namespace, || subflows::take_control(&sock)).unwrap();
        assert_eq!(
            (setting(&namespace), namespace.sysctl(TAG).unwrap()),
            ("kernel".into(), "0".into())
        );
        prove(&namespace, sock, ip);
    }
}

/// The journal of the namespace, with its cookie in the name.
fn journal(sock: &impl AsFd) -> std::path::PathBuf {
    const SO_NETNS_COOKIE: i32 = 71;
    let (mut cookie, mut length) = (0u64, size_of::<u64>() as libc::socklen_t);
    let (fd, pointer) = (sock.as_fd().as_raw_fd(), (&raw mut cookie).cast());
    // SAFETY: the pointer and the length describe `cookie`.
    let read =
        unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, SO_NETNS_COOKIE, pointer, &mut length) };
    assert_eq!(read, 0);
    format!("/run/subflows/path-manager.{cookie}").into()
}

/// An administrator may use the setting of the marker.
#[test]
fn a_tag_of_the_administrators_stays() {
    skip_unless_ready!();
    if nix::unistd::access("/run", nix::unistd::AccessFlags::W_OK).is_err() {
        return subflows_lab::skip("/run is not writable");
    }
    let namespace = Namespace::new().unwrap();
    namespace.set_sysctl(TAG, "42").unwrap();
    let output = kill_at(&namespace, "connect, wait");
    assert_eq!(output.status.signal(), Some(libc::SIGSYS), "{output:?}");
    assert_eq!(setting(&namespace), "userspace", "they were not killed in the middle");
    taken(&namespace, LOOPBACK[0]);
    assert_eq!(
        (setting(&namespace), namespace.sysctl(TAG).unwrap()),
        ("kernel".into(), "42".into())
    );
}

/// The number of a namespace begins anew at each boot, and a container's /run may outlive one.
#[test]
fn a_journal_of_another_boot_was_believed() {
    skip_unless_ready!();
    if nix::unistd::access("/run", nix::unistd::AccessFlags::W_OK).is_err() {
        return subflows_lab::skip("/run is not writable");
    }
    let namespace = Namespace::new().unwrap();
    namespace.set_sysctl(TAG, "42").unwrap();
    let sock = taken(&namespace, LOOPBACK[0]);
    for text in ["1", "1 01234567-89ab-cdef-0123-456789abcdef\n"] {
        std::fs::write(journal(&sock), text).unwrap();
        crate::common::userspace(&namespace);
        taken(&namespace, LOOPBACK[0]);
        assert_eq!(setting(&namespace), "userspace", "{text:?}");
    }
}
