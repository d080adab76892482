//! A stream of events: of one connection, or of the network namespace.

mod event;
mod resync;

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use crate::door::{self, events::follow};
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
use resync::{Ends, Known, Open, ends};

const OPERATION: &str = "events";

/// A stream of events: of one connection, or of the network namespace.
///
/// Made by [`events`](crate::events) or [`of_namespace`](Self::of_namespace).
#[derive(Debug)]
pub struct Events {
    stream: KernelEvents,
    /// Kept open, because the thread may be in another network namespace when events are lost.
    diag: SockDiag,
    token: Option<u32>,
    queue: VecDeque<Event>,
    known: Known,
    is_lossy: bool,
}

impl Events {
    /// Follows every connection and every listener of the calling thread's network namespace.
    ///
    /// Requires `CAP_NET_ADMIN`.
    ///
    /// # Errors
    /// `NotPermitted` without `CAP_NET_ADMIN`.
    pub fn of_namespace() -> Result<Events> {
        Events::open(None, None)
    }

    pub(crate) fn open(sock: Option<BorrowedFd<'_>>, token: Option<u32>) -> Result<Events> {
        let stream = follow(door::choose(), sock, OPERATION)?;
        let diag = SockDiag::open().map_err(refused)?;
        let mut events = Events {
            stream,
            diag,
            token,
            queue: VecDeque::new(),
            known: Known::default(),
            is_lossy: false,
        };
        // Connections and subflows that are open already are not reported. Their ends are, even if
        // they come while events are lost.
        events.known = match (sock, token) {
            (Some(sock), Some(token)) => {
                let open = list_fd(sock, OPERATION)?.into_iter().filter(|s| is_open(s.state));
                let subflows = open.map(|s| ends(token, s.local, s.remote)).collect();
                Known::new([token].into(), subflows)
            }
            _ => {
                let subflows = events.open_subflows().map_err(refused)?;
                let connections = events.open_connections().map_err(refused)?;
                Known::new(connections.into_keys().collect(), subflows)
            }
        };
        Ok(events)
    }

    /// Returns a descriptor that becomes readable when there are events. Then call
    /// [`try_next`](Self::try_next) until it returns `None`: the stream may have read several events
    /// from the descriptor already.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// Sets the size of the kernel's buffer for unread events, in bytes. The default is enough for about
    /// 256 events. More than `net.core.rmem_max` requires `CAP_NET_ADMIN`.
    pub fn set_buffer(&self, bytes: u32) {
        self.stream.set_buffer(i32::try_from(bytes).unwrap_or(i32::MAX));
    }

    /// Returns the next event, or `None` if there is none now. Never waits.
    ///
    /// # Errors
    /// The kernel's error for reading. Lost events are not an error: see [`EventKind::Lost`].
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

    /// Waits for the next event, at most for `timeout`, or without a limit if it is `None`. Returns `None`
    /// when the timeout expires or a signal arrives.
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

    /// Reads one datagram into the queue. Returns false if there is nothing to read now.
    fn read(&mut self) -> Result<bool> {
        let mut received = Vec::new();
        match self.stream.take(|event| received.push(event)) {
            Ok(true) => {
                for event in received {
                    self.record(&event);
                }
                Ok(true)
            }
            // The kernel reports a loss before it hands out the events from before the loss.
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

    fn record(&mut self, event: &KernelEvent) {
        if self.token.is_some() && event.token != self.token {
            return;
        }
        let event = Event::from_kernel(event);
        if self.known.record(&event) {
            self.queue.push_back(event);
        }
    }

    /// Reports what changed while events were lost.
    fn resync(&mut self) -> std::result::Result<(), NetlinkError> {
        let open = Open { subflows: self.open_subflows()?, connections: self.open_connections()? };
        self.queue.extend(self.known.resync(open, self.token.is_none()));
        Ok(())
    }

    /// Returns the connections that the kernel has, each with its initial subflow. For a stream of one
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

    /// Returns the subflows that the kernel has and that the peer has answered.
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

/// A subflow that the peer has closed still carries this end's data.
fn is_open(state: SubflowState) -> bool {
    matches!(state, SubflowState::Established | SubflowState::CloseWait)
}

fn refused(refusal: NetlinkError) -> Error {
    query_error(OPERATION, QueryError::Netlink(refusal))
}
