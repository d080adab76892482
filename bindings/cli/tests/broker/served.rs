//! A broker that a test runs, and a client that writes its messages itself.

use std::fs::{self, File, Permissions};
use std::io::{IoSlice, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, connect, getsockopt,
    sendmsg, socket, sockopt,
};
use nix::unistd::Pid;
use subflows::ErrorKind;
use subflows::broker::{Act, Answer, LONGEST, Request};
use subflows_lab::{Namespace, Net, ready, wait_until};
use tempfile::TempDir;

use crate::common::{SOON, SUBFLOWS, has_nobody};

pub(crate) const NOBODY: u32 = 65_534;
/// How long another client waits at most.
pub(crate) const AT_ONCE: Duration = Duration::from_millis(100);
/// The threads of a broker without sessions: one accepts them, and one closes those that are refused.
pub(crate) const IDLE: usize = 2;
pub(crate) const CHECK: Act = Act::Check { right: 2 };

/// A flood takes the processors from other tests, so it runs alone.
static ALONE: RwLock<()> = RwLock::new(());

/// Waits until no other broker of these tests runs, and lets none run until the result is dropped.
pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    ALONE.write().unwrap_or_else(PoisonError::into_inner)
}

/// A broker that runs.
pub(crate) struct Served {
    pub(crate) process: Child,
    folder: TempDir,
    has_metrics: bool,
    _shared: Option<RwLockReadGuard<'static, ()>>,
}

/// Two subnets, for a test that becomes another user; `None` if it cannot.
pub(crate) fn net() -> Option<Net> {
    (ready() && has_nobody()).then(|| Net::two_subnets().unwrap())
}

/// The same, with a broker in the client's namespace.
pub(crate) fn net_with_broker(policy: &str) -> Option<(Net, Served)> {
    let net = net()?;
    let served = Served::start(&net.client, policy);
    Some((net, served))
}

impl Served {
    pub(crate) fn start(namespace: &Namespace, policy: &str) -> Served {
        Served::start_with(namespace, policy, false)
    }

    /// In a test that runs [`alone`].
    pub(crate) fn start_alone(
        namespace: &Namespace,
        policy: &str,
        _alone: &RwLockWriteGuard<'static, ()>,
    ) -> Served {
        Served::begin(namespace, policy, false, None)
    }

    /// With `--metrics`, at the path that [`metrics`](Self::metrics) returns.
    pub(crate) fn start_with(namespace: &Namespace, policy: &str, has_metrics: bool) -> Served {
        let shared = ALONE.read().unwrap_or_else(PoisonError::into_inner);
        Served::begin(namespace, policy, has_metrics, Some(shared))
    }

    fn begin(
        namespace: &Namespace,
        policy: &str,
        has_metrics: bool,
        _shared: Option<RwLockReadGuard<'static, ()>>,
    ) -> Served {
        let folder = TempDir::new().unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        fs::write(folder.path().join("policy.toml"), policy).unwrap();
        let process = Served::spawn(namespace, folder.path(), has_metrics);
        let mut served = Served { process, folder, has_metrics, _shared };
        served.wait();
        served
    }

    fn spawn(namespace: &Namespace, folder: &Path, has_metrics: bool) -> Child {
        let mut command = namespace.command(SUBFLOWS);
        command.arg("broker");
        command.arg("--policy").arg(folder.join("policy.toml"));
        command.arg("--socket").arg(folder.join("socket"));
        if has_metrics {
            command.arg("--metrics").arg(folder.join("metrics"));
        }
        let log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
        command.stdin(Stdio::null()).stderr(log).spawn().unwrap()
    }

    fn wait(&mut self) {
        wait_until(SOON, "the broker serves", || {
            assert!(self.process.try_wait().unwrap().is_none(), "{}", self.log());
            self.connects()
        });
    }

    /// Whether this broker listens, and not the child process that the one before has left for a moment.
    fn connects(&self) -> bool {
        is_served_by(&self.process, &self.path())
    }

