//! One attempt to open a subflow, without the socket, which the owner of the attempt passes to each step.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use super::ends::{Choice, RouteState, choose};
use super::join::Join;
use super::plan::{Plan, plan};
use super::{OPERATION, Open};
use crate::cause;
use crate::door::common::events::follow;
use crate::door::common::path_manager::path_manager;
use crate::door::{Door, Refused, Why};
use crate::error::{Error, ErrorKind, Result};
use crate::shared::connected::Connected;
use crate::shared::interface::needs_scope;
use crate::shared::not_controlled::not_controlled;
use crate::shared::path_manager::{PathManager, addresses_by_token};
use crate::shared::ready::is_ready;
use crate::shared::socket_state::{
    MptcpState, SocketState, not_mptcp_error, query_error, require_same_namespace, state_of,
    unsteerable_reason,
};
use crate::shared::subflow::Subflow;
use crate::sys::event::{Drain, KernelEvents};
use crate::sys::mptcp::{self, RawInfo};
use crate::sys::sock_diag::SockDiag;
use crate::sys::{cache, fork, poll};

/// How many ports are tried that turn out to be in use.
const PORT_TRIES: usize = 64;
/// How many address ids are tried that turn out to be in use.
const ID_TRIES: usize = 8;
/// The time between two tries while the connection is not ready. An event usually comes first.
const READY_POLL: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(super) struct Attempt {
    /// The door that began the subflow also undoes it.
    door: &'static dyn Door,
    token: u32,
    options: Open,
    pub(super) events: KernelEvents,
    deadline: Instant,
    last_try: Instant,
    stage: Stage,
    /// A fork of the process has a copy of this value, and must not undo anything.
    generation: u64,
}

#[derive(Debug)]
enum Stage {
    /// The connection is not ready, and data is on its way that will make it ready. Or an address or a
    /// route is missing that may come in a moment: this is then the error to report at the deadline.
    Waiting(Option<Error>),
    /// The first segment has been sent.
    Joining(Box<Join>),
    /// The caller has the subflow or an error: there is nothing to undo.
    Done,
}

impl Attempt {
    pub(super) fn begin(
        door: &'static dyn Door,
        sock: BorrowedFd<'_>,
        options: &Open,
    ) -> Result<Attempt> {
        let deadline = poll::deadline_in(options.timeout);
        let info = mptcp::info(sock).map_err(|error| not_mptcp_error(sock, OPERATION, &error))?;
        let token = info.raw.mptcpi_token;
        if token == 0 {
            let not_connected = || Error::new(ErrorKind::NotConnected, OPERATION);
            return Err(unsteerable_reason(sock, OPERATION).unwrap_or_else(not_connected));
        }
        require_subflow_table(sock)?;
        // Subscribe before the first segment is sent, so that no answer is missed.
        let events = follow(door, Some(sock), OPERATION)?;
        let options = options.clone();
        let mut attempt = Attempt {
            door,
            token,
            options,
            events,
            deadline,
            last_try: Instant::now(),
            stage: Stage::Waiting(None),
            generation: fork::generation(),
        };
        attempt.stage = attempt.create(sock)?;
        Ok(attempt)
    }

