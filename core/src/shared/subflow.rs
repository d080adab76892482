//! The live subflows of a connection, and the record that `list` and `open` return.
//!
//! To add a field, write a line in the record and one in [`from_raw`], then run `cargo regen`.

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use crate::error::Result;
use crate::shared::before_6_5;
use crate::shared::connected::Connected;
use crate::shared::diag_subflow::{self, Depth};
use crate::shared::interface::{needs_scope, scope_of, with_scope};
use crate::shared::socket_state::{is_not_mptcp, no_such_subflow, not_mptcp_error};
use crate::shared::subflow_state::SubflowState;
use crate::sys::mptcp::{self, RawSubflow};
use crate::sys::uapi::tcp_info;
use crate::table::record;

record! {
    /// One live subflow of a connection: its path and its counters.
    pub struct Subflow {
        /// The id of the subflow on this end. An id is not used again while the connection lives. On
        /// Linux 6.5 and newer the initial subflow has id 1, or 0 if control was taken of a socket that
        /// was upgraded, bound, or bound to an interface before. It is not the address id of RFC 8684.
        id: u32,
        /// The local end; of IPv4 on an IPv6 socket, the IPv4 address. A link-local address of IPv6
        /// has the index of its interface as its scope.
        local: SocketAddr,
        /// The remote end.
        remote: SocketAddr,
        /// The TCP state.
        state: SubflowState,
        /// Smoothed round-trip time.
        rtt_us: u32 [Microseconds],
        /// Mean deviation of the round-trip time.
        rtt_deviation_us: u32 [Microseconds],
        /// Minimum of the recent round-trip times.
        rtt_min_us: u32 [Microseconds],
        /// Retransmission timeout.
        rto_us: u32 [Microseconds],
        /// Congestion window.
        congestion_window: u32 [Segments],
        /// Slow start threshold.
        slow_start_threshold: u32 [Segments],
        /// Maximum size of the data in a sent segment.
        segment_size: u32 [Bytes],
        /// Rate to which sending is paced; absent if it is not limited.
        pacing_rate: Option<u64> [BytesPerSecond],
        /// Recent rate at which data was delivered.
        delivery_rate: u64 [BytesPerSecond],
        /// Data sent, including retransmissions.
        bytes_sent: u64 [Bytes],
        /// Data that the peer acknowledged.
        bytes_acknowledged: u64 [Bytes],
        /// Data received.
        bytes_received: u64 [Bytes],
        /// Data retransmitted.
        bytes_retransmitted: u64 [Bytes],
        /// Data written and not yet sent.
        bytes_not_sent: u32 [Bytes],
        /// Segments sent.
        segments_sent: u32 [Segments],
        /// Segments received.
        segments_received: u32 [Segments],
        /// Segments retransmitted since the subflow was opened.
        segments_retransmitted: u32 [Segments],
        /// Segments sent and not yet acknowledged.
        segments_unacknowledged: u32 [Segments],
        /// Segments that the kernel considers lost.
        segments_lost: u32 [Segments],
        /// Consecutive retransmission timeouts of the oldest unacknowledged segment.
        retransmits: u8,
        /// Time since data was last sent.
        last_data_sent_ms: u32 [Milliseconds],
        /// Time since data was last received.
        last_data_received_ms: u32 [Milliseconds],
        /// Time since an acknowledgement was last received.
        last_acknowledgement_ms: u32 [Milliseconds],
        /// Time spent sending, since the subflow was opened.
        busy_us: u64 [Microseconds],
        /// Time since anything was last received, if the path is silent: the oldest unacknowledged
        /// segment was sent again (`retransmits`), and nothing has come back since. Absent if no answer
        /// is missing, also on an end that only receives: see `last_data_received_ms` there.
        unanswered_ms: Option<u32> [Milliseconds],
    }
}

impl Subflow {
    pub(crate) fn ends(&self) -> (SocketAddr, SocketAddr) {
        (self.local, self.remote)
    }
}

