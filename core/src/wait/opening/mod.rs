//! Opening a subflow, as a wait that the caller steps.

mod ends;
mod join;
mod options;
mod plan;
mod rest;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use crate::cause;
use crate::door::events::follow;
use crate::door::path_manager::path_manager;
use crate::door::{self, Door, Refused, Why};
use crate::error::{Error, ErrorKind, Result};
use crate::shared::not_controlled::not_controlled;
use crate::shared::path_manager::{PathManager, addresses_by_token};
use crate::shared::ready::is_ready;
use crate::shared::socket_state::{
    MptcpState, SocketState, not_mptcp_error, query_error, require_same_namespace, state_of,
    unsteerable_reason,
};
use crate::shared::subflow::Subflow;
use crate::sys::cache;
use crate::sys::event::{Drain, KernelEvents};
use crate::sys::mptcp::{self, RawInfo};
use crate::sys::sock_diag::SockDiag;
use crate::sys::{fork, poll};
use crate::wait::wake_fd::WakeFd;
use ends::{Choice, RouteState, choose};
use join::Join;
pub use options::Open;
use plan::{Plan, plan};

const OPERATION: &str = "open";
/// How many ports are tried that turn out to be in use.
const PORT_TRIES: usize = 64;
/// How many address ids are tried that turn out to be in use.
const ID_TRIES: usize = 8;
/// The time between two tries while the connection is not ready. An event usually comes first.
const READY_POLL: Duration = Duration::from_millis(20);

/// A subflow that is being opened, for a caller with an event loop of its own.
///
/// Poll [`fd`](Self::fd) for readability until [`deadline`](Self::deadline), then call
/// [`advance`](Self::advance). Repeat until it returns the subflow or an error. If the value is dropped
/// before that, the half-open subflow is closed.
///
/// The value owns `S`: a reference to a socket, or a duplicate of the socket's descriptor if the value
/// is to outlive the socket.
#[derive(Debug)]
pub struct Opening<S: AsFd> {
    sock: S,
    /// The door that began the subflow also undoes it.
    door: &'static dyn Door,
    token: u32,
    options: Open,
    events: KernelEvents,
    deadline: Instant,
    last_try: Instant,
    wake_fd: Option<WakeFd>,
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

impl<S: AsFd> Opening<S> {
    /// Starts to open a subflow: checks the socket and the options, and sends the first segment. Never
    /// waits.
    ///
    /// # Errors
    /// As [`open`](crate::open), without those that need an answer of the network.
    pub fn begin(sock: S, options: &Open) -> Result<Opening<S>> {
        Opening::begin_by(door::choose(), sock, options)
    }

    fn begin_by(door: &'static dyn Door, sock: S, options: &Open) -> Result<Opening<S>> {
        let fd = sock.as_fd();
        let deadline = poll::deadline_in(options.timeout);
        let info = mptcp::info(fd).map_err(|error| not_mptcp_error(fd, OPERATION, &error))?;
        let token = info.raw.mptcpi_token;
        if token == 0 {
            let not_connected = || Error::new(ErrorKind::NotConnected, OPERATION);
            return Err(unsteerable_reason(fd, OPERATION).unwrap_or_else(not_connected));
        }
        require_subflow_table(fd)?;
        // Subscribe before the first segment is sent, so that no answer is missed.
        let events = follow(door, Some(fd), OPERATION)?;
        let options = options.clone();
        let mut opening = Opening {
            sock,
            door,
            token,
            options,
            events,
            deadline,
            last_try: Instant::now(),
            wake_fd: None,
            stage: Stage::Waiting(None),
            generation: fork::generation(),
        };
        opening.stage = opening.create()?;
        Ok(opening)
    }

    /// Returns the socket, as it was passed to [`begin`](Self::begin).
    pub fn socket(&self) -> &S {
        &self.sock
    }

