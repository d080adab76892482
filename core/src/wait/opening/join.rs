//! Waiting for a subflow whose first segment has been sent, until it is usable or has ended.
//!
//! An established subflow is not usable yet: the kernel reports it as established when the peer has
//! answered. The peer can still reset it, or never receive the third segment of the handshake. A
//! subflow is usable when `sock_diag` shows it as fully established. No event reports that moment, so
//! the library polls for it. The events show when to begin polling, and why a subflow has ended.

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use crate::door::{Door, Why};
use crate::error::{Error, ErrorKind, Result};
use crate::shared::diag_subflow::{self, is_same_end};
use crate::shared::socket_state::{query_error, unsteerable_reason};
use crate::shared::subflow::{Subflow, list_fd};
use crate::sys::cache::QueryError;
use crate::sys::event::{Drain, KernelEvent, KernelEvents};
use crate::sys::uapi::pm;

use super::plan::Plan;
use super::{OPERATION, rest};

/// The interval between two polls of a subflow that is joining, at first and at most.
const POLL_MIN: Duration = Duration::from_micros(200);
const POLL_MAX: Duration = Duration::from_millis(20);
/// How long to wait for the event with the reason after a subflow has ended. A worker thread of the
/// kernel sends it, which may have to wait for a processor on a busy machine.
const REASON_GRACE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Join {
    door: &'static dyn Door,
    plan: Plan,
    next_poll: Duration,
    /// The peer has answered the first segment.
    is_answered: bool,
    /// Until when the joined subflow is held back: see [`rest`].
    rest_until: Option<Instant>,
    /// Since when the subflow is no longer in the socket table.
    gone_since: Option<Instant>,
    /// The event that ended it.
    closing_event: Option<KernelEvent>,
}

impl Join {
    pub(crate) fn new(door: &'static dyn Door, plan: Plan) -> Self {
        Join {
            door,
            plan,
            next_poll: POLL_MIN,
            is_answered: false,
            rest_until: None,
            gone_since: None,
            closing_event: None,
        }
    }

    /// Returns until when the joined subflow is held back; `None` before it has joined.
    pub(crate) fn rest_until(&self) -> Option<Instant> {
        self.rest_until
    }

    pub(crate) fn next_poll(&self) -> Duration {
        self.next_poll
    }

    /// The two ends. They are known from the start, because the library chose the port.
    pub(crate) fn ends(&self) -> (SocketAddr, SocketAddr) {
        (SocketAddr::new(self.plan.local.ip, self.plan.local.port), self.plan.remote)
    }

    /// Returns the subflow if it is usable, or why it has ended.
    pub(crate) fn poll(
        &mut self,
        sock: BorrowedFd<'_>,
        events: &mut KernelEvents,
    ) -> Result<Option<Subflow>> {
        let (local, remote) = self.ends();
        let interface = self.plan.local.interface;
        match diag_subflow::find_on(
            sock,
            self.plan.token,
            (local, remote),
            interface,
            diag_subflow::Depth::Shallow,
        ) {
            Ok(entry) => {
                self.gone_since = None;
                if entry.is_joined() {
                    if let Some(subflow) = listed(sock, local, remote)? {
                        let rest = self.rest(&subflow);
                        if rest.is_zero() && self.release(sock)? {
                            return Ok(Some(subflow));
                        }
                        self.read(events)?;
                        self.next_poll = rest.max(POLL_MIN);
                        return Ok(None);
                    }
                }
                self.read(events)?;
                // An event reports the peer's answer. Nothing reports what comes after it.
                self.next_poll = if self.is_answered {
                    (self.next_poll * 3 / 2).min(POLL_MAX)
                } else {
                    POLL_MAX
                };
                // If the connection is closed, the subflow never joins, and no event reports it.
                if self.next_poll == POLL_MAX {
                    if let Some(why) = unsteerable_reason(sock, OPERATION) {
                        return Err(why);
                    }
                }
            }
            Err(error) if error.is(libc::ENOENT) => self.not_found(events)?,
            Err(error) => return Err(query_error(OPERATION, error)),
        }
        match &self.closing_event {
            Some(event) => {
                Err(unsteerable_reason(sock, OPERATION).unwrap_or_else(|| self.join_error(event)))
            }
            None => match self.gone_since {
                None => Ok(None),
                // If the whole connection has ended, no event comes.
                Some(since) => match unsteerable_reason(sock, OPERATION) {
                    Some(why) => Err(why),
                    None if since.elapsed() > REASON_GRACE => Err(self.reset_by_peer(None)),
                    None => Ok(None),
                },
            },
        }
    }

    /// Returns for how much longer a subflow that has joined is held back.
    fn rest(&mut self, joined: &Subflow) -> Duration {
        let now = Instant::now();
        let until = *self.rest_until.get_or_insert_with(|| now + rest::after_joining(joined));
        until.saturating_duration_since(now)
    }

