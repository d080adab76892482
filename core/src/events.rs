//! What happens to connections, as it happens.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use crate::door::door;
use crate::error::{Error, ErrorKind, Result};
use crate::state::{Observed, Phase, explain, observe, unasked};
use crate::subflow::{SubflowState, list_fd};
use crate::sys::cache::Unasked;
use crate::sys::diag::{RawConnection, SockDiag};
use crate::sys::event::{KernelEvent, KernelEvents};
use crate::sys::netlink::Refusal;
use crate::sys::uapi::pm;
use crate::sys::{mptcp, socket};
use crate::table::{Ty, enumeration, operation, record};

const OPERATION: &str = "events";

enumeration! {
    /// What happened; numbers as in the kernel's `enum mptcp_event_type`.
    pub enum EventKind {
        /// Something that this library does not know.
        Unknown = 0,
        /// A connection is being made.
        Created = 1,
        /// A connection is ready for more subflows.
        Established = 2,
        /// A connection is over. The kernel does not tell this in every case: see [`events`].
        Closed = 3,
        /// The peer announced an address.
        AddressAnnounced = 6,
        /// The peer withdrew an address.
        AddressRemoved = 7,
        /// A subflow was answered; it may still be taken back.
        SubflowEstablished = 10,
        /// A subflow is gone.
        SubflowClosed = 11,
        /// The peer changed what it wants to be backup.
        SubflowPriority = 13,
        /// A listener was made.
        ListenerCreated = 15,
        /// A listener is gone.
        ListenerClosed = 16,
        /// Events were lost, because more came than were read. What follows with `is_resync`
        /// brings the reader back to the kernel's state.
        Lost = 255,
    }
}

impl EventKind {
    fn from_kernel(kind: u8) -> EventKind {
        match kind {
            pm::EVENT_CREATED => EventKind::Created,
            pm::EVENT_ESTABLISHED => EventKind::Established,
            pm::EVENT_CLOSED => EventKind::Closed,
            pm::EVENT_ANNOUNCED => EventKind::AddressAnnounced,
            pm::EVENT_REMOVED => EventKind::AddressRemoved,
            pm::EVENT_SUB_ESTABLISHED => EventKind::SubflowEstablished,
            pm::EVENT_SUB_CLOSED => EventKind::SubflowClosed,
            pm::EVENT_SUB_PRIORITY => EventKind::SubflowPriority,
            pm::EVENT_LISTENER_CREATED => EventKind::ListenerCreated,
            pm::EVENT_LISTENER_CLOSED => EventKind::ListenerClosed,
            _ => EventKind::Unknown,
        }
    }
}

record! {
    /// Something that happened. What does not belong to its kind is absent.
    pub struct Event {
        /// What happened.
        kind: EventKind,
        /// The local token of the connection.
        token: Option<u32>,
        /// The local end.
        local: Option<SocketAddr>,
        /// The remote end, or the address that the peer announced.
        remote: Option<SocketAddr>,
        /// The address id of the local address.
        local_address_id: Option<u8>,
        /// The address id of the remote address.
        remote_address_id: Option<u8>,
        /// The peer asked us to use the subflow as backup only.
        is_remote_backup: Option<bool>,
        /// Why a subflow is gone, as an error number (errno).
        error: Option<u8>,
        /// Why the peer reset it (RFC 8684, section 3.6).
        reset_reason: Option<u32>,
        /// The index of the interface that the subflow is bound to.
        interface_index: Option<u32>,
        /// This end accepted the connection.
        is_server: bool,
        /// The peer wants no subflow to its initial address.
        denies_initial_address: bool,
        /// Told not by the kernel at the time, but found out after a loss.
        is_resync: bool,
    }
}

impl Event {
    fn of(kind: EventKind, token: Option<u32>) -> Event {
        Event {
            kind,
            token,
            local: None,
            remote: None,
            local_address_id: None,
            remote_address_id: None,
            is_remote_backup: None,
            error: None,
            reset_reason: None,
            interface_index: None,
            is_server: false,
            denies_initial_address: false,
            is_resync: false,
        }
    }

