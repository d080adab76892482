//! The process of a broker that takes control of new sockets, one after the other.
//!
//! For each socket, `net.mptcp.path_manager` is changed for some microseconds. If the broker ends in that time, this
//! process restores the setting. If this process is killed, the worker that waits for it restores the setting. The
//! process reads nothing that a client has written, and touches no socket of a client.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::time::{ClockId, clock_gettime};

use super::perform::{Done, SocketFamily, controlled_socket, open_files, refusal, reply};
use super::protocol::{Answer, LONGEST};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::unix::{self, Peer};
use crate::sys::{fork, socket, take_over};

/// How long a client waits for clients before it. If another process holds the lock of the namespace, taking control
/// fails after the same time.
const PATIENCE: Duration = Duration::from_secs(1);
/// Longer than both, in milliseconds. An answer that comes later is dropped.
const LONGEST_WAIT: u16 = 3000;
/// The room for requests that wait, in bytes: a request takes about 800.
const QUEUE: i32 = 4 << 20;
/// How much longer the process works than it waits before it pauses. Otherwise the kernel would take the processor from
/// a real-time process that many clients keep busy, perhaps while the setting is changed.
const SPELL: Duration = Duration::from_millis(10);
/// The length of a request: the family, the user, the group and the deadline.
const REQUEST: usize = 20;

/// One worker's connection to the process.
#[derive(Debug)]
pub struct Taker {
    requests: Arc<OwnedFd>,
    /// Both ends of the socket for answers: the process gets the second one with each request.
    answers: Option<(OwnedFd, OwnedFd)>,
}

/// For another worker.
impl Clone for Taker {
    fn clone(&self) -> Taker {
        Taker { requests: Arc::clone(&self.requests), answers: None }
    }
}

impl Taker {
    /// Starts the process. It calls `restrict` first, and ends if that fails. Requires that this process has one
    /// thread, and has not called [`open_files`] yet: the two must not share the lock on the namespace, which a
    /// dead process would otherwise hold for as long as the other one has descriptors.
    ///
    /// # Errors
    /// The kernel's error.
    pub fn start(restrict: impl FnOnce() -> bool) -> Result<Taker> {
        let failed = |error: io::Error| Error::from_io("broker", &error);
        let (ours, theirs) = pair().map_err(failed)?;
        // Room for as many requests as there can be sessions. Without it, a burst of some users refuses others.
        let _ = socket::set_i32(ours.as_fd(), libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, QUEUE);
        take_over::share().map_err(failed)?;
        let serve = || {
            if open_files().is_ok() && take_over::isolate(theirs.as_fd()).is_ok() && restrict() {
                serve(&theirs);
            }
        };
        fork::child(serve).map_err(failed)?;
        Ok(Taker { requests: Arc::new(ours), answers: None })
    }

    /// Makes a socket that the application controls, for that client.
    ///
    /// # Errors
    /// Those of `take_control`; `Busy` if it would take too long.
    pub fn take(&mut self, family: SocketFamily, peer: &Peer) -> Result<Done> {
        match self.ask(family, peer) {
            Ok((Answer { result: Ok(_), .. }, None)) => Err(Error::os("broker", libc::EMFILE)),
            Ok((Answer { result: Ok(value), .. }, fd)) => Ok(Done { value, fd, outcomes: None }),
            Ok((Answer { result: Err(refusal), .. }, _)) => Err(refusal.error("broker")),
            Err(Unanswered::Late) => Err(busy()),
            Err(Unanswered::Failed(error)) => Err(Error::from_io("broker", &error)),
            // From now on, a child takes control for each socket.
            Err(Unanswered::Gone) => {
                take_over::heal(PATIENCE);
                controlled_socket(family, peer)
            }
        }
    }

