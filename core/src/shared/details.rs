//! The record of one subflow in the kernel's socket table.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

use crate::kernel_name::KernelName;
use crate::shared::diag_subflow::DiagSubflow;
use crate::shared::interface::with_scope;
use crate::shared::network::probe;
use crate::shared::subflow::unanswered_ms;
use crate::shared::subflow_state::SubflowState;
use crate::sys::uapi::diag;
use crate::sys::{interface, socket};
use crate::table::record;

record! {
    /// The entry of one subflow in the kernel's socket table: what `list` does not report.
    pub struct Details {
        /// The local end.
        local: SocketAddr,
        /// The remote end.
        remote: SocketAddr,
        /// The TCP state.
        state: SubflowState,
        /// Whether both ends have acknowledged the subflow, so that it carries data. The initial
        /// subflow has joined when the first data is acknowledged.
        is_joined: bool,
        /// Whether it is another subflow than the initial one.
        is_additional: bool,
        /// Whether this end asked the peer to use the subflow as backup.
        is_backup: bool,
        /// Whether the peer asked this end to use the subflow as backup.
        is_remote_backup: bool,
        /// The address id of the local address (RFC 8684, section 3.2).
        local_address_id: u8,
        /// The address id of the remote address.
        remote_address_id: u8,
        /// The index of the interface that the subflow is bound to; absent if the routing table
        /// decides.
        interface_index: Option<u32>,
        /// The name of that interface.
        interface: Option<KernelName>,
        /// The name of the congestion control.
        congestion_control: Option<KernelName>,
        /// The kernel's cookie of the subflow's socket, as `ss -e` prints it (`sk:`).
        cookie: u64,
        /// Smoothed round-trip time.
        rtt_us: u32 [Microseconds],
        /// Data sent, including retransmissions.
        bytes_sent: u64 [Bytes],
        /// Data received.
        bytes_received: u64 [Bytes],
        /// Data retransmitted.
        bytes_retransmitted: u64 [Bytes],
        /// Time since anything was last received, if the path is silent: see the field of the same name
        /// of the subflows that `list` reports.
        unanswered_ms: Option<u32> [Milliseconds],
        /// Whether the local address no longer belongs to this host.
        is_address_gone: bool,
        /// Whether the interface that the subflow is bound to, or else the one that owns the local
        /// address, is down, has no carrier, or no longer exists.
        is_carrier_gone: bool,
    }
}

/// What the host shows about its subflows; each thing is asked for once.
pub(crate) struct Host<'a> {
    sock: BorrowedFd<'a>,
    names: HashMap<u32, Option<KernelName>>,
    carriers: HashMap<u32, bool>,
    local: HashMap<SocketAddr, bool>,
}

impl<'a> Host<'a> {
    /// Asks by a socket in the subflows' network namespace: the calling thread may be in another.
    pub(crate) fn new(sock: BorrowedFd<'a>) -> Host<'a> {
        Host { sock, names: HashMap::new(), carriers: HashMap::new(), local: HashMap::new() }
    }

    fn name(&mut self, index: u32) -> Option<KernelName> {
        *self.names.entry(index).or_insert_with(|| interface::name(self.sock, index).ok())
    }

    fn has_carrier(&mut self, index: u32) -> bool {
        *self.carriers.entry(index).or_insert_with(|| interface::has_carrier(self.sock, index))
    }

    fn can_bind(&mut self, mut local: SocketAddr) -> bool {
        local.set_port(0);
        *self.local.entry(local).or_insert_with(|| can_bind(self.sock, local))
    }
}

impl Details {
    /// Adds what the host shows. `owners` are the interfaces that own the local address.
    pub(crate) fn complete(&mut self, host: &mut Host<'_>, owners: &[u32]) {
        self.interface = self.interface_index.and_then(|index| host.name(index));
        self.is_address_gone = owners.is_empty() && !host.can_bind(self.local);
        self.is_carrier_gone = match self.interface_index {
            Some(index) => !host.has_carrier(index),
            None => !owners.is_empty() && !owners.iter().any(|owner| host.has_carrier(*owner)),
        };
    }
}

/// Reports whether the kernel still takes the address for one of this host, although no interface owns
/// it: a local route may do that. If the thread is in another namespace, the answer is yes.
pub(crate) fn can_bind(sock: BorrowedFd<'_>, mut local: SocketAddr) -> bool {
    local.set_port(0);
    let Ok(probe) = probe(sock, local) else { return true };
    let bound = socket::bind(probe.as_fd(), local);
    !bound.is_err_and(|error| error.raw_os_error() == Some(libc::EADDRNOTAVAIL))
}

/// Makes the record of one subflow, without what [`Details::complete`] adds.
pub(crate) fn from_raw(entry: &DiagSubflow) -> Details {
    Details {
        local: with_scope(entry.head.local, entry.head.interface),
        remote: with_scope(entry.head.remote, entry.head.interface),
        state: SubflowState::from_kernel(entry.head.state),
        is_joined: entry.is_joined(),
        is_additional: !entry.is_initial(),
        is_backup: entry.is_backup(),
        is_remote_backup: entry.flags & diag::FLAG_BKUP_REM != 0,
        local_address_id: entry.local_address_id,
        remote_address_id: entry.remote_address_id,
        interface_index: Some(entry.head.interface).filter(|index| *index != 0),
        interface: None,
        congestion_control: entry.congestion_control,
        cookie: entry.head.cookie,
        rtt_us: entry.tcp.tcpi_rtt,
        bytes_sent: entry.tcp.tcpi_bytes_sent,
        bytes_received: entry.tcp.tcpi_bytes_received,
        bytes_retransmitted: entry.tcp.tcpi_bytes_retrans,
        unanswered_ms: unanswered_ms(&entry.tcp),
        is_address_gone: false,
        is_carrier_gone: false,
    }
}