    /// Returns the descriptor to poll for readability. The first call creates it.
    ///
    /// # Errors
    /// `Os` if the process has too many open descriptors.
    pub fn fd(&mut self) -> Result<BorrowedFd<'_>> {
        let wake_fd = match self.wake_fd.take() {
            Some(wake_fd) => wake_fd,
            None => {
                let wake_fd = WakeFd::new(self.events.as_fd())
                    .map_err(|error| Error::from_io(OPERATION, &error))?;
                // The first wait must also end if its event came before.
                wake_fd.set(self.pause()).map_err(|error| Error::from_io(OPERATION, &error))?;
                wake_fd
            }
        };
        let wake_fd: &WakeFd = self.wake_fd.insert(wake_fd);
        Ok(wake_fd.as_fd())
    }

    /// Returns when the attempt gives up. That is at most half a second after the timeout, if the subflow
    /// has joined but is still held back.
    pub fn deadline(&self) -> Instant {
        match &self.stage {
            Stage::Joining(join) => self.deadline.max(join.rest_until().unwrap_or(self.deadline)),
            _ => self.deadline,
        }
    }

    /// Returns the subflow if it is usable, or `None` if it is not yet. Never waits.
    ///
    /// # Errors
    /// As [`open`](crate::open). The half-open subflow is then closed.
    pub fn advance(&mut self) -> Result<Option<Subflow>> {
        if let Some(wake_fd) = &self.wake_fd {
            wake_fd.clear();
        }
        let result = self.step();
        match &result {
            Ok(None) => {
                if let Some(wake_fd) = &self.wake_fd {
                    wake_fd.set(self.pause()).map_err(|error| Error::from_io(OPERATION, &error))?;
                }
            }
            Ok(Some(_)) => self.stage = Stage::Done,
            Err(_) => self.undo(),
        }
        result
    }