    fn connection<'a>(&self, sock: BorrowedFd<'a>) -> Connected<'a> {
        Connected { sock, token: self.token }
    }

    /// Returns when it gives up.
    pub(super) fn deadline(&self) -> Instant {
        match &self.stage {
            Stage::Joining(join) => self.deadline.max(join.rest_until().unwrap_or(self.deadline)),
            _ => self.deadline,
        }
    }

    /// How long to wait before the next step, if no event comes first.
    pub(super) fn pause(&self) -> Duration {
        match &self.stage {
            Stage::Joining(join) => join.next_poll(),
            _ => READY_POLL,
        }
    }

    /// Returns the subflow if it is usable, or `None` if it is not yet. After an error, the half-open
    /// subflow is closed.
    pub(super) fn advance(&mut self, sock: BorrowedFd<'_>) -> Result<Option<Subflow>> {
        let result = self.step(sock);
        match &result {
            Ok(None) => {}
            Ok(Some(_)) => self.stage = Stage::Done,
            Err(_) => self.undo(sock),
        }
        result
    }

    fn step(&mut self, sock: BorrowedFd<'_>) -> Result<Option<Subflow>> {
        let now = Instant::now();
        if matches!(self.stage, Stage::Done) {
            return Err(Error::new(ErrorKind::InvalidState, OPERATION)
                .detail("this attempt has already finished")
                .with_remedy("Begin a new one: Opening::begin."));
        }
        if matches!(self.stage, Stage::Waiting(_)) && self.may_be_ready(now)? {
            self.last_try = now;
            // Interfaces and ports are chosen in the thread's network namespace.
            require_same_namespace(sock, OPERATION)?;
            self.stage = self.create(sock)?;
        }
        self.take_better_path(sock, now)?;
        if let Stage::Joining(join) = &mut self.stage {
            match join.poll(sock, &mut self.events) {
                Ok(Some(subflow)) => return Ok(Some(subflow)),
                Ok(None) => {}
                // The peer is not a neighbour: wait for a route.
                Err(error)
                    if error.kind() == ErrorKind::Unreachable
                        && join.plan().route == RouteState::Missing =>
                {
                    self.stage = Stage::Waiting(Some(error));
                }
                Err(error) => return Err(error),
            }
        }
        if now < self.deadline() {
            return Ok(None);
        }
        Err(match &self.stage {
            Stage::Joining(join) => join.timed_out(sock),
            Stage::Waiting(Some(error)) => error.clone(),
            _ => Error::new(ErrorKind::TimedOut, OPERATION)
                .detail("the connection did not become ready in time")
                .with_remedy("Check that data arrives on the connection: ss -tin."),
        })
    }

    /// Reports whether an event of this connection came since the last try, or [`READY_POLL`] has passed.
    /// The descriptor also receives the events of other connections.
    fn may_be_ready(&mut self, now: Instant) -> Result<bool> {
        let token = self.token;
        let mut has_news = now >= self.last_try + READY_POLL;
        let mut drain = Drain::default();
        while drain.goes_on(&self.events) {
            match self.events.take(|event| has_news |= event.token == Some(token)) {
                Ok(true) => {}
                Ok(false) => break,
                // An event of this connection may be among those that were lost.
                Err(refusal) if refusal.errno == libc::ENOBUFS => has_news = true,
                Err(refusal) => return Err(query_error(OPERATION, refusal.into())),
            }
        }
        Ok(has_news)
    }

    /// Makes the kernel send the first segment. Tries again if the port or the address id is in use.
    fn create(&mut self, sock: BorrowedFd<'_>) -> Result<Stage> {
        let ends = match choose(sock, &self.options) {
            Ok(Choice::Ends(ends)) => ends,
            Ok(Choice::NotYet(error)) => return self.not_yet(sock, error),
            Err(error) => return self.plan_failed(sock, error),
        };
        // The path without a route has been tried once.
        if let (RouteState::Missing, Stage::Waiting(Some(error))) = (ends.route, &self.stage) {
            return self.not_yet(sock, error.clone());
        }
        let mut plan = match plan(self.connection(sock), &self.options, ends) {
            Ok(plan) => plan,
            Err(error) => return self.plan_failed(sock, error),
        };
        let (mut ports, mut ids) = (PORT_TRIES, ID_TRIES);
        let mut is_id_freed = false;
        let refused: Refused = loop {
            if !is_id_freed {
                if let Some(id) = plan.choose(sock)? {
                    id.claim(self.door, self.connection(sock), OPERATION)?;
                }
            }
            is_id_freed = false;
            match self.door.create(self.connection(sock), plan.local, plan.remote) {
                Ok(()) => return Ok(Stage::Joining(Box::new(Join::new(self.door, plan)))),
                Err(refused) => match refused.why {
                    Why::PortTaken if !plan.is_port_given && ports > 0 => ports -= 1,
                    // Also the answer for an id that another thread has used in the meantime.
                    Why::Rejected if ids > 0 && unsteerable_reason(sock, OPERATION).is_none() => {
                        ids -= 1;
                        // Before Linux 6.10 nothing shows which ids the kernel keeps for subflows
                        // that were refused. After several, this is one of them.
                        is_id_freed = ids < ID_TRIES / 2
                            && !addresses_by_token(sock)
                            && self.door.remove(self.connection(sock), plan.local.id).is_ok();
                    }
                    _ => break refused,
                },
            }
        };
        let why = refused.why;
        let error = refused.during(OPERATION);
        let (way, errno) = (plan.way(sock), error.raw_os_error().unwrap_or(0));
        match (why, way.blocked_by(errno)) {
            (Why::NotReady, _) => self.not_ready(sock, error),
            (Why::PortTaken, _) if !plan.is_port_given => Err(cause::NO_PORT_LEFT.explain(error)),
            (_, Some(cause)) => Err(way.rejected(cause, error)),
            // The route has gone since it was asked for, or a routing rule hides it from the socket.
            (Why::NoRoute, _) => self.not_yet(sock, way.no_route(OPERATION)),
            (Why::Other, _) if error.kind() == ErrorKind::Unreachable => {
                Err(way.unreachable(error))
            }
            (Why::Rejected, _) => Err(unsteerable_reason(sock, OPERATION)
                .unwrap_or_else(|| self.rejected(sock, &plan, error))),
            _ => Err(error),
        }
    }

    /// The error of a command that the kernel rejected, although the connection has not ended.
    fn rejected(&self, sock: BorrowedFd<'_>, plan: &Plan, error: Error) -> Error {
        // Before Linux 6.10 nothing has shown this earlier.
        let manager = mptcp::info(sock).map(|info| path_manager(self.door, sock, &info));
        if matches!(manager, Ok(PathManager::Kernel)) {
            return not_controlled(sock, OPERATION);
        }
        let (from, to) = (plan.local.ip, plan.remote);
        if needs_scope(from) || needs_scope(to.ip()) {
            // A kernel that takes the interface rejects nothing that the plan contains.
            return error
                .with_kind(ErrorKind::Unsupported)
                .detail(format!(
                    "the kernel rejects a subflow from {from} to {to}, because it ignores the interface that \
                     a link-local address needs"
                ))
                .with_remedy("Use addresses that are not link-local, or Linux 6.12 or newer.");
        }
        error
            .with_kind(ErrorKind::InvalidArgument)
            .detail(format!("the kernel rejects a subflow from {from} to {to}"))
            .with_remedy(
                "Use addresses of the socket's family for which there is a route: \
                 ip route get REMOTE from LOCAL.",
            )
    }

    /// Waits if planning failed because the connection is still being established.
    fn plan_failed(&self, sock: BorrowedFd<'_>, error: Error) -> Result<Stage> {
        if error.kind() != ErrorKind::NotConnected {
            return Err(error);
        }
        match state_of(sock, OPERATION) {
            // It may have been established since the plan was tried.
            Ok(SocketState::Mptcp(_, MptcpState::Connecting | MptcpState::Connected)) => {
                Ok(Stage::Waiting(None))
            }
            _ => Err(unsteerable_reason(sock, OPERATION).unwrap_or(error)),
        }
    }

    /// Waits for an address or a route, unless the connection accepts no subflow at all.
    fn not_yet(&self, sock: BorrowedFd<'_>, error: Error) -> Result<Stage> {
        if let Some(why) = unsteerable_reason(sock, OPERATION) {
            return Err(why);
        }
        let info = mptcp::info(sock).map_err(|error| not_mptcp_error(sock, OPERATION, &error))?;
        if path_manager(self.door, sock, &info) == PathManager::Kernel {
            return Err(Error::new(ErrorKind::NotControlled, OPERATION));
        }
        if !is_ready(self.connection(sock)) {
            return self.not_ready(sock, Error::new(ErrorKind::NotReady, OPERATION));
        }
        Ok(Stage::Waiting(Some(error)))
    }

    /// Starts again if a better path has come while the first segment is unanswered: the path was
    /// chosen without a route by the interface that it should take.
    fn take_better_path(&mut self, sock: BorrowedFd<'_>, now: Instant) -> Result<()> {
        let Stage::Joining(join) = &self.stage else { return Ok(()) };
        let Some(plan) = join.unanswered() else { return Ok(()) };
        if plan.route == RouteState::Found || now < self.last_try + READY_POLL {
            return Ok(());
        }
        self.last_try = now;
        require_same_namespace(sock, OPERATION)?;
        if let Ok(Choice::Ends(ends)) = choose(sock, &self.options) {
            if ends.route == RouteState::Found {
                self.undo(sock);
                self.stage = Stage::Waiting(None);
                self.stage = self.create(sock)?;
            }
        }
        Ok(())
    }

    /// Waits if the connection will accept subflows later. Fails if it never will, or if nothing is on
    /// its way that would make it ready.
    fn not_ready(&self, sock: BorrowedFd<'_>, error: Error) -> Result<Stage> {
        if let Some(why) = unsteerable_reason(sock, OPERATION) {
            return Err(why);
        }
        match state_of(sock, OPERATION)? {
            SocketState::Mptcp(_, MptcpState::Connecting) => Ok(Stage::Waiting(None)),
            SocketState::Mptcp(info, _) if is_data_on_its_way(&info) => Ok(Stage::Waiting(None)),
            // It became ready since the command.
            SocketState::Mptcp(..) if is_ready(self.connection(sock)) => Ok(Stage::Waiting(None)),
            // Or it has been refused or closed since.
            _ => Err(unsteerable_reason(sock, OPERATION)
                .unwrap_or_else(|| error.with_kind(ErrorKind::NotReady))),
        }
    }

    /// Closes the half-open subflow.
    pub(super) fn undo(&mut self, sock: BorrowedFd<'_>) {
        let is_ours = self.generation == fork::generation();
        if let (Stage::Joining(join), true) = (&self.stage, is_ours) {
            let (local, remote) = join.ends();
            // If it has ended already, there is nothing to close.
            let _ = self.door.destroy(self.connection(sock), local, remote);
        }
        self.stage = Stage::Done;
    }
}

/// Fails if this kernel cannot show whether a subflow has joined: the library would take every subflow
/// for one that has ended.
fn require_subflow_table(sock: BorrowedFd<'_>) -> Result<()> {
    cache::with_socket_for(sock, SockDiag::prove_tcp).map_err(|error| query_error(OPERATION, error))
}

/// Reports whether sent data is unacknowledged: its acknowledgement makes the connection ready.
fn is_data_on_its_way(info: &RawInfo) -> bool {
    info.raw.mptcpi_write_seq != info.raw.mptcpi_snd_una
}
