//! Waiting for a subflow whose first segment has been sent, until it is usable or has ended.
//!
//! An established subflow is not usable yet: the kernel reports it as established when the peer has
//! answered. The peer can still reset it, or never receive the third segment of the handshake. A
//! subflow is usable when `sock_diag` shows it as fully established. No event reports that moment, so
//! the library polls for it. The events show when to begin polling, and why a subflow has ended.

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use crate::cause;
use crate::door::common::address_ids::known_addresses;
use crate::door::{Door, LocalEnd, Why};
use crate::error::{Error, ErrorKind, Result};
use crate::shared::diag_subflow::{self, Depth, is_same_end};
use crate::shared::interface::name_of;
use crate::shared::path_manager::addresses_by_token;
use crate::shared::route::Destination;
use crate::shared::socket_state::{query_error, unsteerable_reason};
use crate::shared::subflow::{Subflow, list_fd};
use crate::sys::cache::QueryError;
use crate::sys::event::{Drain, KernelEvent, KernelEvents};
use crate::sys::reverse_path;
use crate::sys::uapi::pm;

use super::ends::RouteState;
use super::plan::Plan;
use super::{OPERATION, rest};

/// The interval between two polls of a subflow that is joining, at first and at most.
const POLL_MIN: Duration = Duration::from_micros(200);
const POLL_MAX: Duration = Duration::from_millis(20);
/// The interval between two readings of the connection's state, while the subflow is joining.
const STATE_INTERVAL: Duration = Duration::from_millis(200);
/// How long to wait for the event with the reason after a subflow has ended. A worker thread of the
/// kernel sends it, which may have to wait for a processor on a busy machine.
const REASON_GRACE: Duration = Duration::from_secs(1);

/// When an answer is missing. The first segment is repeated after a second, and with it the answer.
const ANSWER_EXPECTED: Duration = Duration::from_millis(500);
/// A peer that misses the third segment of the handshake repeats its answer within this time.
const ANSWER_REPEATED: Duration = Duration::from_millis(1500);

