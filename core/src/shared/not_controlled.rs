//! The error for a connection that the kernel's path manager manages.

use std::os::fd::BorrowedFd;

use crate::cause;
use crate::error::{Error, ErrorKind};
use crate::shared::connected::Connected;
use crate::shared::diag_subflow::{self, Depth};
use crate::shared::subflow::list_fd;
use crate::sys::mptcp;
use crate::sys::uapi::diag;

/// Returns the error. It depends on which end the socket is: control of an accepted connection cannot be
/// taken before it is connected.
pub(crate) fn not_controlled(sock: BorrowedFd<'_>, operation: &'static str) -> Error {
    match is_accepted(sock) {
        Some(true) => cause::ACCEPTED.error(operation),
        _ => Error::new(ErrorKind::NotControlled, operation),
    }
}

/// Reports whether the connection was accepted; `None` if its initial subflow is gone.
pub(crate) fn is_accepted(sock: BorrowedFd<'_>) -> Option<bool> {
    let connection = Connected::new(sock, &mptcp::info(sock).ok()?);
    let subflows = list_fd(sock, "").ok()?;
    let mut flags = subflows.iter().filter_map(|subflow| {
        Some(diag_subflow::find(connection, subflow.ends(), Depth::Shallow).ok()?.flags)
    });
    let joins = diag::FLAG_JOIN_LOC | diag::FLAG_JOIN_REM;
    flags.find(|flags| flags & joins == 0).map(|flags| flags & diag::FLAG_CAPABLE_LOC == 0)
}
