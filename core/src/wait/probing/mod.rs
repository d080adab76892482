//! Finding out what an address offers, as a wait that the caller steps.

mod options;
mod report;
mod syn_limit;

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

use crate::cause;
use crate::door;
use crate::door::common::peers::Follower;
use crate::error::{Error, ErrorKind, Result};
use crate::shared::connected::Connected;
use crate::shared::network::Way;
use crate::shared::new_socket::Family;
use crate::shared::{counters, diag_subflow, no_mptcp};
use crate::sys::{fcntl, mptcp, poll, socket};
pub use options::Probe;
pub use report::{ProbeReport, Verdict};

const OPERATION: &str = "probe";

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the peer has to acknowledge by Multipath TCP: the kernel repeats lost segments in that time.
const PROOF_TIMEOUT: Duration = Duration::from_secs(2);
/// When a SYN without MP_CAPABLE is sent as well.
const PLAIN_AFTER: Duration = Duration::from_secs(1);
/// The longest and the shortest pause between two looks at the connection: no event reports that the peer has
/// acknowledged.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);
const SHORTEST_PAUSE: Duration = Duration::from_micros(100);
/// A buffer of any socket takes that many bytes at once.
const DATA_MAX: usize = 4096;
/// The kernel counts here each SYN that it sends without MP_CAPABLE because of a black hole before.
const SUSPENDED: &str = "MPCapableSYNTXDisabled";
/// The kernel counts here each connection whose SYN/ACK came without the option.
const NOT_OFFERED: &str = "MPCapableFallbackSYNACK";

/// A probe of one address that is under way, for a caller with an event loop of its own.
///
/// Poll [`fd`](Self::fd) for readability until [`deadline`](Self::deadline), then call
/// [`advance`](Self::advance). Repeat until it returns the report or an error. If the value is dropped before
/// that, its connections are closed.
///
/// Keep the deadlines: about a second after one was missed, the kernel may stop to use Multipath TCP in the
/// whole network namespace, as it does after any connection through a black hole.
#[derive(Debug)]
pub struct Probing {
    remote: SocketAddr,
    data: Option<String>,
    epoll: Epoll,
    begun: Instant,
    deadline: Instant,
    /// When the SYN with MP_CAPABLE must have been answered.
    syn_deadline: Instant,
    /// What the kernel had counted in [`SUSPENDED`] and in [`NOT_OFFERED`] before.
    counted: [Option<u64>; 2],
    multipath: Attempt,
    plain: Option<Attempt>,
    follower: Option<Follower>,
    proof: Option<Proof>,
}

/// What became of a SYN.
#[derive(Debug)]
enum Attempt {
    /// Not answered yet.
    Sent(OwnedFd),
    Ended(End),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Accepted {
        after: Duration,
    },
    Refused {
        after: Duration,
    },
    /// Accepted, and reset before the acceptance was seen.
    Reset {
        after: Duration,
    },
    Unreachable,
    Unanswered,
}

impl End {
    /// Whether a SYN without MP_CAPABLE would show nothing more.
    fn is_final(self) -> bool {
        matches!(self, End::Unreachable | End::Reset { .. })
    }
}

/// A connection whose peer offered Multipath TCP and has to prove it.
#[derive(Debug)]
struct Proof {
    sock: OwnedFd,
    /// What is known of the report.
    report: ProbeReport,
    token: u32,
    /// The data-level sequence number of the first byte, and how many numbers were used since.
    first: u64,
    used: u64,
    deadline: Instant,
    look_at: Instant,
    pause: Duration,
    /// The peer has sent data or closed, which is not waited for again.
    is_readable: bool,
}