    /// Makes a subflow that was held back a regular one. Returns false if the subflow has ended in the
    /// meantime: the next poll finds out why.
    fn release(&mut self, sock: BorrowedFd<'_>) -> Result<bool> {
        if !self.plan.is_held_back {
            return Ok(true);
        }
        match self.door.set_backup(sock, self.plan.token, self.ends(), false) {
            Ok(()) => Ok(true),
            // The kernel does not know a subflow with these ends.
            Err(refused) if self.is_gone(sock, refused.why) => Ok(false),
            Err(refused) => Err(refused.during(OPERATION)),
        }
    }

    /// Reports whether a refusal for that reason means that the subflow has ended.
    fn is_gone(&self, sock: BorrowedFd<'_>, why: Why) -> bool {
        let (token, interface) = (self.plan.token, self.plan.local.interface);
        let shallow = diag_subflow::Depth::Shallow;
        matches!(why, Why::Invalid | Why::Gone)
            && diag_subflow::find_on(sock, token, self.ends(), interface, shallow).is_err()
    }

    /// Reads the events, and keeps those of this subflow.
    fn read(&mut self, events: &mut KernelEvents) -> Result<()> {
        let ((local, remote), token) = (self.ends(), self.plan.token);
        let mut is_answered = false;
        let mut drain = Drain::default();
        while drain.goes_on(events) {
            let more = events.take(|event| {
                let ends = event.local.zip(event.remote);
                let is_ours = event.token == Some(token)
                    && ends.is_some_and(|(l, r)| is_same_end(l, local) && is_same_end(r, remote));
                match event.kind {
                    pm::EVENT_SUB_ESTABLISHED if is_ours => is_answered = true,
                    pm::EVENT_SUB_CLOSED if is_ours => self.closing_event = Some(event),
                    _ => {}
                }
            });
            match more {
                Ok(true) => {}
                Ok(false) => break,
                // If events are lost, only the reason may be: the socket table has the outcome.
                Err(refusal) if refusal.errno == libc::ENOBUFS => {}
                Err(refusal) => return Err(query_error(OPERATION, QueryError::Netlink(refusal))),
            }
        }
        if is_answered && !self.is_answered {
            self.is_answered = true;
            self.next_poll = POLL_MIN;
        }
        Ok(())
    }

    /// The subflow is not in the socket table. The event with the reason may come a moment later.
    fn not_found(&mut self, events: &mut KernelEvents) -> Result<()> {
        self.next_poll = match self.gone_since {
            None => POLL_MIN,
            Some(_) => (self.next_poll * 3 / 2).min(POLL_MAX),
        };
        self.gone_since.get_or_insert_with(Instant::now);
        self.read(events)
    }

    /// The error for a subflow that the peer or the network ended.
    fn join_error(&self, event: &KernelEvent) -> Error {
        let remote = self.plan.remote;
        match event.error.map_or(0, i32::from) {
            0 | libc::ECONNRESET => self.reset_by_peer(event.reset_reason),
            libc::ECONNREFUSED => Error::os(OPERATION, libc::ECONNREFUSED)
                .detail(format!("{remote} refused the subflow")),
            errno => Error::os(OPERATION, errno).detail(format!("the subflow to {remote} failed")),
        }
    }

    /// The error for a subflow that the peer reset, before or after its answer.
    fn reset_by_peer(&self, reason: Option<u32>) -> Error {
        let remote = self.plan.remote;
        let reason_text = reason
            .map_or(String::new(), |reason| format!(" (reason {reason} of RFC 8684, section 3.6)"));
        // A peer that has reached its limit sends the reason "lack of resources" or "administratively
        // prohibited", or none.
        if self.is_answered && matches!(reason, None | Some(0 | 2 | 3)) {
            Error::new(ErrorKind::PeerLimit, OPERATION)
                .detail(format!("{remote} answered the subflow, then reset it{reason_text}"))
        } else {
            Error::new(ErrorKind::Refused, OPERATION)
                .detail(format!("{remote} reset the subflow{reason_text}"))
        }
    }

    pub(crate) fn timed_out(&self) -> Error {
        let Plan { local, remote, .. } = &self.plan;
        Error::new(ErrorKind::TimedOut, OPERATION).detail(if self.is_answered {
            format!("{remote} answered, but did not acknowledge the subflow in time")
        } else {
            format!("{remote} did not answer {} in time", local.ip)
        })
    }
}

fn listed(sock: BorrowedFd<'_>, local: SocketAddr, remote: SocketAddr) -> Result<Option<Subflow>> {
    let mut subflows = list_fd(sock, OPERATION)?.into_iter();
    Ok(subflows
        .find(|subflow| is_same_end(subflow.local, local) && is_same_end(subflow.remote, remote)))
}