    /// Waits until [`advance`](Self::advance) has something to do, at most until the deadline. A signal
    /// ends the wait too.
    ///
    /// # Errors
    /// Those of poll(2).
    pub fn wait(&mut self) -> Result<()> {
        let deadline = self.deadline();
        match poll::until(self.fd()?, libc::POLLIN, Some(deadline)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                Err(Error::from_io(OPERATION, &error))
            }
            _ => Ok(()),
        }
    }

    /// Gives up and closes the half-open subflow. The connection stays open.
    pub fn cancel(mut self) {
        self.undo();
    }

    /// How long to wait before the next step, if no event comes first.
    fn pause(&self) -> Duration {
        match &self.stage {
            Stage::Joining(join) => join.next_poll(),
            _ => READY_POLL,
        }
    }

    fn step(&mut self) -> Result<Option<Subflow>> {
        let now = Instant::now();
        if matches!(self.stage, Stage::Done) {
            return Err(Error::new(ErrorKind::InvalidState, OPERATION)
                .detail("this attempt has already finished")
                .with_remedy("Begin a new one: Opening::begin."));
        }
        if matches!(self.stage, Stage::Waiting(_)) && self.may_be_ready(now)? {
            self.last_try = now;
            // Interfaces and ports are chosen in the thread's network namespace.
            require_same_namespace(self.sock.as_fd(), OPERATION)?;
            self.stage = self.create()?;
        }
        self.take_better_path(now)?;
        if let Stage::Joining(join) = &mut self.stage {
            match join.poll(self.sock.as_fd(), &mut self.events) {
                Ok(Some(subflow)) => return Ok(Some(subflow)),
                Ok(None) => {}
                // The peer is no neighbour: wait for a route.
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
            Stage::Joining(join) => join.timed_out(self.sock.as_fd()),
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
    fn create(&mut self) -> Result<Stage> {
        let ends = match choose(self.sock.as_fd(), &self.options) {
            Ok(Choice::Ends(ends)) => ends,
            Ok(Choice::NotYet(error)) => return self.not_yet(error),
            Err(error) => return self.plan_failed(error),
        };
        // The path without a route has been tried once.
        if let (RouteState::Missing, Stage::Waiting(Some(error))) = (ends.route, &self.stage) {
            return self.not_yet(error.clone());
        }
        let mut plan = match plan(self.sock.as_fd(), self.token, &self.options, ends) {
            Ok(plan) => plan,
            Err(error) => return self.plan_failed(error),
        };
        let (mut ports, mut ids) = (PORT_TRIES, ID_TRIES);
        let sock = self.sock.as_fd();
        let mut is_id_freed = false;
        let refused: Refused = loop {
            if !is_id_freed {
                if let Some(id) = plan.choose(sock)? {
                    id.claim(self.door, sock, self.token, OPERATION)?;
                }
            }
            is_id_freed = false;
            match self.door.create(sock, self.token, plan.local, plan.remote) {
                Ok(()) => return Ok(Stage::Joining(Box::new(Join::new(self.door, plan)))),
                Err(refused) => match refused.why {
                    Why::PortTaken if !plan.is_port_given && ports > 0 => ports -= 1,
                    // Also the answer for an id that another thread has used in the meantime.
                    Why::Invalid if ids > 0 && unsteerable_reason(sock, OPERATION).is_none() => {
                        ids -= 1;
                        // Before Linux 6.10 nothing shows which ids the kernel keeps for subflows
                        // that were refused. After several, this is one of them.
                        is_id_freed = ids < ID_TRIES / 2
                            && !addresses_by_token(sock)
                            && self.door.remove(sock, self.token, plan.local.id).is_ok();
                    }
                    _ => break refused,
                },
            }
        };
        let why = refused.why;
        let error = refused.during(OPERATION);
        let (way, errno) = (plan.way(sock), error.raw_os_error().unwrap_or(0));
        match (why, way.blocked_by(errno)) {
            (Why::NotReady, _) => self.not_ready(error),
            (Why::PortTaken, _) if !plan.is_port_given => Err(cause::NO_PORT_LEFT.explain(error)),
            (_, Some(cause)) => Err(way.rejected(cause, error)),
            // The route has gone since it was asked for, or a routing rule hides it from the socket.
            (Why::Other, _) if errno == libc::ENETUNREACH => self.not_yet(way.no_route(OPERATION)),
            (Why::Other, _) if error.kind() == ErrorKind::Unreachable => {
                Err(way.unreachable(error))
            }
            (Why::Invalid, _) => {
                Err(unsteerable_reason(sock, OPERATION)
                    .unwrap_or_else(|| self.rejected(&plan, error)))
            }
            _ => Err(error),
        }
    }

    /// The error of a command that the kernel rejected, although the connection has not ended.
    fn rejected(&self, plan: &Plan, error: Error) -> Error {
        // Before Linux 6.10 nothing has shown this earlier.
        let sock = self.sock.as_fd();
        let manager = mptcp::info(sock).map(|info| path_manager(self.door, sock, &info));
        if matches!(manager, Ok(PathManager::Kernel)) {
            return not_controlled(sock, OPERATION);
        }
        let (from, to) = (plan.local.ip, plan.remote);
        error
            .with_kind(ErrorKind::InvalidArgument)
            .detail(format!("the kernel rejects a subflow from {from} to {to}"))
            .with_remedy(
                "Use addresses of the socket's family for which there is a route: \
                 ip route get REMOTE from LOCAL.",
            )
    }

    /// Waits if planning failed because the connection is still being established.
    fn plan_failed(&self, error: Error) -> Result<Stage> {
        if error.kind() != ErrorKind::NotConnected {
            return Err(error);
        }
        match state_of(self.sock.as_fd(), OPERATION) {
            Ok(SocketState::Mptcp(_, MptcpState::Connecting)) => Ok(Stage::Waiting(None)),
            _ => Err(unsteerable_reason(self.sock.as_fd(), OPERATION).unwrap_or(error)),
        }
    }

    /// Waits for an address or a route, unless the connection accepts no subflow at all.
    fn not_yet(&self, error: Error) -> Result<Stage> {
        let sock = self.sock.as_fd();
        if let Some(why) = unsteerable_reason(sock, OPERATION) {
            return Err(why);
        }
        let info = mptcp::info(sock).map_err(|error| not_mptcp_error(sock, OPERATION, &error))?;
        if path_manager(self.door, sock, &info) == PathManager::Kernel {
            return Err(Error::new(ErrorKind::NotControlled, OPERATION));
        }
        if !is_ready(sock, self.token) {
            return self.not_ready(Error::new(ErrorKind::NotReady, OPERATION));
        }
        Ok(Stage::Waiting(Some(error)))
    }

    /// Starts again if a better path has come while the first segment is unanswered: the path was
    /// chosen without a route by the interface that it should take.
    fn take_better_path(&mut self, now: Instant) -> Result<()> {
        let Stage::Joining(join) = &self.stage else { return Ok(()) };
        let Some(plan) = join.unanswered() else { return Ok(()) };
        if plan.route == RouteState::Found || now < self.last_try + READY_POLL {
            return Ok(());
        }
        self.last_try = now;
        require_same_namespace(self.sock.as_fd(), OPERATION)?;
        if let Ok(Choice::Ends(ends)) = choose(self.sock.as_fd(), &self.options) {
            if ends.route == RouteState::Found {
                self.undo();
                self.stage = Stage::Waiting(None);
                self.stage = self.create()?;
            }
        }
        Ok(())
    }

    /// Waits if the connection will accept subflows later. Fails if it never will, or if nothing is on
    /// its way that would make it ready.
    fn not_ready(&self, error: Error) -> Result<Stage> {
        if let Some(why) = unsteerable_reason(self.sock.as_fd(), OPERATION) {
            return Err(why);
        }
        match state_of(self.sock.as_fd(), OPERATION)? {
            SocketState::Mptcp(_, MptcpState::Connecting) => Ok(Stage::Waiting(None)),
            SocketState::Mptcp(info, _) if is_data_on_its_way(&info) => Ok(Stage::Waiting(None)),
            // It became ready since the command.
            SocketState::Mptcp(..) if is_ready(self.sock.as_fd(), self.token) => {
                Ok(Stage::Waiting(None))
            }
            // Or it was refused or closed in the meantime.
            _ => Err(unsteerable_reason(self.sock.as_fd(), OPERATION)
                .unwrap_or_else(|| error.with_kind(ErrorKind::NotReady))),
        }
    }

    /// Closes the half-open subflow.
    fn undo(&mut self) {
        let is_ours = self.generation == fork::generation();
        if let (Stage::Joining(join), true) = (&self.stage, is_ours) {
            let (local, remote) = join.ends();
            // If it has ended already, there is nothing to close.
            let _ = self.door.destroy(self.sock.as_fd(), self.token, local, remote);
        }
        self.stage = Stage::Done;
    }
}

impl<S: AsFd> Drop for Opening<S> {
    fn drop(&mut self) {
        self.undo();
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use subflows_lab::{Net, ready};

    use super::*;
    use crate::door::recorder::Recorder;
    use crate::{Connect, Listen};

    /// A connection that accepts further subflows, and its server with the listener that they need.
    fn connected(net: &Net) -> (TcpStream, (TcpStream, TcpListener)) {
        let address = (net.paths[0].server_v4, 0);
        let listener = net.server.run(|| crate::listen(address, &Listen::new())).unwrap();
        let address = listener.local_addr().unwrap();
        let control = Connect::new().control(true);
        let mut client = net.client.run(|| crate::connect(address, &control)).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.write_all(b"?").unwrap();
        server.read_exact(&mut [0]).unwrap();
        server.write_all(b"!").unwrap();
        client.read_exact(&mut [0]).unwrap();
        (client, (server, listener))
    }

    #[test]
    fn one_door_does_every_act_of_an_opening() {
        if !ready() {
            return;
        }
        let net = Net::two_subnets().unwrap();
        let (client, _server) = connected(&net);
        let options = Open::new().interface(&net.paths[1].client_interface);
        let door = Recorder::new();
        net.client.run(|| {
            let mut opening = Opening::begin_by(door, &client, &options).unwrap();
            while opening.advance().unwrap().is_none() {
                opening.wait().unwrap();
            }
        });
        assert_eq!(door.acts(), ["events", "create", "set_backup"]);
    }

    #[test]
    fn the_door_that_began_undoes() {
        if !ready() {
            return;
        }
        let net = Net::two_subnets().unwrap();
        let (client, _server) = connected(&net);
        net.paths[1].pull_cable().unwrap();
        let options = Open::new().interface(&net.paths[1].client_interface);
        let door = Recorder::new();
        net.client.run(|| drop(Opening::begin_by(door, &client, &options).unwrap()));
        assert_eq!(door.acts(), ["events", "create", "destroy"]);
        assert_eq!(crate::list(&client).unwrap().len(), 1);
    }
}
