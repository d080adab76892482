//! A worker: the thread of one session. Only it touches the sockets that the client passes.

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::net::if_::if_indextoname;
use subflows::broker::{
    Act, Answer, Connection, Done, Malformed, Peer, Performer, Received, Request, ServerSession,
    connection_of, is_harmless, refusal, reply,
};
use subflows::{ErrorKind, Result};

use crate::audit;
use crate::policy::{Client, Policy};
use crate::user::Counted;

/// One session and what is known about its client.
pub(crate) struct Worker<'a> {
    session: ServerSession,
    peer: Peer,
    client: Client,
    policy: &'a Policy,
    counted: &'a Counted,
    performer: Performer,
}

impl Worker<'_> {
    pub(crate) fn new<'a>(
        session: ServerSession,
        peer: Peer,
        client: Client,
        policy: &'a Policy,
        counted: &'a Counted,
    ) -> Worker<'a> {
        Worker { session, peer, client, policy, counted, performer: Performer::default() }
    }

    /// Serves until the client ends the session, or does not read its answers.
    pub(crate) fn run(&mut self) {
        while let Ok(Some(received)) = self.session.receive() {
            let is_readable = !matches!(received.request, Err(Malformed::Version(_)));
            let (answer, fd) = self.handle(received);
            let sent = self.session.answer(&answer, fd.as_ref().map(OwnedFd::as_fd));
            if sent.is_err() || !is_readable {
                break;
            }
        }
    }

    /// Handles a message, and closes its descriptors.
    fn handle(&mut self, received: Received) -> (Answer, Option<OwnedFd>) {
        let Received { request, fds } = received;
        let Request { number, act } = match request {
            Ok(request) => request,
            Err(malformed) => return reply(0, Err(explain(malformed))),
        };
        if !self.counted.user().may_ask(self.policy.limits.requests) {
            return reply(number, Err(throttled(self.policy.limits.requests)));
        }
        let mut token = 0;
        let done = self.perform(&act, &fds, &mut token);
        audit::write(&self.peer, &act, token, &done);
        drop(fds);
        reply(number, done)
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
            _ => {}
        }
        self.performer.perform(act, connection, fd.as_fd(), &self.peer)
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

/// Answers a client that gets no worker.
pub(crate) fn answer_busy(session: &ServerSession) {
    let error = refusal(
        ErrorKind::Busy,
        Errno::EBUSY as i32,
        "this user has as many sessions with the broker as its policy allows",
        "End other programs of the user, or raise sessions in /etc/subflows/broker.toml.",
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