#[derive(Debug)]
pub(crate) struct Join {
    door: &'static dyn Door,
    plan: Plan,
    next_poll: Duration,
    /// The subflow leaves by the planned interface, although it is not bound to it.
    is_path_known: bool,
    /// The peer has answered the first segment.
    is_answered: bool,
    /// When the library found that out.
    answered_at: Option<Instant>,
    began: Instant,
    /// When the state of the connection was last read.
    state_read: Instant,
    /// How many packets this host's reverse-path filter had dropped when no answer had come for a
    /// while.
    dropped_before: Option<u64>,
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
            is_path_known: false,
            is_answered: false,
            answered_at: None,
            began: Instant::now(),
            state_read: Instant::now(),
            dropped_before: None,
            rest_until: None,
            gone_since: None,
            closing_event: None,
        }
    }

    /// Returns until when the joined subflow is held back; `None` before it has joined.
    pub(crate) fn rest_until(&self) -> Option<Instant> {
        self.rest_until
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Returns the plan of a subflow that the peer has not answered yet.
    pub(super) fn unanswered(&self) -> Option<&Plan> {
        (!self.is_answered).then_some(&self.plan)
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
        let (connection, interface) = (self.plan.connection(sock), self.plan.local.interface);
        match diag_subflow::find_on(connection, self.ends(), interface, Depth::Shallow) {
            Ok(entry) => {
                self.gone_since = None;
                self.require_interface(sock, entry.head.interface)?;
                if entry.is_joined() {
                    if let Some(subflow) = listed(sock, self.ends())? {
                        return self.joined(sock, events, subflow, entry.is_backup());
                    }
                }
                self.read(events)?;
                self.joining(sock)?;
            }
            Err(error) if error.is(libc::ENOENT) => self.not_found(events)?,
            Err(error) => return Err(query_error(OPERATION, error)),
        }
        if let Some(event) = &self.closing_event {
            let ended = unsteerable_reason(sock, OPERATION);
            return Err(ended.unwrap_or_else(|| self.join_error(sock, event)));
        }
        let Some(since) = self.gone_since else { return Ok(None) };
        // If the whole connection has ended, no event comes.
        match unsteerable_reason(sock, OPERATION) {
            Some(why) => Err(why),
            None if since.elapsed() > REASON_GRACE => Err(self.reset_by_peer(None)),
            None => Ok(None),
        }
    }

    /// Returns a subflow that has joined, unless it is still held back.
    fn joined(
        &mut self,
        sock: BorrowedFd<'_>,
        events: &mut KernelEvents,
        subflow: Subflow,
        is_backup: bool,
    ) -> Result<Option<Subflow>> {
        let rest = self.rest(&subflow);
        if rest.is_zero() && self.set_priority(sock, is_backup)? {
            return Ok(Some(subflow));
        }
        self.read(events)?;
        self.next_poll = rest.max(POLL_MIN);
        Ok(None)
    }

    /// Prepares the next poll of a subflow that has not joined yet.
    fn joining(&mut self, sock: BorrowedFd<'_>) -> Result<()> {
        let is_late = !self.is_answered && self.began.elapsed() > ANSWER_EXPECTED;
        if is_late && self.dropped_before.is_none() {
            self.dropped_before = reverse_path::dropped(sock);
        }
        // An event reports the peer's answer. Nothing reports what comes after it.
        self.next_poll =
            if self.is_answered { (self.next_poll * 3 / 2).min(POLL_MAX) } else { POLL_MAX };
        // If the connection is closed, the subflow never joins, and no event reports it.
        if self.state_read.elapsed() > STATE_INTERVAL {
            self.state_read = Instant::now();
            return unsteerable_reason(sock, OPERATION).map_or(Ok(()), Err);
        }
        Ok(())
    }

    /// Fails if the subflow takes another path than the planned one. Old kernels (Linux 6.1 and 6.8) ignore
    /// the interface in the command, and the subflow leaves by the one that the routing table chooses
    /// for its source address. `bound` is the interface that the subflow is bound to.
    fn require_interface(&mut self, sock: BorrowedFd<'_>, bound: u32) -> Result<()> {
        let planned = self.plan.local.interface;
        if self.is_path_known || planned == 0 || bound == planned {
            return Ok(());
        }
        let ip = self.plan.local.ip;
        if Destination::new(sock, self.plan.remote, OPERATION).is_left_by(ip, planned)? {
            self.is_path_known = true;
            return Ok(());
        }
        let name = name_of(sock, planned);
        Err(Error::new(ErrorKind::Unsupported, OPERATION)
            .detail(format!(
                "this kernel ignores the interface, and its routing table does not send from {ip} by \
                 {name}"
            ))
            .with_remedy(format!(
                "Add a rule: ip rule add from {ip} lookup 100; ip route add default via GATEWAY dev \
                 {name} table 100. Linux 6.12 or newer does not need it."
            )))
    }

    /// Returns for how much longer a subflow that has joined is held back.
    fn rest(&mut self, joined: &Subflow) -> Duration {
        let now = Instant::now();
        let until = *self.rest_until.get_or_insert_with(|| now + rest::after_joining(joined));
        until.saturating_duration_since(now)
    }

    /// Gives the subflow the priority that the caller wants: one that was held back becomes a regular one,
    /// and old kernels (Linux 6.1) join by a regular one when a backup is asked for. Returns false if
    /// the subflow has ended in the meantime: the next poll finds out why.
    fn set_priority(&mut self, sock: BorrowedFd<'_>, is_backup: bool) -> Result<bool> {
        let wanted = self.plan.local.is_backup && !self.plan.is_held_back;
        if is_backup == wanted {
            return Ok(true);
        }
        match self.door.set_backup(self.plan.connection(sock), self.ends(), wanted) {
            Ok(()) => Ok(true),
            // The kernel does not know a subflow with these ends.
            Err(refused) if self.is_gone(sock, refused.why) => Ok(false),
            Err(refused) => Err(refused.during(OPERATION)),
        }
    }

    /// Reports whether a refusal for that reason means that the subflow has ended.
    fn is_gone(&self, sock: BorrowedFd<'_>, why: Why) -> bool {
        let (connection, interface) = (self.plan.connection(sock), self.plan.local.interface);
        why == Why::NotFound
            && diag_subflow::find_on(connection, self.ends(), interface, Depth::Shallow).is_err()
    }

    /// Reads the events, and keeps those of this subflow.
    fn read(&mut self, events: &mut KernelEvents) -> Result<()> {
        let ((local, remote), token) = (self.ends(), self.plan.token);
        let mut is_answered = false;
        let mut drain = Drain::default();
        while drain.goes_on(events) {
            let more = events.take(|event| {
                let ends = event.local.zip(event.remote);
                // A subflow that this host closes before the answer has no remote port any more.
                let is_remote =
                    |r: SocketAddr| is_same_end(r, remote) || is_disconnected(r, remote);
                let is_ours = event.token == Some(token)
                    && ends.is_some_and(|(l, r)| is_same_end(l, local) && is_remote(r));
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
            self.answered_at = Some(Instant::now());
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

    /// The error for a subflow that the peer, the network or this host ended.
    fn join_error(&self, sock: BorrowedFd<'_>, event: &KernelEvent) -> Error {
        let remote = self.plan.remote;
        match event.error.map_or(0, i32::from) {
            libc::ECONNABORTED => cause::ENDED_HERE.error(OPERATION).errno(libc::ECONNABORTED),
            _ if event.remote.is_some_and(|end| is_disconnected(end, remote)) => {
                cause::ENDED_HERE.error(OPERATION)
            }
            // The peer refuses the first segment by ECONNREFUSED: this reset is the kernel's own.
            0 | libc::ECONNRESET
                if !self.is_answered
                    && matches!(event.reset_reason, None | Some(RESET_BY_OPTIONS)) =>
            {
                let what = cause::OPTIONS_STRIPPED.what;
                cause::OPTIONS_STRIPPED.error(OPERATION).detail(format!("{remote}: {what}"))
            }
            0 | libc::ECONNRESET if event.reset_reason.is_none() && self.is_forgotten(sock) => {
                cause::ENDED_HERE.error(OPERATION)
            }
            0 | libc::ECONNRESET => self.reset_by_peer(event.reset_reason),
            // A peer that has reached its limit may refuse the first segment, with the reason.
            libc::ECONNREFUSED if is_limit(event.reset_reason) => {
                self.reset_by_peer(event.reset_reason)
            }
            libc::ECONNREFUSED => cause::REFUSED_JOIN
                .error(OPERATION)
                .errno(libc::ECONNREFUSED)
                .detail(format!("{remote} refused the subflow")),
            errno => self.plan.way(sock).error(OPERATION, errno),
        }
    }

    /// Reports whether the kernel has forgotten the local address: it does when a command closes the
    /// subflow, and the event is then the same as for a reset by the peer without a reason.
    fn is_forgotten(&self, sock: BorrowedFd<'_>) -> bool {
        let LocalEnd { ip, port, .. } = self.plan.local;
        // Before Linux 6.10 the kernel does not list the addresses.
        addresses_by_token(sock)
            && known_addresses(self.plan.connection(sock))
                .is_ok_and(|known| !known.iter().any(|known| known.ip == ip && known.port == port))
    }

    /// The error for a subflow that the peer reset, before or after its answer.
    fn reset_by_peer(&self, reason: Option<u32>) -> Error {
        let remote = self.plan.remote;
        let reason_text = reason
            .map_or(String::new(), |reason| format!(" (reason {reason} of RFC 8684, section 3.6)"));
        if is_limit(reason) || (self.is_answered && reason.is_none()) {
            let what = if self.is_answered {
                "answered the subflow, then reset it"
            } else {
                "refused the subflow"
            };
            Error::new(ErrorKind::PeerLimit, OPERATION)
                .detail(format!("{remote} {what}{reason_text}"))
        } else {
            cause::REFUSED_JOIN
                .error(OPERATION)
                .detail(format!("{remote} reset the subflow{reason_text}"))
        }
    }

    /// The error of a subflow that has not joined in time.
    pub(crate) fn timed_out(&self, sock: BorrowedFd<'_>) -> Error {
        let Plan { local, remote, .. } = &self.plan;
        if self.plan.route == RouteState::Missing && self.answered_at.is_none() {
            let error = self.plan.way(sock).no_route(OPERATION);
            let missing = error.detail_text().unwrap_or_default();
            let detail = format!("{missing}, and no neighbour has the address");
            return error.detail(detail);
        }
        let error = |detail| Error::new(ErrorKind::TimedOut, OPERATION).detail(detail);
        let Some(answered) = self.answered_at else {
            let silent = error(format!("{remote} did not answer {} in time", local.ip));
            return self.filtered(sock).unwrap_or(silent);
        };
        let heard = listed(sock, self.ends()).ok().flatten();
        if answered.elapsed() > ANSWER_REPEATED && heard.is_some_and(|s| s.segments_received <= 1) {
            return cause::DEFERRED_ACCEPT.error(OPERATION).detail(format!(
                "{remote} answered, and then neither acknowledged the subflow nor repeated its answer"
            ));
        }
        error(format!("{remote} answered, but did not acknowledge the subflow in time"))
    }

    /// The error if this host has dropped packets while nothing came back, because the route back to
    /// their sender is another one.
    fn filtered(&self, sock: BorrowedFd<'_>) -> Option<Error> {
        let dropped = reverse_path::dropped(sock)?.checked_sub(self.dropped_before?)?;
        if dropped == 0 || !self.plan.remote.is_ipv4() {
            return None;
        }
        let name = self.plan.way(sock).interface_name().unwrap_or_else(|| "INTERFACE".to_owned());
        let remote = self.plan.remote;
        Some(Error::new(ErrorKind::TimedOut, OPERATION)
            .detail(format!(
                "no answer of {remote} arrived, and this host's reverse-path filter dropped {dropped} \
                 packets in that time (IPReversePathFilter)"
            ))
            // With slashes, because the name of an interface may contain dots.
            .with_remedy(format!("Make the filter loose: sysctl net/ipv4/conf/{name}/rp_filter=2.")))
    }
}

/// Reports whether this is the remote end of a subflow that was disconnected: without its port.
fn is_disconnected(end: SocketAddr, remote: SocketAddr) -> bool {
    end.port() == 0 && end.ip() == remote.ip()
}

/// The reason with which the kernel resets a subflow whose answer has no Multipath TCP option
/// (`MPTCP_RST_EMPTCP`).
const RESET_BY_OPTIONS: u32 = 1;

/// Reports whether a peer that has reached its limit gives this reason: "unspecified", "lack of resources"
/// or "administratively prohibited".
fn is_limit(reason: Option<u32>) -> bool {
    matches!(reason, Some(0 | 2 | 3))
}

fn listed(
    sock: BorrowedFd<'_>,
    (local, remote): (SocketAddr, SocketAddr),
) -> Result<Option<Subflow>> {
    let mut subflows = list_fd(sock, OPERATION)?.into_iter();
    Ok(subflows
        .find(|subflow| is_same_end(subflow.local, local) && is_same_end(subflow.remote, remote)))
}
