//! The record of an event.

use std::net::SocketAddr;

use crate::shared::interface::with_scope;
use crate::sys::event::KernelEvent;
use crate::sys::uapi::pm;
use crate::table::{enumeration, record};

enumeration! {
    /// The kind of an event. The numbers are those of the kernel's `enum mptcp_event_type`.
    pub enum EventKind {
        /// An event that this version of the library does not know.
        Unknown = 0,
        /// A connection is being established.
        Created = 1,
        /// A connection is ready for more subflows.
        Established = 2,
        /// A connection has ended. The kernel does not report every end: see [`events`](crate::events).
        Closed = 3,
        /// The peer announced an address.
        AddressAnnounced = 6,
        /// The peer withdrew an address.
        AddressRemoved = 7,
        /// The peer has answered a subflow, and may still reject it.
        SubflowEstablished = 10,
        /// A subflow has ended.
        SubflowClosed = 11,
        /// The peer asked to use a subflow as backup, or as a regular one again.
        SubflowPriority = 13,
        /// A socket has begun to listen (since Linux 6.2).
        ListenerCreated = 15,
        /// A socket has stopped listening (since Linux 6.2).
        ListenerClosed = 16,
        /// Events were lost, because the program read them too slowly. The events with `is_resync`
        /// that follow report which connections and subflows began, became ready and ended in that time. Announcements,
        /// withdrawals and changes of priority by the peer are not reported again.
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
    /// An event. A field that does not belong to its kind is absent.
    pub struct Event {
        /// The kind of the event.
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
        /// Whether the peer asked this end to use the subflow as backup.
        is_remote_backup: Option<bool>,
        /// Why a subflow has ended, as an error number (errno).
        error: Option<u8>,
        /// The reason of the peer's reset (RFC 8684, section 3.6).
        reset_reason: Option<u32>,
        /// The index of the interface that the subflow is bound to.
        interface_index: Option<u32>,
        /// Whether this end accepted the connection.
        is_server: bool,
        /// Whether the peer accepts no further subflow to its initial address.
        denies_initial_address: bool,
        /// Whether the library derived the event from the state of the kernel, because events were lost
        /// or the kernel does not report the end of a connection.
        is_resync: bool,
    }
}

impl Event {
    pub(super) fn of(kind: EventKind, token: Option<u32>) -> Event {
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

    pub(super) fn from_kernel(event: &KernelEvent) -> Event {
        let scoped = |address| with_scope(address, event.interface.unwrap_or(0));
        Event {
            local: event.local.map(scoped),
            remote: event.remote.map(scoped),
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