impl Probing {
    /// Sends the first segment. Never waits.
    ///
    /// # Errors
    /// As [`probe`](crate::probe).
    pub fn begin(remote: SocketAddr, options: &Probe) -> Result<Probing> {
        let remote = match remote {
            SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() => remote,
            _ => SocketAddr::new(remote.ip(), remote.port()),
        };
        let data = options.data.clone();
        if data.as_ref().is_some_and(|data| data.len() > DATA_MAX) {
            return Err(Error::argument(OPERATION, "the data is longer than 4096 bytes")
                .with_remedy("Pass at most 4096 bytes."));
        }
        if !mptcp::has_info() {
            return Err(cause::NO_INFO.error(OPERATION));
        }
        let sock = new_socket(remote, socket::MPTCP).map_err(|error| {
            if socket::lacks_mptcp(&error) {
                no_mptcp::cause_of(&error).error(OPERATION)
            } else {
                os(&error)
            }
        })?;
        let epoll =
            Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(|error| os(&error.into()))?;
        let follower = Follower::begin(door::choose(), sock.as_fd(), OPERATION);
        let (counted, patience) = (counted(), syn_limit::patience());
        let begun = Instant::now();
        let deadline = poll::deadline_in(options.timeout.unwrap_or(DEFAULT_TIMEOUT));
        let mut probing = Probing {
            remote,
            data,
            epoll,
            begun,
            deadline,
            syn_deadline: deadline.min(begun + patience),
            counted,
            multipath: Attempt::Ended(End::Unanswered),
            plain: None,
            follower,
            proof: None,
        };
        probing.multipath = probing.send_syn(sock)?;
        Ok(probing)
    }

    /// Returns the descriptor to poll for readability, the same each time.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }

    /// Returns when to call [`advance`](Self::advance) at the latest. It changes with each call.
    pub fn deadline(&self) -> Instant {
        if let Some(proof) = &self.proof {
            return proof.look_at.min(proof.deadline);
        }
        match (&self.multipath, &self.plain) {
            (Attempt::Sent(_), None) => self.syn_deadline.min(self.begun + PLAIN_AFTER),
            (Attempt::Sent(_), _) => self.syn_deadline,
            _ => self.deadline,
        }
    }

    /// Continues. Returns the report when the probe has ended, or `None`. Never waits.
    ///
    /// # Errors
    /// As [`probe`](crate::probe).
    pub fn advance(&mut self) -> Result<Option<ProbeReport>> {
        if self.proof.is_some() {
            return self.look();
        }
        let now = Instant::now();
        if let Attempt::Sent(sock) = &self.multipath {
            match self.answer(sock)? {
                Some(End::Accepted { after }) => return self.accepted(after),
                Some(end) => self.multipath = Attempt::Ended(end),
                // Closes the socket, so that the kernel repeats the SYN no more.
                None if now >= self.syn_deadline => {
                    self.multipath = Attempt::Ended(End::Unanswered)
                }
                None => {}
            }
        }
        let is_time = match &self.multipath {
            Attempt::Ended(end) if end.is_final() => false,
            Attempt::Sent(_) => now >= self.begun + PLAIN_AFTER,
            _ => true,
        };
        if is_time && self.plain.is_none() && now < self.deadline {
            let sock = new_socket(self.remote, 0).map_err(|error| os(&error))?;
            self.plain = Some(self.send_syn(sock)?);
        }
        if let Some(Attempt::Sent(sock)) = &self.plain {
            if let Some(end) = self.answer(sock)? {
                self.plain = Some(Attempt::Ended(end));
            } else if now >= self.deadline {
                self.plain = Some(Attempt::Ended(End::Unanswered));
            }
        }
        Ok(self.verdict().map(|(verdict, handshake)| self.report(verdict, handshake)))
    }

    /// Waits until [`advance`](Self::advance) has something to do, at most until the deadline. A signal
    /// ends the wait too.
    ///
    /// # Errors
    /// Those of poll(2).
    pub fn wait(&self) -> Result<()> {
        poll::wait(self.fd(), libc::POLLIN, Some(self.deadline()), OPERATION)
    }

    /// Returns the verdict if the SYNs decide it, with the time that an answer took.
    fn verdict(&self) -> Option<(Verdict, Option<Duration>)> {
        use End::{Accepted, Refused, Reset, Unanswered, Unreachable};
        let Attempt::Ended(first) = self.multipath else { return None };
        let plain = match &self.plain {
            Some(Attempt::Ended(end)) => *end,
            Some(Attempt::Sent(_)) if !first.is_final() => return None,
            _ => Unanswered,
        };
        Some(match (first, plain) {
            (Reset { after }, _) => (Verdict::Reset, Some(after)),
            (Unanswered, Accepted { after } | Reset { after }) => (Verdict::BlackHole, Some(after)),
            (Refused { .. }, Accepted { after } | Reset { after }) => {
                (Verdict::Blocked, Some(after))
            }
            (Refused { after }, _) | (Unanswered, Refused { after }) => {
                (Verdict::Refused, Some(after))
            }
            (Unreachable, _) | (_, Unreachable) => (Verdict::Unreachable, None),
            (Unanswered, Unanswered) => (Verdict::Silent, None),
            // What was accepted is looked at at once.
            (Accepted { .. }, _) => return None,
        })
    }

