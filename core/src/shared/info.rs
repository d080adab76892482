//! The record of a connection's counters.

use std::mem::offset_of;

use crate::sys::mptcp;
use crate::sys::uapi::mptcp_info;
use crate::table::record;

record! {
    /// The counters of a connection as a whole. A counter that this kernel does not have is absent.
    pub struct Info {
        /// The local token, by which `ss -M` and the kernel's events identify the connection; 0
        /// without a connection.
        token: u32,
        /// The number of live subflows, including the initial one. For a socket this is the true
        /// number. In a record of `connection` and `connections` it is the kernel's counter, which
        /// wraps at 256 and is absent before Linux 6.8.
        subflows: Option<u32>,
        /// The number of additional subflows that the kernel's path manager allows. Absent if the
        /// application controls the connection, and also if the namespace's limit is 0: the kernel
        /// then reports the same. `status` distinguishes the two.
        subflows_max: Option<u8>,
        /// The number of addresses that this end announced.
        addresses_announced: u8,
        /// The number of announced addresses of the peer that this end accepted.
        addresses_accepted: u8,
        /// Whether this end has received the peer's key, so that both ends use Multipath TCP.
        is_remote_key_received: bool,
        /// Whether data carries a checksum (RFC 8684, section 3.3.1).
        is_checksum_enabled: bool,
        /// The sequence number of the next byte that the application writes.
        write_sequence: u64,
        /// The first sequence number that the peer has not acknowledged.
        unacknowledged_sequence: u64,
        /// The next sequence number that is expected from the peer.
        receive_sequence: u64,
        /// The number of consecutive times that data was retransmitted on another subflow.
        retransmits: Option<u32> ["6.5"],
        /// Data retransmitted on another subflow.
        bytes_retransmitted: Option<u64> [Bytes "6.5"],
        /// Data sent.
        bytes_sent: Option<u64> [Bytes "6.5"],
        /// Data received.
        bytes_received: Option<u64> [Bytes "6.5"],
        /// Data that the peer acknowledged.
        bytes_acknowledged: Option<u64> [Bytes "6.5"],
        /// Time since data was last sent.
        last_data_sent_ms: Option<u32> [Milliseconds "6.10"],
        /// Time since data was last received.
        last_data_received_ms: Option<u32> [Milliseconds "6.10"],
        /// Time since the peer last acknowledged data.
        last_acknowledgement_ms: Option<u32> [Milliseconds "6.10"],
    }
}

/// Flags of `mptcp_info`: `MPTCP_INFO_FLAG_FALLBACK`, `MPTCP_INFO_FLAG_REMOTE_KEY_RECEIVED`.
pub(crate) const FLAG_FALLBACK: u32 = 1;
pub(crate) const FLAG_REMOTE_KEY_RECEIVED: u32 = 2;

/// Returns the number of live subflows, if the kernel's counter (`total`) can be right. It has 8 bits. Once
/// there were more than 256 subflows, it stays wrong since Linux 7.3. `kept` is the number of subflows
/// that the kernel keeps, among them the initial one, even if that is closed.
pub(crate) fn plausible(total: u8, kept: u32) -> Option<u32> {
    let total = u32::from(total);
    (kept < 256 && (total == kept || total + 1 == kept)).then_some(total)
}

/// Returns the kernel's counter of live subflows, or `None` before Linux 6.8.
pub(crate) fn wrapping_total(info: &mptcp::RawInfo) -> Option<u8> {
    info.since(offset_of!(mptcp_info, mptcpi_subflows_total), info.raw.mptcpi_subflows_total)
}

/// Makes the record, with the number of subflows if the caller knows it.
pub(crate) fn from_raw(info: &mptcp::RawInfo, subflows: Option<u32>) -> Info {
    let raw = &info.raw;
    macro_rules! since {
        ($field:ident) => {
            info.since(offset_of!(mptcp_info, $field), raw.$field)
        };
    }
    Info {
        token: raw.mptcpi_token,
        // While the connection is being set up, the kernel counts its initial subflow already.
        subflows: subflows.map(|count| if raw.mptcpi_rcv_nxt == 0 { 0 } else { count }),
        subflows_max: Some(raw.mptcpi_subflows_max).filter(|max| *max != 0),
        addresses_announced: raw.mptcpi_add_addr_signal,
        addresses_accepted: raw.mptcpi_add_addr_accepted,
        is_remote_key_received: raw.mptcpi_flags & FLAG_REMOTE_KEY_RECEIVED != 0,
        is_checksum_enabled: raw.mptcpi_csum_enabled != 0,
        write_sequence: raw.mptcpi_write_seq,
        unacknowledged_sequence: raw.mptcpi_snd_una,
        receive_sequence: raw.mptcpi_rcv_nxt,
        retransmits: since!(mptcpi_retransmits),
        bytes_retransmitted: since!(mptcpi_bytes_retrans),
        bytes_sent: since!(mptcpi_bytes_sent),
        bytes_received: since!(mptcpi_bytes_received),
        bytes_acknowledged: since!(mptcpi_bytes_acked),
        last_data_sent_ms: since!(mptcpi_last_data_sent),
        last_data_received_ms: since!(mptcpi_last_data_recv),
        last_acknowledgement_ms: since!(mptcpi_last_ack_recv),
    }
}

/// Returns the kernel's counter of live subflows, which wraps at 256.
pub(crate) fn subflows_total(info: &mptcp::RawInfo) -> Option<u32> {
    wrapping_total(info).map(u32::from)
}

#[cfg(test)]
mod tests {
    use super::plausible;

    #[test]
    fn a_counter_that_wrapped_is_not_believed() {
        assert_eq!(plausible(1, 1), Some(1));
        assert_eq!(plausible(1, 2), Some(1), "the initial one is closed");
        assert_eq!(plausible(255, 255), Some(255));
        assert_eq!(plausible(255, 256), None);
        assert_eq!(plausible(45, 301), None);
        assert_eq!(plausible(1, 201), None);
        assert_eq!(plausible(3, 2), None, "one is counted and not yet kept");
    }
}
