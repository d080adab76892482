//! What manages the subflows of a connection, the kernel or the application, and the kernel's path manager
//! itself.

use std::os::fd::BorrowedFd;
use std::sync::OnceLock;

use crate::cause;
use crate::error::{Error, Result};
use crate::shared::{no_mptcp, privilege};
use crate::sys::cache;
use crate::sys::netlink::NetlinkError;
use crate::sys::path_manager::PathManagerSocket;
use crate::sys::without::is_without;
use crate::table::enumeration;

enumeration! {
    /// What manages the subflows of a connection.
    pub enum PathManager {
        /// Unknown: this kernel does not report it, or there is no Multipath TCP connection.
        Unknown = 0,
        /// The kernel, by the configured endpoints and limits (`ip mptcp`).
        Kernel = 1,
        /// The application, which took control.
        Userspace = 2,
    }
}

/// Reports whether this kernel lists the addresses of one connection (Linux 6.10). Asked once per
/// process.
pub(crate) fn addresses_by_token(sock: BorrowedFd<'_>) -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    if let Some(answer) = ANSWER.get() {
        return *answer;
    }
    match cache::with_socket_for(sock, PathManagerSocket::addresses_by_token) {
        Ok(answer) => *ANSWER.get_or_init(|| answer && !is_without("addresses_by_token")),
        Err(_) => false,
    }
}

/// Opens a socket to the kernel's path manager of the calling thread's network namespace. A kept socket may be
/// in another one.
pub(crate) fn open(operation: &'static str) -> Result<PathManagerSocket> {
    PathManagerSocket::open().map_err(|error| match error.errno {
        libc::ENOENT => no_mptcp::cause().unwrap_or(cause::NO_PATH_MANAGER).error(operation),
        _ => refused(operation, error),
    })
}

/// Returns the error for a command about endpoints or limits that the kernel refused.
pub(crate) fn refused(operation: &'static str, refusal: NetlinkError) -> Error {
    let cause = privilege::cause_without_broker(refusal.errno);
    let error = Error::os(operation, refusal.errno).kernel(refusal.text);
    match cause {
        Some(cause) => cause.explain(error),
        None => error,
    }
}
