//! Whether a connection accepts further subflows.

use std::mem::offset_of;
use std::os::fd::BorrowedFd;

use crate::shared::diag_subflow;
use crate::shared::subflow::list_fd;
use crate::shared::subflow_state::SubflowState;
use crate::sys::mptcp;
use crate::sys::uapi::mptcp_info;

/// Reports whether the connection is fully established, which it is when one of its subflows is: the
/// initial one when its first data is acknowledged, another one by its handshake. A connection that has
/// lost all its subflows still is what it was.
pub(crate) fn is_ready(sock: BorrowedFd<'_>, token: u32) -> bool {
    let Ok(subflows) = list_fd(sock, "status") else { return false };
    if subflows.iter().all(|subflow| subflow.state == SubflowState::SynSent) {
        return has_moved_data(sock);
    }
    subflows.iter().any(|subflow| {
        let ends = (subflow.local, subflow.remote);
        diag_subflow::find(sock, token, ends, diag_subflow::Depth::Shallow)
            .is_ok_and(|entry| entry.is_joined())
    })
}

/// Reports whether data of either direction has been acknowledged.
fn has_moved_data(sock: BorrowedFd<'_>) -> bool {
    let Ok(info) = mptcp::info(sock) else { return false };
    let of = |offset, bytes| info.since(offset, bytes).is_some_and(|bytes| bytes > 0);
    of(offset_of!(mptcp_info, mptcpi_bytes_acked), info.raw.mptcpi_bytes_acked)
        || of(offset_of!(mptcp_info, mptcpi_bytes_received), info.raw.mptcpi_bytes_received)
}