    pub(crate) fn restart(&mut self, namespace: &Namespace) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.process = Served::spawn(namespace, self.folder.path(), self.has_metrics);
        self.wait();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.id() as i32), signal).unwrap();
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    pub(crate) fn metrics(&self) -> PathBuf {
        self.folder.path().join("metrics")
    }

    /// What the socket of the metrics answers.
    pub(crate) fn read_metrics(&self, request: &[u8]) -> String {
        let mut stream = UnixStream::connect(self.metrics()).unwrap();
        stream.write_all(request).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    /// How many times the broker has set the setting back for one that was killed.
    pub(crate) fn restored(&self) -> usize {
        let text = self.read_metrics(b"GET /metrics HTTP/1.1\r\n\r\n");
        let value =
            text.lines().find_map(|line| line.strip_prefix("subflows_broker_restored_total "));
        value.expect("the metric").parse().unwrap()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn session(&self) -> Session {
        let sock = new_session();
        connect(sock.as_raw_fd(), &UnixAddr::new(&self.path()).unwrap()).unwrap();
        Session(sock)
    }

    /// A session of another user.
    pub(crate) fn session_of(&self, uid: u32) -> Session {
        thread::scope(|scope| {
            scope
                .spawn(|| {
                    become_user(uid);
                    self.session()
                })
                .join()
                .unwrap()
        })
    }

    /// Checks that root, who is another user than the hostile one, is served at once.
    #[track_caller]
    pub(crate) fn serves_at_once(&self, net: &Net) {
        let elapsed = self.serve(net);
        assert!(elapsed < AT_ONCE * slowness(), "{elapsed:?}");
    }

    /// Lets root begin a session and ask for two acts. Returns how long that took.
    #[track_caller]
    pub(crate) fn serve(&self, net: &Net) -> Duration {
        let start = Instant::now();
        let sock = net.client.run(|| subflows::socket(subflows::Family::V4)).unwrap();
        let session = self.session();
        let answer = session.ask(CHECK, &[sock.as_fd()]).unwrap();
        assert_eq!(answer.result, Ok(0), "{}", self.log());
        // `Busy` asks to call again, which takes time that counts.
        let answer = loop {
            let answer = session.ask(Act::TakeControl, &[sock.as_fd()]).unwrap();
            let is_busy = matches!(&answer.result, Err(refusal) if refusal.kind == ErrorKind::Busy);
            if !is_busy || start.elapsed() > SOON {
                break answer;
            }
        };
        assert_eq!(answer.result, Ok(0), "{}", self.log());
        start.elapsed()
    }

    /// The memory of the broker, in KiB.
    pub(crate) fn resident(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    pub(crate) fn count(&self, what: &str) -> usize {
        fs::read_dir(format!("/proc/{}/{what}", self.process.id())).map_or(0, Iterator::count)
    }

    /// Checks that the workers end, and that no descriptor of a client stays open.
    #[track_caller]
    pub(crate) fn has_nothing_left(&self, before: usize) {
        // The library keeps two netlink sockets of each kind.
        const KEPT: usize = 6;
        wait_until(SOON, "descriptors and threads return", || {
            self.count("task") == IDLE && self.count("fd") <= before + KEPT
        });
    }
}

/// Reports whether that process listens at the path.
pub(crate) fn is_served_by(process: &Child, path: &Path) -> bool {
    // A socket that no process accepts from makes others wait once its queue is full.
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let sock = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None).unwrap();
    let is_open = connect(sock.as_raw_fd(), &UnixAddr::new(path).unwrap()).is_ok();
    let peer = getsockopt(&sock, sockopt::PeerCredentials);
    is_open && peer.is_ok_and(|peer| peer.pid() as u32 == process.id())
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A busy host takes its time for everything.
pub(crate) fn slowness() -> u32 {
    let load = fs::read_to_string("/proc/loadavg").unwrap();
    let load: f64 = load.split(' ').next().unwrap().parse().unwrap();
    let processors = thread::available_parallelism().unwrap().get() as f64;
    (load / processors).max(1.0).ceil() as u32
}

/// Asks the path manager of another namespace, as `ip mptcp` does. Returns how long that took.
pub(crate) fn ask_path_manager(namespace: &Namespace) -> Duration {
    namespace.run(|| {
        let start = Instant::now();
        // The look-up of the family and the question both take the lock of generic netlink.
        let mut socket = subflows::kernel::PathManagerSocket::open().unwrap();
        socket.addresses(1).unwrap_err();
        start.elapsed()
    })
}

pub(crate) fn become_user(uid: u32) {
    let (group, user) = (libc::SYS_setresgid, libc::SYS_setresuid);
    for call in [group, user] {
        // SAFETY: takes numbers only, and changes this thread alone.
        assert_eq!(unsafe { libc::syscall(call, uid, uid, uid) }, 0);
    }
}

pub(crate) fn new_session() -> OwnedFd {
    socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None).unwrap()
}

pub(crate) struct Session(OwnedFd);

impl From<OwnedFd> for Session {
    fn from(sock: OwnedFd) -> Session {
        Session(sock)
    }
}

impl Session {
    /// Ends it for both sides: a call that waits for an answer returns.
    pub(crate) fn end(&self) {
        nix::sys::socket::shutdown(self.0.as_raw_fd(), nix::sys::socket::Shutdown::Both).unwrap();
    }

    pub(crate) fn send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> nix::Result<usize> {
        let raw: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&raw)];
        let control = if raw.is_empty() { &[][..] } else { &rights[..] };
        let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
        sendmsg::<()>(self.0.as_raw_fd(), &[IoSlice::new(bytes)], control, flags, None)
    }

    pub(crate) fn receive(&self) -> Option<(Answer, Option<OwnedFd>)> {
        use nix::sys::socket::{ControlMessageOwned, recvmsg, setsockopt, sockopt};
        setsockopt(&self.0, sockopt::ReceiveTimeout, &nix::sys::time::TimeVal::new(10, 0)).unwrap();
        let mut buffer = vec![0; LONGEST];
        let mut space = nix::cmsg_space!([RawFd; 2]);
        let mut parts = [std::io::IoSliceMut::new(&mut buffer)];
        let received =
            recvmsg::<()>(self.0.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::empty());
        let received = received.ok()?;
        let fd = received.cmsgs().unwrap().find_map(|message| match message {
            ControlMessageOwned::ScmRights(fds) => fds.first().copied(),
            _ => None,
        });
        // SAFETY: the kernel has just made this descriptor, and nothing else owns it.
        let fd = fd.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        let length = received.bytes;
        Some((Answer::parse(&buffer[..length]).ok()?, fd))
    }

    pub(crate) fn ask(&self, act: Act, fds: &[BorrowedFd<'_>]) -> Option<Answer> {
        self.ask_for_fd(act, fds).map(|(answer, _)| answer)
    }

    pub(crate) fn ask_for_fd(
        &self,
        act: Act,
        fds: &[BorrowedFd<'_>],
    ) -> Option<(Answer, Option<OwnedFd>)> {
        self.send(&Request { number: 1, act }.encode(), fds).ok()?;
        self.receive()
    }
}
