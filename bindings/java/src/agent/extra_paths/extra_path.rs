//! One further path of every connection, and the connections that do not have it yet.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::mem::take;
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use subflows::{Error, ErrorKind, Open, Opening};

use super::agent_sockets::{self, AgentSocket};
use super::shared_descriptor::SharedDescriptor;

/// So many are being opened at once, of each path: the kernel copies every event for each of them.
const AT_ONCE: usize = 32;
/// After so many in a row that were not answered, one at a time finds out whether the path is back:
/// each would send segments for seconds, and all that wait for a turn would use theirs up in vain.
const SILENT: usize = 8;
/// What may be otherwise a little later is tried again after these.
const DELAYS: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(5)];
/// Between two looks at one that is being opened: first, and at most. The events tell when
/// something has happened; that it is usable follows a moment later, and is told by nobody.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LAST_LOOK: Duration = Duration::from_millis(50);

/// A connection that the application has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) socket: AgentSocket,
    pub(super) token: u32,
}

pub(super) struct ExtraPath<'fd> {
    options: Open,
    descriptor: &'fd SharedDescriptor,
    /// The connections that have had their turn or wait for it: one for each descriptor.
    taken: HashMap<RawFd, u32>,
    waiting: BinaryHeap<Reverse<Wanted>>,
    running: Vec<Running<'fd>>,
    /// How many were not answered since the last that was.
    silent: usize,
}

/// A connection that is to have the path, from that time on.
struct Wanted {
    at: Instant,
    client: Client,
    tries: usize,
}

struct Running<'fd> {
    wanted: Wanted,
    opening: Opening<&'fd SharedDescriptor>,
    look_at: Instant,
    pause: Duration,
}

/// The subflow is usable, the application has closed the connection, or it failed.
enum Outcome {
    Usable,
    Closed,
    Failed(Error),
}

impl<'fd> ExtraPath<'fd> {
    pub(super) fn new(options: Open, descriptor: &'fd SharedDescriptor) -> ExtraPath<'fd> {
        ExtraPath {
            options,
            descriptor,
            taken: HashMap::new(),
            waiting: BinaryHeap::new(),
            running: Vec::new(),
            silent: 0,
        }
    }

    /// The connection takes further subflows. To be told so again does nothing.
    pub(super) fn want(&mut self, client: Client) {
        if self.taken.insert(client.socket.number, client.token) != Some(client.token) {
            self.wait(Wanted { at: Instant::now(), client, tries: 0 });
        }
    }

    fn wait(&mut self, wanted: Wanted) {
        // A path that is silent is waited for longer than connections last.
        if self.waiting.len() >= 2 * agent_sockets::count() {
            self.waiting.retain(|Reverse(wanted)| agent_sockets::is_last(wanted.client.socket));
        }
        self.waiting.push(Reverse(wanted));
    }

    /// Something has happened to that connection.
    pub(super) fn hear(&mut self, token: u32) {
        for running in self.running.iter_mut().filter(|it| it.wanted.client.token == token) {
            running.look_at = Instant::now();
            running.pause = FIRST_LOOK;
        }
    }

    /// When the next step is due.
    pub(super) fn due(&self) -> Option<Instant> {
        let turn = self.waiting.peek().filter(|_| self.has_room());
        let turn = turn.map(|Reverse(wanted)| wanted.at);
        self.running.iter().map(|running| running.look_at).chain(turn).min()
    }

    fn has_room(&self) -> bool {
        self.running.len() < if self.silent < SILENT { AT_ONCE } else { 1 }
    }

    /// Does what is due, and tells what did not work out.
    pub(super) fn step(&mut self, mut tell: impl FnMut(&Open, &Error)) {
        let now = Instant::now();
        let is_due = |running: &Running<'_>| running.look_at <= now;
        let (due, later): (Vec<_>, Vec<_>) = take(&mut self.running).into_iter().partition(is_due);
        self.running = later;
        for running in due {
            self.look(running, &mut tell);
        }
        while self.has_room() && self.waiting.peek().is_some_and(|Reverse(it)| it.at <= now) {
            if let Some(Reverse(wanted)) = self.waiting.pop() {
                self.begin(wanted, &mut tell);
            }
        }
    }

    fn begin(&mut self, wanted: Wanted, tell: &mut impl FnMut(&Open, &Error)) {
        let Client { socket, token } = wanted.client;
        let begun = self.descriptor.with(socket, || {
            // Inodes come again, after four thousand million.
            let is_it = subflows::status(self.descriptor)?.token == Some(token);
            is_it.then(|| Opening::begin(self.descriptor, &self.options)).transpose()
        });
        match begun {
            Some(Ok(Some(opening))) => {
                let look_at = Instant::now() + FIRST_LOOK;
                self.running.push(Running { wanted, opening, look_at, pause: FIRST_LOOK });
            }
            Some(Ok(None)) | None => self.settle(wanted, Outcome::Closed, tell),
            Some(Err(error)) => self.settle(wanted, Outcome::Failed(error), tell),
        }
    }

    fn look(&mut self, mut running: Running<'fd>, tell: &mut impl FnMut(&Open, &Error)) {
        let outcome = match self
            .descriptor
            .with(running.wanted.client.socket, || running.opening.advance())
        {
            Some(Ok(None)) => {
                running.pause = (running.pause * 2).min(LAST_LOOK);
                running.look_at = Instant::now() + running.pause;
                self.running.push(running);
                return;
            }
            Some(Ok(Some(_))) => Outcome::Usable,
            Some(Err(error)) => Outcome::Failed(error),
            None => Outcome::Closed,
        };
        self.settle(running.wanted, outcome, tell);
    }

    fn settle(&mut self, wanted: Wanted, outcome: Outcome, tell: &mut impl FnMut(&Open, &Error)) {
        let error = match outcome {
            Outcome::Usable => {
                self.silent = 0;
                return;
            }
            Outcome::Closed => return,
            Outcome::Failed(error) => error,
        };
        let is_silence = matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Unreachable);
        self.silent += usize::from(is_silence);
        if self.silent == SILENT && is_silence {
            tell(&self.options, &error);
        }
        match error.kind() {
            // It is over, or the application has decided otherwise.
            ErrorKind::Closed | ErrorKind::NotConnected | ErrorKind::NotControlled => {}
            ErrorKind::Refused
            | ErrorKind::NotReady
            | ErrorKind::TimedOut
            | ErrorKind::Unreachable
            | ErrorKind::Busy
            // Short of descriptors, for one.
            | ErrorKind::Os => match DELAYS.get(wanted.tries) {
                Some(delay) => {
                    let at = Instant::now() + *delay;
                    self.wait(Wanted { at, tries: wanted.tries + 1, ..wanted });
                }
                // It never moved any data. When it does, that is told.
                None if error.kind() == ErrorKind::NotReady => {
                    self.taken.remove(&wanted.client.socket.number);
                }
                None => tell(&self.options, &error),
            },
            _ => tell(&self.options, &error),
        }
    }
}

impl Ord for Wanted {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

impl PartialOrd for Wanted {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Wanted {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Wanted {}
