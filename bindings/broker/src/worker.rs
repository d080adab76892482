//! A worker: the thread of one session. Only it touches the sockets that the client passes.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::net::if_::if_indextoname;
use rustix::process::setpriority_process;
use subflows::broker::{
    Act, Answer, Connection, Done, Malformed, Peer, Performer, Received, Request, ServerSession,
    SocketFamily, StreamNumber, Taker, connection_of, is_harmless, refusal, reply,
};
use subflows::{ErrorKind, Result};

use crate::audit;
use crate::metrics::Counts;
use crate::permissions::{Client, Policy};
use crate::user::Counted;

/// One session and what is known about its client.
pub(crate) struct Worker<'a> {
    session: ServerSession,
    peer: Peer,
    client: Client,
    policy: &'a Policy,
    counted: &'a Counted,
    counts: &'a Counts,
    taker: Taker,
    performer: Performer,
    /// Whether this thread has a low priority.
    is_last: bool,
}

impl Worker<'_> {
    pub(crate) fn new<'a>(
        session: ServerSession,
        peer: Peer,
        client: Client,
        policy: &'a Policy,
        counted: &'a Counted,
        counts: &'a Counts,
        taker: Taker,
    ) -> Worker<'a> {
        let (performer, is_last) = (Performer::default(), false);
        Worker { session, peer, client, policy, counted, counts, taker, performer, is_last }
    }

    /// Serves until the client ends the session, or does not read its answers.
    pub(crate) fn run(&mut self) {
        while let Ok(Some(received)) = self.session.receive() {
            let is_readable = !matches!(received.request, Err(Malformed::Version(_)));
            let (answer, fd, line) = self.handle(received);
            let sent = self.session.answer(&answer, fd.as_ref().map(OwnedFd::as_fd));
            // The client does not wait for the journal.
            if let Some(line) = line {
                line.write();
            }
            if sent.is_err() || !is_readable {
                break;
            }
        }
    }

    /// Counts a request of the user. It waits if the user has made too many, and is refused if it would wait
    /// for too long: not at once, so that the user cannot make the broker refuse without end.
    fn wait(&mut self) -> bool {
        const PAUSE: Duration = Duration::from_millis(10);
        /// The workers of one user would take the processors from those of others.
        const LAST: i32 = 10;
        let wait = self.counted.user().wait_of(1.0, self.policy.limits.requests);
        if wait != Some(Duration::ZERO) {
            self.counts.throttled.fetch_add(1, Ordering::Relaxed);
            // This is for the thread, and for as long as the session lasts.
            if !self.is_last {
                self.is_last = setpriority_process(None, LAST).is_ok();
            }
            thread::sleep(wait.unwrap_or(PAUSE));
        }
        wait.is_some()
    }

    /// Handles a message, and closes its descriptors. Returns the answer, and the line of the act.
    fn handle(&mut self, received: Received) -> (Answer, Option<OwnedFd>, Option<audit::Line>) {
        let Received { request, fds } = received;
        let may_ask = self.wait();
        let counts = self.counts;
        let count = |verb, done: &Result<Done>| {
            counts.request(verb, done.as_ref().map(drop).map_err(subflows::Error::kind));
        };
        let Request { number, act } = match request {
            Ok(request) => request,
            Err(malformed) => {
                let done = Err(explain(malformed));
                count(None, &done);
                return without_line(reply(0, done));
            }
        };
        if !may_ask {
            let done = Err(throttled(self.policy.limits.requests));
            count(Some(act.verb()), &done);
            return without_line(reply(number, done));
        }
        let mut token = 0;
        let start = Instant::now();
        let done = self.perform(&act, &fds, &mut token);
        self.counted.user().charge(start.elapsed(), self.policy.limits.requests);
        count(Some(act.verb()), &done);
        let line = audit::Line::new(&self.peer, &act, token, &done);
        drop(fds);
        let (answer, fd) = reply(number, done);
        (answer, fd, Some(line))
    }

    fn perform(&mut self, act: &Act, fds: &[OwnedFd], token: &mut u32) -> Result<Done> {
        let name = |index| if_indextoname(index).ok()?.into_string().ok();
        if !self.policy.permits(&self.client, act, name) {
            return Err(self.denied(act));
        }
        if let Act::Withdraw { handle } = act {
            if !fds.is_empty() {
                return Err(wrong_descriptors(fds.len()));
            }
            let (connection, done) = self.performer.withdraw(*handle)?;
            *token = connection.token;
            return Ok(done);
        }
        let [fd] = fds else { return Err(wrong_descriptors(fds.len())) };
        let connection: Connection = connection_of(act, fd.as_fd())?;
        *token = connection.token;
        match act {
            Act::Create { .. } => self.require_room(fd)?,
            Act::Options { steps, .. } if !steps.iter().all(is_harmless) => {
                return Err(refusal(
                    ErrorKind::NotPermitted,
                    Errno::EPERM as i32,
                    "the broker does not change this option for programs without privileges",
                    "Run the program with CAP_NET_ADMIN, CAP_BPF and CAP_PERFMON.",
                ));
            }
            Act::TakeControl => return self.taker.take(SocketFamily::of(fd.as_fd())?, &self.peer),
            Act::Events => return self.open_stream(act, connection, fd),
            _ => {}
        }
        self.performer.perform(act, connection, fd.as_fd())
    }

    /// Opens a stream of events. The kernel offers each event of the namespace to each stream, so that many
    /// streams would slow down every connection.
    fn open_stream(&mut self, act: &Act, connection: Connection, fd: &OwnedFd) -> Result<Done> {
        let most = self.policy.limits.streams;
        let Some(mut streams) = self.counted.user().streams(most) else {
            return Err(refusal(
                ErrorKind::Busy,
                Errno::EBUSY as i32,
                format!("the broker's policy allows a user {most} streams of events"),
                "Close other streams, or raise streams in /etc/subflows/broker.toml.",
            ));
        };
        let done = self.performer.perform(act, connection, fd.as_fd())?;
        let stream = done.fd.as_ref().map(|stream| StreamNumber::of(stream.as_fd()));
        streams.extend(stream.and_then(std::result::Result::ok));
        Ok(done)
    }

    /// Fails if the connection has as many subflows as the policy allows.
    fn require_room(&self, fd: &OwnedFd) -> Result<()> {
        let most = self.policy.limits.subflows;
        if subflows::info(fd)?.subflows.is_none_or(|count| count < most) {
            return Ok(());
        }
        Err(refusal(
            ErrorKind::Busy,
            Errno::EBUSY as i32,
            format!("the broker's policy allows {most} subflows of a connection"),
            "Close another subflow, or raise subflows in /etc/subflows/broker.toml.",
        ))
    }

    fn denied(&self, act: &Act) -> subflows::Error {
        let (verb, uid) = (act.verb().name(), self.peer.uid);
        refusal(
            ErrorKind::NotPermitted,
            Errno::EPERM as i32,
            format!("the broker's policy does not permit {verb} to user {uid}"),
            "Permit it in /etc/subflows/broker.toml; without that file, add the user to the group subflows.",
        )
    }
}

