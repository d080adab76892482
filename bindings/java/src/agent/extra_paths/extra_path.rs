//! One further path of every connection, and the connections that do not have it yet.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::mem::take;
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use subflows::{Error, ErrorKind, Open, Opening};

use super::agent_sockets::{self, AgentSocket};
use super::shared_descriptor::SharedDescriptor;

/// How many subflows of each path are opened at once: the kernel copies every event for each.
const AT_ONCE: usize = 32;
/// After so many attempts in a row without an answer, only one subflow at a time is opened, until one
/// is answered. Each attempt sends segments for seconds, and the connections that wait would use up
/// their attempts in vain.
const SILENT: usize = 8;
/// The delays before an attempt is repeated, for failures that may be temporary.
const DELAYS: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(5)];
/// The intervals at which a subflow that is being opened is checked: the first, and the longest.
/// Events report its progress, but no event reports that it has become usable, a moment later.
const POLL_MIN: Duration = Duration::from_millis(1);
const POLL_MAX: Duration = Duration::from_millis(50);

/// A connection that the application has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) socket: AgentSocket,
    pub(super) token: u32,
}

pub(super) struct ExtraPath<'fd> {
    options: Open,
    descriptor: &'fd SharedDescriptor,
    /// The tokens of the connections that have been tried or wait, by the number of the descriptor.
    seen: HashMap<RawFd, u32>,
    waiting: BinaryHeap<Reverse<Wanted>>,
    running: Vec<Running<'fd>>,
    /// How many attempts in a row were not answered.
    silent: usize,
}

/// A connection that is to get the path, and when to try.
struct Wanted {
    at: Instant,
    client: Client,
    tries: usize,
}

struct Running<'fd> {
    wanted: Wanted,
    opening: Opening<&'fd SharedDescriptor>,
    due: Instant,
    pause: Duration,
}

/// The result of an attempt.
enum Outcome {
    Usable,
    /// The application has closed the connection.
    Closed,
    Failed(Error),
}

impl<'fd> ExtraPath<'fd> {
    pub(super) fn new(options: Open, descriptor: &'fd SharedDescriptor) -> ExtraPath<'fd> {
        ExtraPath {
            options,
            descriptor,
            seen: HashMap::new(),
            waiting: BinaryHeap::new(),
            running: Vec::new(),
            silent: 0,
        }
    }

    /// Tries to open the path on a connection that accepts further subflows. A second call for the
    /// same connection does nothing.
    pub(super) fn want(&mut self, client: Client) {
        if self.seen.insert(client.socket.number, client.token) != Some(client.token) {
            self.wait(Wanted { at: Instant::now(), client, tries: 0 });
        }
    }

    fn wait(&mut self, wanted: Wanted) {
        // While a path does not answer, connections may end before their turn.
        if self.waiting.len() >= 2 * agent_sockets::count() {
            self.waiting.retain(|Reverse(wanted)| agent_sockets::is_last(wanted.client.socket));
        }
        self.waiting.push(Reverse(wanted));
    }

    /// Checks the subflow of that connection soon, because an event has come.
    pub(super) fn on_event(&mut self, token: u32) {
        for running in self.running.iter_mut().filter(|it| it.wanted.client.token == token) {
            running.due = Instant::now();
            running.pause = POLL_MIN;
        }
    }

    /// When the next step is due.
    pub(super) fn due(&self) -> Option<Instant> {
        let turn = self.waiting.peek().filter(|_| self.has_room());
        let turn = turn.map(|Reverse(wanted)| wanted.at);
        self.running.iter().map(|running| running.due).chain(turn).min()
    }

    fn has_room(&self) -> bool {
        self.running.len() < if self.silent < SILENT { AT_ONCE } else { 1 }
    }

    /// Does what is due, and reports failures.
    pub(super) fn step(&mut self, mut report: impl FnMut(&Open, &Error)) {
        let now = Instant::now();
        let is_due = |running: &Running<'_>| running.due <= now;
        let (due, later): (Vec<_>, Vec<_>) = take(&mut self.running).into_iter().partition(is_due);
        self.running = later;
        for running in due {
            self.check(running, &mut report);
        }
        while self.has_room() && self.waiting.peek().is_some_and(|Reverse(it)| it.at <= now) {
            if let Some(Reverse(wanted)) = self.waiting.pop() {
                self.begin(wanted, &mut report);
            }
        }
    }

    fn begin(&mut self, wanted: Wanted, report: &mut impl FnMut(&Open, &Error)) {
        let Client { socket, token } = wanted.client;
        let begun = self.descriptor.with(socket, || {
            // The number of an inode comes again after 2^32 others.
            let is_same = subflows::status(self.descriptor)?.token == Some(token);
            is_same.then(|| Opening::begin(self.descriptor, &self.options)).transpose()
        });
        match begun {
            Some(Ok(Some(opening))) => {
                let due = Instant::now() + POLL_MIN;
                self.running.push(Running { wanted, opening, due, pause: POLL_MIN });
            }
            Some(Ok(None)) | None => self.settle(wanted, Outcome::Closed, report),
            Some(Err(error)) => self.settle(wanted, Outcome::Failed(error), report),
        }
    }

    fn check(&mut self, mut running: Running<'fd>, report: &mut impl FnMut(&Open, &Error)) {
        let outcome = match self
            .descriptor
            .with(running.wanted.client.socket, || running.opening.advance())
        {
            Some(Ok(None)) => {
                running.pause = (running.pause * 2).min(POLL_MAX);
                running.due = Instant::now() + running.pause;
                self.running.push(running);
                return;
            }
            Some(Ok(Some(_))) => Outcome::Usable,
            Some(Err(error)) => Outcome::Failed(error),
            None => Outcome::Closed,
        };
        self.settle(running.wanted, outcome, report);
    }

    fn settle(&mut self, wanted: Wanted, outcome: Outcome, report: &mut impl FnMut(&Open, &Error)) {
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
            report(&self.options, &error);
        }
        match error.kind() {
            // The connection is over, or the application does not control it.
            ErrorKind::Closed | ErrorKind::NotConnected | ErrorKind::NotControlled => {}
            ErrorKind::Refused
            | ErrorKind::NotReady
            | ErrorKind::TimedOut
            | ErrorKind::Unreachable
            | ErrorKind::Busy
            // For example, no more descriptors.
            | ErrorKind::Os => match DELAYS.get(wanted.tries) {
                Some(delay) => {
                    let at = Instant::now() + *delay;
                    self.wait(Wanted { at, tries: wanted.tries + 1, ..wanted });
                }
                // It has not moved any data yet. An event reports when it does.
                None if error.kind() == ErrorKind::NotReady => {
                    self.seen.remove(&wanted.client.socket.number);
                }
                None => report(&self.options, &error),
            },
            _ => report(&self.options, &error),
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