    fn ask(
        &mut self,
        family: SocketFamily,
        peer: &Peer,
    ) -> std::result::Result<(Answer, Option<OwnedFd>), Unanswered> {
        let now = now()?;
        let mut request = Vec::with_capacity(REQUEST);
        for number in [family.0 as u32, peer.uid, peer.gid] {
            request.extend(number.to_ne_bytes());
        }
        request.extend(((now + PATIENCE).as_nanos() as u64).to_ne_bytes());
        // Made anew after a failure: an answer may come late.
        let answers = self.answers.take().map_or_else(pair, Ok)?;
        let requests = self.requests.as_fd();
        unix::send(requests, &request, Some(answers.1.as_fd()), libc::MSG_DONTWAIT)?;
        let answered = PollFd::new(answers.0.as_fd(), PollFlags::POLLIN);
        // Reports that the other end is gone.
        let mut both = [answered, PollFd::new(requests, PollFlags::empty())];
        loop {
            match poll(&mut both, LONGEST_WAIT) {
                Err(Errno::EINTR) => {}
                Err(error) => return Err(io::Error::from(error).into()),
                Ok(0) => return Err(Unanswered::Late),
                Ok(_) if both[0].any() == Some(true) => break,
                Ok(_) => return Err(Unanswered::Gone),
            }
        }
        let mut buffer = [0; LONGEST];
        let mut packet = unix::receive(answers.0.as_fd(), &mut buffer)?;
        let bytes = buffer.get(..packet.length).unwrap_or_default();
        let answer =
            Answer::parse(bytes).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        self.answers = Some(answers);
        Ok((answer, packet.fds.pop()))
    }
}

/// Why the process has not answered.
enum Unanswered {
    /// The process is gone.
    Gone,
    /// Too many wait for it.
    Late,
    /// This process lacks something.
    Failed(io::Error),
}

impl From<io::Error> for Unanswered {
    fn from(error: io::Error) -> Unanswered {
        match error.raw_os_error() {
            Some(libc::EPIPE | libc::ECONNRESET) => Unanswered::Gone,
            Some(libc::EAGAIN) => Unanswered::Late,
            _ => Unanswered::Failed(error),
        }
    }
}

fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let kind = SockType::SeqPacket;
    Ok(socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC)?)
}

/// The time since the start of the system, which both processes read.
fn now() -> io::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_MONOTONIC)?.into())
}

/// Serves until no process has the other end.
fn serve(requests: &OwnedFd) {
    let mut buffer = [0; REQUEST];
    let mut spell = Duration::ZERO;
    loop {
        if spell > SPELL {
            thread::sleep(std::mem::take(&mut spell));
        }
        let idle = Instant::now();
        let Ok(mut packet) = unix::receive(requests.as_fd(), &mut buffer) else { return };
        let start = Instant::now();
        spell = spell.saturating_sub(start - idle);
        let Some(answers) = packet.fds.pop() else { return };
        let number = |at: usize| u32::from_ne_bytes([0, 1, 2, 3].map(|byte| buffer[at + byte]));
        let deadline = u64::from_ne_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|byte| buffer[12 + byte]));
        let done = if now().is_ok_and(|now| now < Duration::from_nanos(deadline)) {
            let family = SocketFamily(number(0) as i32);
            controlled_socket(family, &Peer { uid: number(4), gid: number(8), ..Peer::default() })
        } else {
            Err(busy())
        };
        let (answer, fd) = reply(0, done);
        let send = |answer: &Answer, fd: Option<&OwnedFd>| {
            let (answers, fd) = (answers.as_fd(), fd.map(OwnedFd::as_fd));
            unix::send(answers, &answer.encode(), fd, libc::MSG_DONTWAIT)
        };
        if let Err(error) = send(&answer, fd.as_ref()) {
            // The worker waits for it.
            let _ = send(&reply(0, Err(Error::from_io("broker", &error))).0, None);
        }
        spell += start.elapsed();
    }
}

fn busy() -> Error {
    refusal(
        ErrorKind::Busy,
        libc::EBUSY,
        "too many programs take control of sockets, or another process holds the lock on the network namespace",
        "Call again, or find the process by the command lslocks, which shows the namespace as net:[...].",
    )
}
