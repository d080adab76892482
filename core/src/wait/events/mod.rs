//! A stream of events: of one connection, or of the network namespace.

mod event;

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use crate::door;
use crate::error::{Error, Result};
use crate::shared::socket_state::query_error;
use crate::shared::subflow::list_fd;
use crate::shared::subflow_state::SubflowState;
use crate::sys::cache::QueryError;
use crate::sys::event::{KernelEvent, KernelEvents};
use crate::sys::netlink::NetlinkError;
use crate::sys::poll;
use crate::sys::sock_diag::{RawConnection, SockDiag};
pub use event::{Event, EventKind};

const OPERATION: &str = "events";

/// A subflow by the ends that every source tells alike.
type Ends = (u32, (IpAddr, u16), (IpAddr, u16));

fn ends(token: u32, local: SocketAddr, remote: SocketAddr) -> Ends {
    (token, (local.ip(), local.port()), (remote.ip(), remote.port()))
}

/// A stream of events: of one connection, or of the network namespace.
#[derive(Debug)]
pub struct Events {
    stream: KernelEvents,
    /// Kept open, because the reader may be in another network namespace by the time of a loss.
    diag: SockDiag,
    token: Option<u32>,
    queue: VecDeque<Event>,
    /// The connections and the subflows that the reader knows to be open.
    connections: HashSet<u32>,
    known: HashSet<Ends>,
    /// Those of them that the last resync told: the kernel may tell them once more.
    resynced: HashSet<Ends>,
    /// Those whose end the last resync told: likewise.
    buried: HashSet<Ends>,
    is_lossy: bool,
}

impl Events {
    /// Follows every connection and listener of the calling thread's network namespace.
    ///
    /// # Errors
    /// `NotPermitted` without `CAP_NET_ADMIN`.
    pub fn of_namespace() -> Result<Events> {
        Events::open(None, None)
    }

    pub(crate) fn open(sock: Option<BorrowedFd<'_>>, token: Option<u32>) -> Result<Events> {
        let stream = door::choose().events(sock).map_err(|refused| refused.during(OPERATION))?;
        let diag = SockDiag::open().map_err(refused)?;
        let mut events = Events {
            stream,
            diag,
            token,
            queue: VecDeque::new(),
            connections: HashSet::new(),
            known: HashSet::new(),
            resynced: HashSet::new(),
            buried: HashSet::new(),
            is_lossy: false,
        };
        // What is open already is no news, and is missed if it closes while events are lost.
        match (sock, token) {
            (Some(sock), Some(token)) => {
                let open = list_fd(sock, OPERATION)?.into_iter().filter(|s| is_open(s.state));
                events.known = open.map(|s| ends(token, s.local, s.remote)).collect();
                events.connections.insert(token);
            }
            _ => {
                events.known = events.open_subflows().map_err(refused)?;
                events.connections =
                    events.open_connections().map_err(refused)?.into_keys().collect();
            }
        }
        Ok(events)
    }

    /// Becomes readable when events wait. Take them with [`try_next`](Self::try_next) until it
    /// gives none: some may be out of the descriptor already.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// How many bytes of events the kernel keeps for us; by default about 256 events' worth. More
    /// than `net.core.rmem_max` needs `CAP_NET_ADMIN`.
    pub fn set_buffer(&self, bytes: u32) {
        self.stream.set_buffer(i32::try_from(bytes).unwrap_or(i32::MAX));
    }

