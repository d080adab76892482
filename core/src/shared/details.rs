//! The record of one subflow in the kernel's socket table.

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use crate::kernel_name::KernelName;
use crate::shared::diag_subflow::DiagSubflow;
use crate::shared::interface::with_scope;
use crate::shared::subflow_state::SubflowState;
use crate::sys::interface;
use crate::sys::uapi::diag;
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
    }
}

impl Details {
    /// Adds the name of the interface, by a socket in the subflow's network namespace: the calling
    /// thread may be in another.
    pub(crate) fn name_interface(&mut self, sock: BorrowedFd<'_>) {
        self.interface = self.interface_index.and_then(|index| interface::name(sock, index).ok());
    }
}

/// Makes the record of one subflow, without the name of its interface.
pub(crate) fn from_raw(entry: DiagSubflow) -> Details {
    Details {
        local: with_scope(entry.head.local, entry.head.interface),
        remote: with_scope(entry.head.remote, entry.head.interface),
        state: SubflowState::from_kernel(entry.head.state),
        is_joined: entry.is_joined(),
        is_additional: entry.flags & (diag::FLAG_JOIN_LOC | diag::FLAG_JOIN_REM) != 0,
        is_backup: entry.flags & diag::FLAG_BKUP_LOC != 0,
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
    }
}
