//! A stream of events: of one connection, or of the network namespace.

mod event;
mod resync;

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use crate::door::{self, common::events::follow};
use crate::error::{Error, ErrorKind, Result};
use crate::shared::connected::Connected;
use crate::shared::ready::is_ready;
use crate::shared::socket_state::query_error;
use crate::shared::subflow::list_fd;
use crate::shared::subflow_state::SubflowState;
use crate::sys::cache::QueryError;
use crate::sys::event::{Drain, KernelEvent, KernelEvents};
use crate::sys::netlink::NetlinkError;
use crate::sys::poll;
use crate::sys::sock_diag::{Head, NO_TCP_DIAG, RawConnection, SockDiag};
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
    /// When the last resynchronisation was, until its effects on unread events have passed.
    unsettled_since: Option<Instant>,
}

impl Events {
    /// Follows every connection and every listener of the calling thread's network namespace.
    ///
    /// Requires `CAP_NET_ADMIN`.
    ///
    /// The kernel does not report the end of every connection, such as one that the peer resets. The
    /// stream asks the kernel what has ended when it follows many more connections than before, and
    /// reports it by events with `is_resync`. So its memory stays in proportion to the connections that
    /// are open.
    ///
    /// # Errors
    /// `NotPermitted` without `CAP_NET_ADMIN`; `Unsupported` without the modules `mptcp_diag` and
    /// `tcp_diag`.
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
            unsettled_since: None,
        };
        // Connections and subflows that are open already are not reported. Their ends are, even if
        // they come while events are lost.
        let open = match (sock, token) {
            (Some(sock), Some(token)) => {
                let subflows = list_fd(sock, OPERATION)?;
                let live = subflows.iter().filter(|subflow| is_open(subflow.state));
                let initial = ends(token, UNKNOWN, UNKNOWN);
                let established = is_ready(Connected { sock, token }).then_some(token);
                Open {
                    connections: [(token, initial)].into(),
                    established: established.into_iter().collect(),
                    subflows: live.map(|live| ends(token, live.local, live.remote)).collect(),
                    ..Open::default()
                }
            }
            _ => events.present().map_err(refused)?,
        };
        events.known = Known::new(open);
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
    /// If more events of other connections come than the program can read, the call returns `None` after
    /// those that were there when it began. The descriptor is readable then.
    ///
    /// # Errors
    /// The kernel's error for reading. Lost events are not an error: see [`EventKind::Lost`].
    pub fn try_next(&mut self) -> Result<Option<Event>> {
        let mut drain = Drain::default();
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Ok(Some(event));
            }
            if !drain.goes_on(&self.stream) || !self.read()? {
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
            // The descriptor may go on being readable for events of other connections.
            let is_over = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            match poll::until(self.fd(), libc::POLLIN, deadline) {
                Ok(count) if count == 0 || is_over => return Ok(None),
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
                if self.known.is_overcrowded() {
                    self.find_unreported().map_err(refused)?;
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
            Ok(false) if self.known.is_crowded() => {
                self.find_unreported().map_err(refused)?;
                Ok(true)
            }
            Ok(false) => {
                self.settle();
                Ok(false)
            }
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
        let open = self.present()?;
        self.queue.extend(self.known.resync(&open, self.token.is_none()));
        self.known.adapt_limit();
        self.unsettled_since = Some(Instant::now());
        Ok(())
    }

    /// Reports what has ended without an event.
    fn find_unreported(&mut self) -> std::result::Result<(), NetlinkError> {
        let connections = self.open_connections(&mut HashSet::new())?;
        self.queue.extend(self.known.closed_unreported(&connections));
        if self.known.is_crowded() {
            let subflows = self.open_subflows(&mut HashMap::new())?;
            let open = Open { connections, subflows, ..Open::default() };
            self.queue.extend(self.known.ends_unreported(&open));
        }
        self.known.adapt_limit();
        self.unsettled_since = Some(Instant::now());
        Ok(())
    }

    /// Forgets what unread events might report a second time, when nothing is unread any more. The kernel
    /// sends an event a moment after the change that it reports.
    fn settle(&mut self) {
        const MOMENT: Duration = Duration::from_secs(1);
        if self.unsettled_since.is_some_and(|since| since.elapsed() >= MOMENT) {
            self.known.settle();
            self.unsettled_since = None;
        }
    }

    /// Returns what the kernel has.
    fn present(&mut self) -> std::result::Result<Open, NetlinkError> {
        let mut fallen_back = HashSet::new();
        let connections = self.open_connections(&mut fallen_back)?;
        let mut established = HashMap::new();
        let subflows = self.open_subflows(&mut established)?;
        let is_established = |token: &u32| established.get(token).copied().unwrap_or(true);
        let established = connections.keys().copied().filter(is_established).collect();
        Ok(Open { connections, established, fallen_back, subflows })
    }

    /// Returns the connections that the kernel has, each with its initial subflow. For a stream of one
    /// connection, at most that one.
    fn open_connections(
        &mut self,
        fallen_back: &mut HashSet<u32>,
    ) -> std::result::Result<HashMap<u32, Ends>, NetlinkError> {
        let mut connections = HashMap::new();
        let mut add = |found: &RawConnection| {
            let token = found.info.raw.mptcpi_token;
            if found.info.is_fallen_back() {
                fallen_back.insert(token);
            }
            if is_connected(&found.head) {
                connections.insert(token, ends(token, found.head.local, found.head.remote));
            }
        };
        match self.token.map(|token| self.diag.connection(token)) {
            Some(Ok(found)) => add(&found),
            Some(Err(refusal)) if refusal.errno == libc::ENOENT => {
                match self.diag.prove_mptcp() {
                    Ok(()) => {}
                    // The kernel has no sock_diag for Multipath TCP. It answers a look-up then as if no
                    // connection had the token, and only a list shows the difference. So the connection may
                    // be open.
                    Err(refusal) if refusal.errno == libc::ENOENT => {
                        connections
                            .extend(self.token.map(|token| (token, ends(token, UNKNOWN, UNKNOWN))));
                    }
                    Err(refusal) => return Err(refusal),
                }
            }
            Some(Err(refusal)) => return Err(refusal),
            None => self.diag.connections(add)?,
        }
        // While the kernel lists connections, it may skip one if others end.
        for token in self.known.missing(&connections) {
            match self.diag.connection(token) {
                Ok(found) if is_connected(&found.head) => {
                    let ends = ends(token, found.head.local, found.head.remote);
                    connections.insert(token, ends);
                }
                Err(refusal) if refusal.errno != libc::ENOENT => return Err(refusal),
                _ => {}
            }
        }
        Ok(connections)
    }

    /// Returns the subflows that the kernel has and that the peer has answered, and for each connection
    /// whether one of them shows that it is ready for more subflows.
    fn open_subflows(
        &mut self,
        established: &mut HashMap<u32, bool>,
    ) -> std::result::Result<HashSet<Ends>, NetlinkError> {
        let (mut open, ours) = (HashSet::new(), self.token);
        let listed = self.diag.subflows(|entry| {
            let is_ours = ours.is_none_or(|token| token == entry.token);
            if is_ours && is_open(SubflowState::from_kernel(entry.head.state)) {
                open.insert(ends(entry.token, entry.head.local, entry.head.remote));
                *established.entry(entry.token).or_default() |= entry.shows_established();
            }
        });
        match (listed, ours) {
            // A stream of one connection does not require the module: of subflows, nothing is news.
            (Err(refusal), Some(token)) if refusal.errno == NO_TCP_DIAG => {
                established.insert(token, self.known.is_established(token));
                open.extend(self.known.subflows(token));
            }
            (listed, _) => listed?,
        }
        Ok(open)
    }
}

/// The ends of an initial subflow that do not matter.
const UNKNOWN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// Reports whether the reader of all events would consider this connection open: it was established, and
/// the kernel has not reported its end, which it does when the socket is closed.
fn is_connected(head: &Head) -> bool {
    match SubflowState::from_kernel(head.state) {
        SubflowState::Established | SubflowState::CloseWait => true,
        // This end has closed one direction, or the socket: then the connection has no inode any more.
        SubflowState::FinWait1
        | SubflowState::FinWait2
        | SubflowState::Closing
        | SubflowState::LastAck => head.inode != 0,
        _ => false,
    }
}

/// A subflow that the peer has closed still carries this end's data.
fn is_open(state: SubflowState) -> bool {
    matches!(state, SubflowState::Established | SubflowState::CloseWait)
}

fn refused(refusal: NetlinkError) -> Error {
    match refusal.errno {
        libc::ENOENT => Error::new(ErrorKind::Unsupported, OPERATION)
            .errno(refusal.errno)
            .detail("this kernel does not list Multipath TCP connections and their subflows")
            .with_remedy("Load the modules on the host: modprobe -a mptcp_diag tcp_diag."),
        _ => query_error(OPERATION, QueryError::Netlink(refusal)),
    }
}