fn without_line(
    (answer, fd): (Answer, Option<OwnedFd>),
) -> (Answer, Option<OwnedFd>, Option<audit::Line>) {
    (answer, fd, None)
}

/// Answers a client that gets no worker.
pub(crate) fn answer_busy(session: &ServerSession) {
    let error = refusal(
        ErrorKind::Busy,
        Errno::EBUSY as i32,
        "this user has, or begins, as many sessions with the broker as its policy allows",
        "End other programs of the user, or raise sessions and requests in /etc/subflows/broker.toml.",
    );
    let _ = session.answer(&reply(0, Err(error)).0, None);
}

fn throttled(most: u32) -> subflows::Error {
    refusal(
        ErrorKind::Busy,
        Errno::EBUSY as i32,
        format!("the broker's policy allows a user {most} requests in a second"),
        "Call again after a second, or raise requests in /etc/subflows/broker.toml.",
    )
}

fn wrong_descriptors(count: usize) -> subflows::Error {
    refusal(
        ErrorKind::InvalidArgument,
        0,
        format!("the request came with {count} descriptors"),
        "Pass one descriptor, the socket; withdraw takes none.",
    )
}

fn explain(malformed: Malformed) -> subflows::Error {
    match malformed {
        Malformed::Version(version) => refusal(
            ErrorKind::Unsupported,
            0,
            format!(
                "the library has version {version} of the broker's protocol, the broker another"
            ),
            "Install the same version of the command and of the library.",
        ),
        Malformed::Message => refusal(
            ErrorKind::InvalidArgument,
            0,
            "the message is not a request to the broker",
            "See PROTOCOL.md.",
        ),
    }
}
