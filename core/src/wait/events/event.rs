//! Something that happened.

use std::net::SocketAddr;

use crate::sys::event::KernelEvent;
use crate::sys::uapi::pm;
use crate::table::{enumeration, record};

enumeration! {
    /// What happened; numbers as in the kernel's `enum mptcp_event_type`.
    pub enum EventKind {
        /// Something that this library does not know.
        Unknown = 0,
        /// A connection is being made.
        Created = 1,
        /// A connection is ready for more subflows.
        Established = 2,
        /// A connection is over. The kernel does not tell this in every case: see [`events`](crate::events).
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