    fn from_kernel(event: &KernelEvent) -> Event {
        Event {
            local: event.local,
            remote: event.remote,
            local_address_id: event.local_address_id,
            remote_address_id: event.remote_address_id,
            is_remote_backup: event.is_remote_backup,
            error: event.error,
            reset_reason: event.reset_reason,
            interface_index: event.interface,
            is_server: event.is_server,
            denies_initial_address: event.denies_initial_address,
            ..Event::of(EventKind::from_kernel(event.kind), event.token)
        }
    }
}

operation! {
    /// Follows what happens to one connection, from now on.
    ///
    /// Reading slower than events come loses some (the kernel keeps about 256): the stream then
    /// gives `Lost`, followed by events marked `is_resync` for every subflow that came or went
    /// meanwhile. The kernel does not tell the end of every connection: one that times out ends
    /// silently, so ask `status` as well. The stream has no end of its own: after `Closed` nothing
    /// more comes, however long it is waited for. Our own `set_backup` is told to the peer only.
    /// Needs `CAP_NET_ADMIN`; Linux 5.12.
    ///
    /// # Errors
    /// `NotConnected` before connect was called; `Closed` where the connection is over; `NotMptcp` for plain TCP and after fallback;
    /// `NotPermitted` without the right; `OtherNamespace` from another network namespace.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// # let stream = std::net::TcpStream::connect("server.example:443")?;
    /// let mut events = subflows::events(&stream)?;
    /// while let Some(event) = events.next(Duration::from_secs(1))? {
    ///     println!("{} {:?}", event.kind, event.remote);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    row EVENTS(sock: Ty::Socket) -> Ty::Handle("Events"), NetAdmin,
        [NotConnected Closed NotMptcp NotPermitted OtherNamespace];
    pub fn events(sock: &impl AsFd) -> Result<Events> {
        let sock = sock.as_fd();
        let info = mptcp::info(sock).map_err(|error| explain(sock, OPERATION, &error))?;
        match observe(sock, OPERATION)? {
            Observed::Mptcp(_, Phase::Closed) => Err(Error::new(ErrorKind::Closed, OPERATION)),
            _ if info.raw.mptcpi_token == 0 => Err(Error::new(ErrorKind::NotConnected, OPERATION)),
            _ => Events::open(Some(sock), Some(info.raw.mptcpi_token)),
        }
    }
}

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

    fn open(sock: Option<BorrowedFd<'_>>, token: Option<u32>) -> Result<Events> {
        let stream = door().events(sock)?;
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

    /// The next event, waited for at most that long; `None` when the time is up or a signal came.
    ///
    /// # Errors
    /// As [`try_next`](Self::try_next).
    pub fn next(&mut self, timeout: Duration) -> Result<Option<Event>> {
        let deadline = socket::deadline_in(timeout);
        loop {
            if let Some(event) = self.try_next()? {
                return Ok(Some(event));
            }
            match socket::poll(self.fd(), libc::POLLIN, deadline) {
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
    fn resync(&mut self) -> std::result::Result<(), Refusal> {
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
    fn open_connections(&mut self) -> std::result::Result<HashMap<u32, Ends>, Refusal> {
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
    fn open_subflows(&mut self) -> std::result::Result<HashSet<Ends>, Refusal> {
        let (mut open, ours) = (HashSet::new(), self.token);
        self.diag.legs(|leg| {
            let is_ours = ours.is_none_or(|token| token == leg.token);
            if is_ours && is_open(SubflowState::from_kernel(leg.head.state)) {
                open.insert(ends(leg.token, leg.head.local, leg.head.remote));
            }
        })?;
        Ok(open)
    }
}

/// One that the peer has closed carries our data until we close it too.
fn is_open(state: SubflowState) -> bool {
    matches!(state, SubflowState::Established | SubflowState::CloseWait)
}

fn refused(refusal: Refusal) -> Error {
    unasked(OPERATION, Unasked::Refused(refusal))
}
