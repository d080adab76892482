//! The record of a connection's counters.

use std::mem::offset_of;

use crate::sys::mptcp;
use crate::sys::uapi::mptcp_info;
use crate::table::record;

record! {
    /// The counters of a connection as a whole. What this kernel does not count is absent.
    pub struct Info {
        /// The local token, by which `ss -M` and the kernel's events name the connection; 0 while
        /// there is no connection.
        token: u32,
        /// How many subflows are alive, the initial one included. Of a socket, the true number;
        /// of a connection that was looked up or listed, the kernel's count, which starts again
        /// at 256 and is absent before Linux 6.8. Before 6.5 also absent for a socket of another
        /// network namespace.
        subflows: Option<u32>,
        /// The most extra subflows that the kernel's path manager allows; absent where the
        /// application is in control.
        subflows_max: Option<u8>,
        /// How many addresses we announced.
        addresses_announced: u8,
        /// How many announced addresses of the peer we accepted.
        addresses_accepted: u8,
        /// The peer has shown its key: Multipath TCP is spoken by both ends.
        is_remote_key_received: bool,
        /// Data carry a checksum (RFC 8684, section 3.3.1).
        is_checksum_enabled: bool,
        /// The sequence number of the next byte to be written.
        write_sequence: u64,
        /// The first sequence number that the peer has not acknowledged.
        unacknowledged_sequence: u64,
        /// The next sequence number expected from the peer.
        receive_sequence: u64,
        /// Times that data had to be sent again on another subflow in a row.
        retransmits: Option<u32> ["6.5"],
        /// Data sent again on another subflow.
        bytes_retransmitted: Option<u64> [Bytes "6.5"],
        /// Data sent.
        bytes_sent: Option<u64> [Bytes "6.5"],
        /// Data received.
        bytes_received: Option<u64> [Bytes "6.5"],
        /// Data acknowledged by the peer.
        bytes_acknowledged: Option<u64> [Bytes "6.5"],
        /// Time since data was last sent.
        last_data_sent_ms: Option<u32> [Milliseconds "6.10"],
        /// Time since data was last received.
        last_data_received_ms: Option<u32> [Milliseconds "6.10"],
        /// Time since the peer last acknowledged data.
        last_acknowledgement_ms: Option<u32> [Milliseconds "6.10"],
    }
}

const FLAG_REMOTE_KEY_RECEIVED: u32 = 2;

/// The kernel counts live subflows in 8 bits, and separately how many it keeps, closed ones
/// included, in 32: the true number is the nearest to the latter that ends in the former.
pub(crate) fn unwrapped(total: u8, kept: u32) -> u32 {
    // Nearest, and not below: for a moment the kernel may count one that it does not keep yet.
    let distance = total.wrapping_sub(kept as u8) as i8;
    kept.saturating_add_signed(distance.into())
}

/// Live subflows as the kernel counts them; before Linux 6.8 it does not.
pub(crate) fn wrapping_total(info: &mptcp::RawInfo) -> Option<u8> {
    info.since(offset_of!(mptcp_info, mptcpi_subflows_total), info.raw.mptcpi_subflows_total)
}

/// The record of what the kernel told, with the number of subflows where the caller knows it.
pub(crate) fn from_raw(info: &mptcp::RawInfo, subflows: Option<u32>) -> Info {
    let raw = &info.raw;
    macro_rules! since {
        ($field:ident) => {
            info.since(offset_of!(mptcp_info, $field), raw.$field)
        };
    }
    Info {
        token: raw.mptcpi_token,
        // The initial subflow of a connection that is being set up is not one yet, though counted.
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

/// The kernel's count for a connection that is known by its token only: it wraps at 256, and is
/// then given as what it is.
pub(crate) fn subflows_total(info: &mptcp::RawInfo) -> Option<u32> {
    wrapping_total(info).map(u32::from)
}

#[cfg(test)]
mod tests {
    use super::unwrapped;

    #[test]
    fn the_number_of_subflows_does_not_wrap() {
        assert_eq!(unwrapped(1, 1), 1);
        assert_eq!(unwrapped(1, 2), 1, "one of two is closed");
        assert_eq!(unwrapped(45, 301), 301);
        assert_eq!(unwrapped(44, 301), 300);
        assert_eq!(unwrapped(255, 256), 255);
        assert_eq!(unwrapped(0, 1), 0);
        assert_eq!(unwrapped(3, 2), 3, "one is counted and not yet kept");
    }
}
