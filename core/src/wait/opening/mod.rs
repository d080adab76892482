//! A subflow that is being opened.

mod ends;
mod join;
mod plan;
mod rest;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use crate::door::events::follow;
use crate::door::path_manager::path_manager;
use crate::door::{self, Door, Refused, Why};
use crate::error::{Error, ErrorKind, Result};
use crate::shared::path_manager::PathManager;
use crate::shared::ready::is_ready;
use crate::shared::socket_state::{
    MptcpState, SocketState, not_mptcp_error, query_error, require_same_namespace, state_of,
    unsteerable_reason,
};
use crate::shared::subflow::Subflow;
use crate::sys::event::KernelEvents;
use crate::sys::mptcp::{self, Info};
use crate::sys::{fork, socket};
use crate::table::options;
use crate::wait::wake_fd::WakeFd;
use join::Join;
use plan::{Plan, plan};

const OPERATION: &str = "open";
/// How often a port may turn out to be taken.
const PORT_TRIES: usize = 64;
/// How often an address id may turn out to be taken.
const ID_TRIES: usize = 8;
/// Between two tries while the connection is not ready: an event usually comes first.
const READY_POLL: Duration = Duration::from_millis(20);

options! {
    /// How to open a subflow: from where, to where, and for what.
    pub struct Open {
        optional {
            /// The local address to open it from. Without, an address of `interface`; without
            /// both, the address of the initial subflow.
            local: IpAddr,
            /// The interface to send by, by name. Without, the one that owns `local`.
            interface: String,
            /// The remote end. Without, the peer's address as it was connected to; a port of 0
            /// stands for the port that was connected to.
            remote: SocketAddr,
        }
        default {
            /// The local port; 0 chooses a free one from the ephemeral range.
            local_port: u16 = 0,
            /// Ask the peer to use it as backup only, from the start.
            backup: bool = false,
            /// How long to try until it is usable.
            timeout: Duration = Duration::from_secs(5),
            /// Leave the choice of the interface to the routing table, instead of sending by the
            /// one that owns the local address. Strict routers drop what leaves by another: only
            /// for hosts whose routing rules look at the source address.
            unbound: bool = false,
        }
    }
}

/// A subflow that is being opened: a wait that the caller steps.
///
/// Poll [`fd`](Self::fd) for readability until [`deadline`](Self::deadline) and call
/// [`advance`](Self::advance), until it gives the subflow or an error. Dropped before that, the
/// half-open subflow is closed again.
///
/// It owns what it opens on: a reference to a socket, or a duplicate of its descriptor if it is to
/// outlive the socket.
#[derive(Debug)]
pub struct Opening<S: AsFd> {
    sock: S,
    /// What it began is undone by the same door.
    door: &'static dyn Door,
    token: u32,
    options: Open,
    events: KernelEvents,
    deadline: Instant,
    last_try: Instant,
    wake_fd: Option<WakeFd>,
    stage: Stage,
    /// A fork of the process has a copy of this, and nothing to undo.
    generation: u64,
}

#[derive(Debug)]
enum Stage {
    /// The connection is not ready, and what will make it so is on its way.
    Waiting,
    /// The first segment is sent.
    Joining(Box<Join>),
    /// Told to the caller, or failed: there is nothing to undo.
    Done,
}

impl<S: AsFd> Opening<S> {
    /// Checks everything, sends the first segment, and waits for nothing.
    ///
    /// # Errors
    /// As [`open`](crate::open), for what is known at once.
    pub fn begin(sock: S, options: &Open) -> Result<Opening<S>> {
        Opening::begin_by(door::choose(), sock, options)
    }

