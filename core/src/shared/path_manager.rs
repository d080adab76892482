//! Who manages the paths of a connection: the kernel, or the application.

use std::os::fd::BorrowedFd;
use std::sync::OnceLock;

use crate::sys::cache;
use crate::sys::mptcp::{Info, is_without};
use crate::sys::netlink::Refusal;
use crate::sys::path_manager::PmNetlink;
use crate::table::enumeration;

enumeration! {
    /// Who decides about the subflows of a connection.
    pub enum PathManager {
        /// This kernel does not tell, or there is no Multipath TCP connection.
        Unknown = 0,
        /// The kernel, by its endpoints and limits (`ip mptcp`).
        Kernel = 1,
        /// The application: control was taken.
        Userspace = 2,
    }
}

/// Who manages the paths, by what this kernel answers.
pub(crate) fn path_manager(sock: BorrowedFd<'_>, info: &Info) -> PathManager {
    let token = info.raw.mptcpi_token;
    match (token != 0, addresses_by_token(sock)) {
        (true, true) => asked(sock, |netlink| netlink.addresses(token).map(drop)),
        // Before Linux 6.10 only a command tells, and only to who may give it.
        (true, false) => asked(sock, |netlink| netlink.is_userspace(token)),
        // The limits are those of the kernel's path manager, and 0 on a socket that has another.
        (false, true) if info.raw.mptcpi_subflows_max > 0 => PathManager::Kernel,
        (false, true) => match cache::about(sock, PmNetlink::subflows_max) {
            Ok(limit) if limit > 0 => PathManager::Userspace,
            _ => PathManager::Unknown,
        },
        (false, false) => PathManager::Unknown,
    }
}

/// Asks something that the kernel refuses by `EINVAL` about connections that it manages itself.
fn asked(
    sock: BorrowedFd<'_>,
    question: impl FnOnce(&mut PmNetlink) -> Result<(), Refusal>,
) -> PathManager {
    match cache::about(sock, question) {
        Ok(()) => PathManager::Userspace,
        Err(error) if error.is(libc::EINVAL) => PathManager::Kernel,
        Err(_) => PathManager::Unknown,
    }
}

/// Asked once: a kernel does not change its mind.
pub(crate) fn addresses_by_token(sock: BorrowedFd<'_>) -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    if let Some(answer) = ANSWER.get() {
        return *answer;
    }
    match cache::about(sock, PmNetlink::addresses_by_token) {
        Ok(answer) => *ANSWER.get_or_init(|| answer && !is_without("addresses_by_token")),
        Err(_) => false,
    }
}
