//! Whether a connection accepts further subflows.

use std::mem::offset_of;
use std::os::fd::BorrowedFd;

use crate::error::ErrorKind;
use crate::shared::before_6_5::list_without_ids;
use crate::shared::connected::Connected;
use crate::shared::diag_subflow;
use crate::shared::info::FLAG_REMOTE_KEY_RECEIVED;
use crate::shared::subflow::{Subflow, list_fd};
use crate::shared::subflow_state::SubflowState;
use crate::sys::cache::QueryError;
use crate::sys::mptcp;
use crate::sys::uapi::mptcp_info;

/// Reports whether the connection is fully established, which it is when one of its subflows is: the
/// initial one when its first data is acknowledged, another one by its handshake.
///
/// If every subflow is gone or only being opened, or the kernel's socket table cannot be read (without
/// the module `tcp_diag`, or without netlink), the connection's counters decide.
pub(crate) fn is_ready(connection: Connected<'_>) -> bool {
    let sock = connection.sock;
    let subflows = match list_fd(sock, "status") {
        Ok(subflows) => subflows,
        // From there, no subflow can be opened.
        Err(error) if error.kind() == ErrorKind::OtherNamespace => return false,
        // Before Linux 6.5, the list needs the socket table as well, and the connection has no counters.
        Err(_) => {
            let subflows = list_without_ids(sock);
            let has_lost_all = subflows.as_ref().is_ok_and(Vec::is_empty);
            return subflows.is_ok_and(|subflows| is_ready_by_counters(&subflows))
                || has_moved_data(sock, has_lost_all);
        }
    };
    let (mut is_known, mut is_unreadable, mut is_hidden) = (false, false, false);
    for subflow in subflows.iter().filter(|subflow| subflow.state != SubflowState::SynSent) {
        match diag_subflow::find(connection, subflow.ends(), diag_subflow::Depth::Shallow) {
            Ok(entry) if entry.is_joined() => return true,
            // From there, no subflow can be opened.
            Err(QueryError::OtherNamespace) => return false,
            Err(error) if error.is(diag_subflow::HIDDEN) => is_hidden = true,
            Err(error) if !error.is(libc::ENOENT) => is_unreadable = true,
            _ => is_known = true,
        }
    }
    (is_hidden && is_ready_by_counters(&subflows))
        || (is_hidden || is_unreadable || !is_known) && has_moved_data(sock, subflows.is_empty())
}

/// Reports whether data was received or acknowledged, which is what makes a connection ready.
///
/// Before Linux 6.5 a connection has no such counters. If it has lost its subflows, which had them, it is
/// taken for one that has moved data: both ends have exchanged their keys.
fn has_moved_data(sock: BorrowedFd<'_>, has_lost_all: bool) -> bool {
    let Ok(info) = mptcp::info(sock) else { return false };
    let of = |offset, bytes| info.since(offset, bytes).map(|bytes| bytes > 0);
    let raw = &info.raw;
    let acknowledged = of(offset_of!(mptcp_info, mptcpi_bytes_acked), raw.mptcpi_bytes_acked);
    let received = of(offset_of!(mptcp_info, mptcpi_bytes_received), raw.mptcpi_bytes_received);
    match (acknowledged, received) {
        (None, None) => has_lost_all && raw.mptcpi_flags & FLAG_REMOTE_KEY_RECEIVED != 0,
        _ => acknowledged == Some(true) || received == Some(true),
    }
}

/// As [`is_ready`], if the kernel hides which subflows have joined. An end is ready when the peer has
/// acknowledged data, or anything if this end connected. No further subflow is established before.
fn is_ready_by_counters(subflows: &[Subflow]) -> bool {
    let mut established = subflows.iter().filter(|one| one.state == SubflowState::Established);
    let Some(first) = established.next() else { return false };
    // The SYN of the end that connected counts as one byte. So with one byte acknowledged, either this
    // end connected, or the peer has acknowledged data.
    let has_heard = first.bytes_acknowledged > 0 && first.bytes_received > 0;
    let is_acknowledged =
        first.bytes_sent > 0 && first.segments_unacknowledged == 0 && first.bytes_not_sent == 0
            || first.bytes_acknowledged > 1;
    has_heard || is_acknowledged || established.next().is_some()
}