    fn begin_by(door: &'static dyn Door, sock: S, options: &Open) -> Result<Opening<S>> {
        let fd = sock.as_fd();
        let deadline = socket::deadline_in(options.timeout);
        let info = mptcp::info(fd).map_err(|error| not_mptcp_error(fd, OPERATION, &error))?;
        let token = info.raw.mptcpi_token;
        if token == 0 {
            let not_connected = || Error::new(ErrorKind::NotConnected, OPERATION);
            return Err(unsteerable_reason(fd, OPERATION).unwrap_or_else(not_connected));
        }
        // Subscribed before anything is sent, so that no answer is missed.
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
            stage: Stage::Waiting,
            generation: fork::generation(),
        };
        opening.stage = opening.create()?;
        Ok(opening)
    }

    /// What it opens on.
    pub fn socket(&self) -> &S {
        &self.sock
    }

    /// The descriptor to poll for readability. Made on the first call, which is why it can fail.
    ///
    /// # Errors
    /// `Os` where the process has too many descriptors.
    pub fn fd(&mut self) -> Result<BorrowedFd<'_>> {
        let wake_fd = match self.wake_fd.take() {
            Some(wake_fd) => wake_fd,
            None => {
                let wake_fd = WakeFd::new(self.events.as_fd())
                    .map_err(|error| Error::from_io(OPERATION, &error))?;
                // What happened before the first wait must not be waited for.
                wake_fd.set(self.pause()).map_err(|error| Error::from_io(OPERATION, &error))?;
                wake_fd
            }
        };
        let wake_fd: &WakeFd = self.wake_fd.insert(wake_fd);
        Ok(wake_fd.as_fd())
    }

    /// When it gives up: later than the timeout, by at most half a second, if the subflow has joined
    /// but is still held back.
    pub fn deadline(&self) -> Instant {
        match &self.stage {
            Stage::Joining(join) => self.deadline.max(join.rest_until().unwrap_or(self.deadline)),
            _ => self.deadline,
        }
    }

    /// Looks whether the subflow is usable, without waiting.
    ///
    /// # Errors
    /// As [`open`](crate::open). Nothing is left of the attempt then.
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

    /// Waits for something to happen, at most until the deadline; a signal ends the wait too.
    ///
    /// # Errors
    /// What poll(2) says.
    pub fn wait(&mut self) -> Result<()> {
        let deadline = self.deadline();
        match socket::poll(self.fd()?, libc::POLLIN, Some(deadline)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                Err(Error::from_io(OPERATION, &error))
            }
            _ => Ok(()),
        }
    }

    /// Gives up: the half-open subflow is closed, the connection goes on.
    pub fn cancel(mut self) {
        self.undo();
    }

    /// How long until it is worth another look, if no event comes first.
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
                .detail("this attempt is over, and its outcome was told")
                .with_remedy("Begin another."));
        }
        if matches!(self.stage, Stage::Waiting) && self.may_be_ready(now)? {
            self.last_try = now;
            // Interfaces and ports are chosen by what the thread's namespace has.
            require_same_namespace(self.sock.as_fd(), OPERATION)?;
            self.stage = self.create()?;
        }
        if let Stage::Joining(join) = &mut self.stage {
            if let Some(subflow) = join.poll(self.sock.as_fd(), &mut self.events)? {
                return Ok(Some(subflow));
            }
        }
        if now < self.deadline() {
            return Ok(None);
        }
        Err(match &self.stage {
            Stage::Joining(join) => join.timed_out(),
            _ => Error::new(ErrorKind::TimedOut, OPERATION)
                .detail("the connection did not become ready in time")
                .with_remedy("Check that its initial subflow works."),
        })
    }

    /// Whether something happened to this connection since the last try, or time has passed: the
    /// events of others come by as well.
    fn may_be_ready(&mut self, now: Instant) -> Result<bool> {
        let token = self.token;
        let mut has_news = now >= self.last_try + READY_POLL;
        loop {
            match self.events.take(|event| has_news |= event.token == Some(token)) {
                Ok(true) => {}
                Ok(false) => return Ok(has_news),
                // Among those that were lost may have been ours.
                Err(refusal) if refusal.errno == libc::ENOBUFS => has_news = true,
                Err(refusal) => return Err(query_error(OPERATION, refusal.into())),
            }
        }
    }

    /// Asks the kernel to send the first segment, again where the port or the id was taken.
    fn create(&mut self) -> Result<Stage> {
        let mut plan = match plan(self.sock.as_fd(), self.token, &self.options) {
            Ok(plan) => plan,
            Err(error) => return self.plan_failed(error),
        };
        let (mut ports, mut ids) = (PORT_TRIES, ID_TRIES);
        let sock = self.sock.as_fd();
        let refused: Refused = loop {
            if let Some(id) = plan.choose(sock)? {
                id.claim(self.door, sock, self.token, OPERATION)?;
            }
            match self.door.create(sock, self.token, plan.local, plan.remote) {
                Ok(()) => return Ok(Stage::Joining(Box::new(Join::new(self.door, plan)))),
                Err(refused) => match refused.why {
                    Why::PortTaken if !plan.is_port_given && ports > 0 => ports -= 1,
                    // Also the answer for an id that somebody else took in between.
                    Why::Invalid if ids > 0 && unsteerable_reason(sock, OPERATION).is_none() => {
                        ids -= 1
                    }
                    _ => break refused,
                },
            }
        };
        let why = refused.why;
        let error = refused.during(OPERATION);
        match why {
            Why::NotReady => self.not_ready(error),
            Why::Invalid => {
                Err(unsteerable_reason(sock, OPERATION)
                    .unwrap_or_else(|| self.rejected(&plan, error)))
            }
            _ => Err(error),
        }
    }

    /// The kernel found something wrong with the command, and the connection is not over.
    fn rejected(&self, plan: &Plan, error: Error) -> Error {
        // Before Linux 6.10 this is the first that is heard of it.
        let sock = self.sock.as_fd();
        let manager = mptcp::info(sock).map(|info| path_manager(self.door, sock, &info));
        if matches!(manager, Ok(PathManager::Kernel)) {
            return error.with_kind(ErrorKind::NotControlled);
        }
        let (from, to) = (plan.local.ip, plan.remote);
        error
            .with_kind(ErrorKind::InvalidArgument)
            .detail(format!("the kernel takes no subflow from {from} to {to}"))
            .with_remedy("Use addresses of the socket's own family, and routable ones.")
    }

    /// A connection that is being made has no peer yet to plan for.
    fn plan_failed(&self, error: Error) -> Result<Stage> {
        if error.kind() != ErrorKind::NotConnected {
            return Err(error);
        }
        match state_of(self.sock.as_fd(), OPERATION) {
            Ok(SocketState::Mptcp(_, MptcpState::Connecting)) => Ok(Stage::Waiting),
            _ => Err(unsteerable_reason(self.sock.as_fd(), OPERATION).unwrap_or(error)),
        }
    }

    /// The connection does not take subflows now: for good, or until data has come through.
    fn not_ready(&self, error: Error) -> Result<Stage> {
        if let Some(why) = unsteerable_reason(self.sock.as_fd(), OPERATION) {
            return Err(why);
        }
        match state_of(self.sock.as_fd(), OPERATION)? {
            SocketState::Mptcp(_, MptcpState::Connecting) => Ok(Stage::Waiting),
            SocketState::Mptcp(info, _) if is_data_on_its_way(&info) => Ok(Stage::Waiting),
            // It became ready between the two questions.
            SocketState::Mptcp(..) if is_ready(self.sock.as_fd(), self.token) => Ok(Stage::Waiting),
            // Or was refused or closed meanwhile.
            _ => Err(unsteerable_reason(self.sock.as_fd(), OPERATION)
                .unwrap_or_else(|| error.with_kind(ErrorKind::NotReady))),
        }
    }

    /// Closes what was begun.
    fn undo(&mut self) {
        let is_ours = self.generation == fork::generation();
        if let (Stage::Joining(join), true) = (&self.stage, is_ours) {
            let (local, remote) = join.ends();
            // Where it is gone already, there is nothing to close.
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

/// Data that was sent and not yet acknowledged will, once it is, make the connection ready.
fn is_data_on_its_way(info: &Info) -> bool {
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

    /// A connection that takes further subflows, and its server with the listener that they need.
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
    fn one_door_does_all_that_an_opening_asks() {
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
