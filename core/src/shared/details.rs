//! The record of one subflow in the kernel's socket table.

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use crate::kernel_name::KernelName;
use crate::shared::diag_subflow::DiagSubflow;
use crate::shared::subflow_state::SubflowState;
use crate::sys::interface;
use crate::sys::uapi::diag;
use crate::table::record;

record! {
    /// What the kernel's socket table knows of one subflow, beside what `list` tells.
    pub struct Details {
        /// The local end.
        local: SocketAddr,
        /// The remote end.
        remote: SocketAddr,
        /// The TCP state.
        state: SubflowState,
        /// Both ends have acknowledged the subflow: it carries data. For the initial one this is
        /// so once the first data is acknowledged.
        is_joined: bool,
        /// It is not the initial subflow.
        is_additional: bool,
        /// We asked the peer to send here only when no other path works.
        is_backup: bool,
        /// The peer asked us to send here only when no other path works.
        is_remote_backup: bool,
        /// The address id of the local address (RFC 8684, section 3.2).
        local_address_id: u8,
        /// The address id of the remote address.
        remote_address_id: u8,
        /// The index of the interface that it is bound to; absent where the routing table decides.
        interface_index: Option<u32>,
        /// The name of that interface.
        interface: Option<KernelName>,
        /// The congestion control.
        congestion_control: Option<KernelName>,
        /// The cookie by which `ss -e` (as `sk:`) names the subflow's socket.
        cookie: u64,
        /// Smoothed round-trip time.
        rtt_us: u32 [Microseconds],
        /// Data sent, sent again included.
        bytes_sent: u64 [Bytes],
        /// Data received.
        bytes_received: u64 [Bytes],
        /// Data sent again.
        bytes_retransmitted: u64 [Bytes],
    }
}

impl Details {
    /// Adds the name of the interface. It is asked of a socket in the subflow's network namespace:
    /// the calling thread may be in another.
    pub(crate) fn name_interface(&mut self, sock: BorrowedFd<'_>) {
        self.interface = self.interface_index.and_then(|index| interface::name(sock, index).ok());
    }
}

/// The record of one subflow, without the name of its interface.
pub(crate) fn from_raw(entry: DiagSubflow) -> Details {
    Details {
        local: entry.head.local,
        remote: entry.head.remote,
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
