//! What manages the subflows of a connection: the kernel, or the application.

use std::os::fd::BorrowedFd;
use std::sync::OnceLock;

use crate::sys::cache;
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
