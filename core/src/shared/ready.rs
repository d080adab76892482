//! Whether a connection accepts further subflows.

use std::os::fd::BorrowedFd;

use crate::shared::diag_subflow;
use crate::shared::subflow::list_fd;

/// Reports whether the connection is fully established, which it is when one of its subflows is: the
/// initial one when its first data is acknowledged, another one by its handshake.
pub(crate) fn is_ready(sock: BorrowedFd<'_>, token: u32) -> bool {
    let Ok(subflows) = list_fd(sock, "status") else { return false };
    subflows.iter().any(|subflow| {
        let ends = (subflow.local, subflow.remote);
        diag_subflow::find(sock, token, ends, diag_subflow::Depth::Shallow)
            .is_ok_and(|entry| entry.is_joined())
    })
}