    fn report(&self, verdict: Verdict, handshake: Option<Duration>) -> ProbeReport {
        ProbeReport {
            remote: self.remote,
            verdict,
            handshake_us: handshake.map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX)),
            is_checksum_enabled: None,
            is_join_denied: None,
        }
    }

    fn send_syn(&self, sock: OwnedFd) -> Result<Attempt> {
        if let Err(error) = socket::connect(sock.as_fd(), self.remote) {
            let errno = error.raw_os_error().unwrap_or(0);
            if errno != libc::EINPROGRESS {
                let error = Way::of(sock.as_fd(), self.remote).refused_here(OPERATION, errno);
                return self.meaning(error).map(Attempt::Ended);
            }
        }
        self.watch(&sock, EpollFlags::EPOLLOUT)?;
        Ok(Attempt::Sent(sock))
    }

    /// Returns what has come back for a SYN.
    fn answer(&self, sock: &OwnedFd) -> Result<Option<End>> {
        let sock = sock.as_fd();
        if poll::now(sock, libc::POLLOUT).map_err(|error| os(&error))? == 0 {
            return Ok(None);
        }
        let error = socket::get_i32(sock, libc::SOL_SOCKET, libc::SO_ERROR);
        match error.map_err(|error| os(&error))? {
            0 => Ok(Some(End::Accepted { after: self.begun.elapsed() })),
            libc::ETIMEDOUT => Ok(Some(End::Unanswered)),
            libc::ECONNRESET => Ok(Some(End::Reset { after: self.begun.elapsed() })),
            errno => self.meaning(Way::of(sock, self.remote).error(OPERATION, errno)).map(Some),
        }
    }

    /// Sorts the errors that are findings from those that are failures.
    fn meaning(&self, error: Error) -> Result<End> {
        match error.kind() {
            ErrorKind::Refused => Ok(End::Refused { after: self.begun.elapsed() }),
            ErrorKind::Unreachable => Ok(End::Unreachable),
            _ => Err(error),
        }
    }

    /// The SYN with MP_CAPABLE, if it had the option, was accepted: either by Multipath TCP, which the peer
    /// has to prove, or by plain TCP.
    fn accepted(&mut self, after: Duration) -> Result<Option<ProbeReport>> {
        let Attempt::Sent(sock) =
            std::mem::replace(&mut self.multipath, Attempt::Ended(End::Unanswered))
        else {
            return Ok(None);
        };
        let mut report = self.report(Verdict::Tcp, Some(after));
        let info = match mptcp::info(sock.as_fd()) {
            Ok(info) if !info.is_fallen_back() => info.raw,
            // A reset looks like a fallback.
            _ if has_failed(sock.as_fd()) => {
                report.verdict = Verdict::Reset;
                return Ok(Some(report));
            }
            _ if self.counted[0] != counted()[0] => {
                return Err(cause::BLACK_HOLE_BEFORE.error(OPERATION));
            }
            _ => {
                if self.was_offered(&sock) {
                    report.verdict = Verdict::Stripped;
                }
                return Ok(Some(report));
            }
        };
        report.is_checksum_enabled = Some(info.mptcpi_csum_enabled != 0);
        let peer = self
            .follower
            .take()
            .and_then(|follower| follower.peer(sock.as_fd(), info.mptcpi_token));
        report.is_join_denied = peer.map(|peer| peer.denies_initial_address);
        let mut used = 1;
        if let Some(data) = &self.data {
            // The buffer of a new socket has room. A peer that has reset the connection is noticed next.
            let _ = socket::send(sock.as_fd(), data.as_bytes());
            used += data.len() as u64;
        }
        // The DATA_FIN has a sequence number, and is acknowledged, as data is.
        let _ = socket::shutdown_write(sock.as_fd());
        let reading = EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP;
        let mut event = EpollEvent::new(reading, 0);
        self.epoll.modify(&sock, &mut event).map_err(|error| os(&error.into()))?;
        let (now, first) = (Instant::now(), info.mptcpi_write_seq);
        let pause = after.min(PLAIN_AFTER).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        let deadline = self.deadline.min(now + PROOF_TIMEOUT).max(now + 2 * pause);
        self.proof = Some(Proof {
            sock,
            report,
            token: info.mptcpi_token,
            first,
            used,
            deadline,
            look_at: now + pause,
            pause,
            is_readable: false,
        });
        self.look()
    }

    /// Looks whether the peer has acknowledged everything by Multipath TCP.
    fn look(&mut self) -> Result<Option<ProbeReport>> {
        let Some(proof) = &mut self.proof else { return Ok(None) };
        let verdict = proof.verdict(self.remote);
        if verdict.is_none() && !proof.is_readable && proof.has_input() {
            proof.is_readable = true;
            // It stays readable, so that polling for it would never wait again.
            let _ = self.epoll.delete(&proof.sock);
        }
        Ok(verdict.map(|verdict| ProbeReport { verdict, ..proof.report.clone() }))
    }

    /// Reports whether the SYN/ACK of a connection that fell back had the option. Then something that arrived later,
    /// and before this look at the socket, had not.
    fn was_offered(&self, sock: &OwnedFd) -> bool {
        let local = socket::local_address(sock.as_fd()).ok();
        let shown =
            local.and_then(|local| diag_subflow::has_key_of_peer(sock.as_fd(), local, self.remote));
        // The counter is that of the whole network namespace: it decides only if nothing was counted.
        shown.unwrap_or_else(|| self.counted[1].is_some() && self.counted[1] == counted()[1])
    }

    fn watch(&self, sock: &OwnedFd, events: EpollFlags) -> Result<()> {
        self.epoll.add(sock, EpollEvent::new(events, 0)).map_err(|error| os(&error.into()))
    }
}

