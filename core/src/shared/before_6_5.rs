//! What only kernels before Linux 6.5 need above `sys`: see `sys/before_6_5.rs`, which lists what goes with them.

use std::io;
use std::os::fd::BorrowedFd;

pub(crate) use crate::sys::before_6_5::is_simulated;

use crate::error::Result;
use crate::shared::connected::Connected;
use crate::shared::diag_subflow::{self, Depth, Found};
use crate::shared::socket_state::{not_mptcp_error, query_error};
use crate::shared::subflow::{Subflow, from_raw};
use crate::sys::before_6_5::{Failure, addresses_and_counters, subflows};
use crate::sys::mptcp::RawSubflow;

/// Collects what `pick` makes of each live subflow.
pub(super) fn gather<T>(
    sock: BorrowedFd<'_>,
    operation: &'static str,
    mut pick: impl FnMut(RawSubflow<'_>) -> Option<T>,
) -> Result<Vec<T>> {
    // The kernel hides from some processes what the socket is, but never its state and cookie.
    let find = |token, ends| match diag_subflow::search(
        Connected { sock, token },
        ends,
        Depth::Shallow,
    )? {
        Found::Subflow(entry) => Ok(entry.head),
        Found::Other { head, .. } => Ok(head),
    };
    let mut gathered = Vec::new();
    subflows(sock, find, |raw| gathered.extend(pick(raw))).map_err(|failure| match failure {
        Failure::Option(error) => not_mptcp_error(sock, operation, &error),
        Failure::SockDiag(error) => query_error(operation, error),
    })?;
    Ok(gathered)
}

/// Lists the live subflows from the socket alone, without their ids. Nothing else is needed for that: no
/// netlink, and no module.
pub(crate) fn list_without_ids(sock: BorrowedFd<'_>) -> io::Result<Vec<Subflow>> {
    let subflows = addresses_and_counters(sock)?;
    Ok(subflows.iter().map(|(local, remote, tcp)| from_raw(0, *local, *remote, tcp)).collect())
}