    /// The next event that is there now.
    ///
    /// # Errors
    /// What the kernel says to reading; loss is an event and no error.
    pub fn try_next(&mut self) -> Result<Option<Event>> {
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Ok(Some(event));
            }
            if !self.read()? {
                return Ok(None);
            }
        }
    }

    /// Waits for the next event: at most that long, or without a limit if `timeout` is `None`.
    /// Returns `None` when the time is up or a signal came.
    ///
    /// # Errors
    /// As [`try_next`](Self::try_next).
    pub fn next(&mut self, timeout: impl Into<Option<Duration>>) -> Result<Option<Event>> {
        let deadline = timeout.into().map(poll::deadline_in);
        loop {
            if let Some(event) = self.try_next()? {
                return Ok(Some(event));
            }
            match poll::until(self.fd(), libc::POLLIN, deadline) {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(None),
                Err(error) => {
                    return Err(Error::from_io(OPERATION, &error));
                }
            }
        }
    }

    /// Reads one datagram into the queue; false where nothing more can come of reading now.
    fn read(&mut self) -> Result<bool> {
        let mut received = Vec::new();
        match self.stream.take(|event| received.push(event)) {
            Ok(true) => {
                for event in received {
                    self.note(&event);
                }
                Ok(true)
            }
            // The kernel tells a loss before it hands out what it kept from before the loss.
            Err(refusal) if refusal.errno == libc::ENOBUFS => {
                self.queue.push_back(Event::of(EventKind::Lost, self.token));
                self.is_lossy = true;
                Ok(true)
            }
            Err(refusal) => Err(refused(refusal)),
            Ok(false) if self.is_lossy => {
                self.resync().map_err(refused)?;
                self.is_lossy = false;
                Ok(true)
            }
            Ok(false) => Ok(false),
        }
    }

    fn note(&mut self, event: &KernelEvent) {
        if self.token.is_some() && event.token != self.token {
            return;
        }
        let told = Event::from_kernel(event);
        let ends = match (event.token, event.local, event.remote) {
            (Some(token), Some(local), Some(remote)) => Some(ends(token, local, remote)),
            _ => None,
        };
        match (told.kind, ends) {
            (EventKind::Created | EventKind::Established, Some(ends)) => {
                self.known.insert(ends);
                let is_known = !self.connections.insert(ends.0);
                // A resync has told it as established.
                if self.resynced.contains(&ends) && is_known {
                    return;
                }
            }
            (EventKind::SubflowEstablished, Some(ends)) => {
                self.known.insert(ends);
                self.buried.remove(&ends);
                if self.resynced.remove(&ends) {
                    return;
                }
            }
            (EventKind::SubflowClosed, Some(ends)) => {
                self.resynced.remove(&ends);
                // One that is not known may have failed before it was open: that is news.
                if !self.known.remove(&ends) && self.buried.remove(&ends) {
                    return;
                }
            }
            (EventKind::Closed, _) => {
                self.known.retain(|(token, ..)| Some(*token) != event.token);
                if event.token.is_some_and(|token| !self.connections.remove(&token)) {
                    return;
                }
            }
            _ => {}
        }
        self.queue.push_back(told);
    }

    /// Tells what changed while events were lost: the difference between what the reader knows and
    /// what the kernel has.
    fn resync(&mut self) -> std::result::Result<(), NetlinkError> {
        let (open, connections) = (self.open_subflows()?, self.open_connections()?);
        // What came before an earlier resync has been read by now.
        self.resynced.clear();
        self.buried.clear();
        for (token, initial) in &connections {
            if self.connections.contains(token) || self.token.is_some() {
                continue;
            }
            self.tell_again(EventKind::Established, *token, Some(*initial));
            self.known.insert(*initial);
            self.resynced.insert(*initial);
        }
        for ends in self.known.difference(&open).copied().collect::<Vec<_>>() {
            self.tell_again(EventKind::SubflowClosed, ends.0, Some(ends));
            self.buried.insert(ends);
        }
        for ends in open.difference(&self.known).copied().collect::<Vec<_>>() {
            self.tell_again(EventKind::SubflowEstablished, ends.0, Some(ends));
            self.resynced.insert(ends);
        }
        let gone = |token: &u32| !connections.contains_key(token);
        for token in self.connections.iter().copied().filter(gone).collect::<Vec<_>>() {
            self.tell_again(EventKind::Closed, token, None);
        }
        self.known = open;
        self.connections = connections.into_keys().collect();
        Ok(())
    }

    fn tell_again(&mut self, kind: EventKind, token: u32, ends: Option<Ends>) {
        self.queue.push_back(Event {
            local: ends.map(|(_, local, _)| SocketAddr::from(local)),
            remote: ends.map(|(.., remote)| SocketAddr::from(remote)),
            is_resync: true,
            ..Event::of(kind, Some(token))
        });
    }

    /// The connections that the kernel has, each with its initial ends; of a stream that follows one
    /// connection, at most that one.
    fn open_connections(&mut self) -> std::result::Result<HashMap<u32, Ends>, NetlinkError> {
        let mut connections = HashMap::new();
        let mut add = |found: RawConnection| {
            let token = found.info.raw.mptcpi_token;
            connections.insert(token, ends(token, found.head.local, found.head.remote));
        };
        match self.token.map(|token| self.diag.connection(token)) {
            Some(Ok(found)) => add(found),
            Some(Err(refusal)) if refusal.errno == libc::ENOENT => {}
            Some(Err(refusal)) => return Err(refusal),
            None => self.diag.connections(add)?,
        }
        Ok(connections)
    }

    /// What the kernel has: subflows that were answered.
    fn open_subflows(&mut self) -> std::result::Result<HashSet<Ends>, NetlinkError> {
        let (mut open, ours) = (HashSet::new(), self.token);
        self.diag.subflows(|entry| {
            let is_ours = ours.is_none_or(|token| token == entry.token);
            if is_ours && is_open(SubflowState::from_kernel(entry.head.state)) {
                open.insert(ends(entry.token, entry.head.local, entry.head.remote));
            }
        })?;
        Ok(open)
    }
}

/// One that the peer has closed carries our data until we close it too.
fn is_open(state: SubflowState) -> bool {
    matches!(state, SubflowState::Established | SubflowState::CloseWait)
}

fn refused(refusal: NetlinkError) -> Error {
    query_error(OPERATION, QueryError::Netlink(refusal))
}