impl Proof {
    fn verdict(&mut self, remote: SocketAddr) -> Option<Verdict> {
        let sock = self.sock.as_fd();
        let info = mptcp::info(sock).ok().filter(|info| !info.is_fallen_back());
        // Only the owner of the peer's key acknowledges numbers that begin at random.
        if info.is_some_and(|info| info.raw.mptcpi_snd_una.wrapping_sub(self.first) == self.used) {
            return Some(Verdict::Mptcp);
        }
        // A reset before the first acknowledgement looks like a fallback, too.
        if has_failed(sock) || info.is_some_and(|info| info.raw.mptcpi_token == 0) {
            return Some(Verdict::Reset);
        }
        if info.is_none() {
            return Some(Verdict::Stripped);
        }
        let now = Instant::now();
        if now >= self.deadline {
            let is_answered = self.has_options_of_peer(remote);
            return Some(if is_answered { Verdict::Echoed } else { Verdict::Unconfirmed });
        }
        if now >= self.look_at {
            self.pause = (self.pause * 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
            self.look_at = now + self.pause;
        }
        None
    }

    fn has_input(&self) -> bool {
        let input = libc::POLLIN | libc::POLLRDHUP;
        poll::now(self.sock.as_fd(), input).is_ok_and(|events| events != 0)
    }

    /// Reports whether any segment after the handshake came with options that acknowledge.
    fn has_options_of_peer(&self, remote: SocketAddr) -> bool {
        let sock = self.sock.as_fd();
        let Ok(local) = socket::local_address(sock) else { return false };
        let connection = Connected { sock, token: self.token };
        let found = diag_subflow::find(connection, (local, remote), diag_subflow::Depth::Shallow);
        found.is_ok_and(|found| found.is_joined())
    }
}

fn counted() -> [Option<u64>; 2] {
    let counters = counters::read().ok().flatten().unwrap_or_default();
    [SUSPENDED, NOT_OFFERED].map(|name| {
        counters.iter().find(|counter| counter.name == name).map(|counter| counter.value)
    })
}

fn has_failed(sock: BorrowedFd<'_>) -> bool {
    socket::get_i32(sock, libc::SOL_SOCKET, libc::SO_ERROR).is_ok_and(|error| error != 0)
}

/// Makes a socket that never blocks.
fn new_socket(remote: SocketAddr, protocol: i32) -> io::Result<OwnedFd> {
    let family = match Family::from(remote) {
        Family::V4 => libc::AF_INET,
        Family::V6 => libc::AF_INET6,
    };
    let sock = socket::new(family, libc::SOCK_STREAM, protocol)?;
    fcntl::set_nonblocking(sock.as_fd(), true)?;
    Ok(sock)
}

fn os(error: &io::Error) -> Error {
    Error::from_io(OPERATION, error)
}