pub(super) fn from_raw(id: u32, local: SocketAddr, remote: SocketAddr, tcp: &tcp_info) -> Subflow {
    Subflow {
        id,
        local,
        remote,
        state: SubflowState::from_kernel(tcp.tcpi_state),
        rtt_us: tcp.tcpi_rtt,
        rtt_deviation_us: tcp.tcpi_rttvar,
        // The largest number means that the kernel has measured none yet.
        rtt_min_us: if tcp.tcpi_min_rtt == u32::MAX { tcp.tcpi_rtt } else { tcp.tcpi_min_rtt },
        rto_us: tcp.tcpi_rto,
        congestion_window: tcp.tcpi_snd_cwnd,
        slow_start_threshold: tcp.tcpi_snd_ssthresh,
        segment_size: tcp.tcpi_snd_mss,
        pacing_rate: Some(tcp.tcpi_pacing_rate).filter(|rate| *rate != u64::MAX),
        delivery_rate: tcp.tcpi_delivery_rate,
        bytes_sent: tcp.tcpi_bytes_sent,
        bytes_acknowledged: tcp.tcpi_bytes_acked,
        bytes_received: tcp.tcpi_bytes_received,
        bytes_retransmitted: tcp.tcpi_bytes_retrans,
        bytes_not_sent: tcp.tcpi_notsent_bytes,
        segments_sent: tcp.tcpi_segs_out,
        segments_received: tcp.tcpi_segs_in,
        segments_retransmitted: tcp.tcpi_total_retrans,
        segments_unacknowledged: tcp.tcpi_unacked,
        segments_lost: tcp.tcpi_lost,
        retransmits: tcp.tcpi_retransmits,
        last_data_sent_ms: tcp.tcpi_last_data_sent,
        last_data_received_ms: tcp.tcpi_last_data_recv,
        last_acknowledgement_ms: tcp.tcpi_last_ack_recv,
        busy_us: tcp.tcpi_busy_time,
        unanswered_ms: unanswered_ms(tcp),
    }
}

/// Returns for how long nothing has come back from a path that owes an answer. The kernel takes every
/// segment for an acknowledgement here, also one with data only.
pub(crate) fn unanswered_ms(tcp: &tcp_info) -> Option<u32> {
    (tcp.tcpi_retransmits > 0).then_some(tcp.tcpi_last_ack_recv)
}

pub(crate) fn list_fd(sock: BorrowedFd<'_>, operation: &'static str) -> Result<Vec<Subflow>> {
    let mut subflows =
        gather(sock, operation, |raw| Some(from_raw(raw.id, raw.local, raw.remote, raw.tcp)))?;
    // While the connection is being set up, its initial subflow is not listed.
    if let [only] = &subflows[..] {
        if only.state == SubflowState::SynSent && only.bytes_sent == 0 && is_initial(sock) {
            subflows.clear();
        }
    }
    for subflow in &mut subflows {
        add_scope(sock, subflow);
    }
    Ok(subflows)
}

/// Returns what the kernel reports of a live subflow, as `TCP_INFO` would.
pub(crate) fn tcp_info_of(
    sock: BorrowedFd<'_>,
    id: u32,
    operation: &'static str,
) -> Result<tcp_info> {
    let found = gather(sock, operation, |raw| (raw.id == id).then_some(*raw.tcp))?;
    found.first().copied().ok_or_else(|| no_such_subflow(sock, operation, id))
}

/// Collects what `pick` makes of each live subflow.
fn gather<T>(
    sock: BorrowedFd<'_>,
    operation: &'static str,
    mut pick: impl FnMut(RawSubflow<'_>) -> Option<T>,
) -> Result<Vec<T>> {
    if before_6_5::is_simulated() {
        return before_6_5::gather(sock, operation, pick);
    }
    let push = |list: &mut Vec<T>, raw: RawSubflow<'_>| list.extend(pick(raw));
    match mptcp::full_info(sock, Vec::with_capacity, push) {
        Ok(gathered) => Ok(gathered),
        // Before Linux 6.5 the option is unknown, which is the same error as for a socket that is
        // not Multipath TCP. Only the older way distinguishes the two.
        Err(error) if is_not_mptcp(&error) => before_6_5::gather(sock, operation, pick),
        Err(error) => Err(not_mptcp_error(sock, operation, &error)),
    }
}

/// Adds the scope to link-local addresses, which the kernel lists without one.
fn add_scope(sock: BorrowedFd<'_>, subflow: &mut Subflow) {
    let lacks = |address: SocketAddr| needs_scope(address.ip()) && scope_of(address).is_none();
    if !lacks(subflow.local) && !lacks(subflow.remote) {
        return;
    }
    let Ok(info) = mptcp::info(sock) else { return };
    let connection = Connected::new(sock, &info);
    if let Ok(entry) = diag_subflow::find(connection, subflow.ends(), Depth::Shallow) {
        subflow.local = with_scope(subflow.local, entry.head.interface);
        subflow.remote = with_scope(subflow.remote, entry.head.interface);
    }
}

/// Reports whether the connection itself is still being set up: the peer's key is then unknown.
fn is_initial(sock: BorrowedFd<'_>) -> bool {
    mptcp::info(sock).is_ok_and(|info| info.raw.mptcpi_rcv_nxt == 0)
}

/// Finds the live subflow with that id.
pub(crate) fn find(sock: BorrowedFd<'_>, id: u32, operation: &'static str) -> Result<Subflow> {
    list_fd(sock, operation)?
        .into_iter()
        .find(|subflow| subflow.id == id)
        .ok_or_else(|| no_such_subflow(sock, operation, id))
}
