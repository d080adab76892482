//! Finding out what manages the subflows of a connection: the kernel, or the application.

use std::os::fd::BorrowedFd;

use crate::door::Door;
use crate::shared::connected::Connected;
use crate::shared::path_manager::{PathManager, addresses_by_token};
use crate::sys::cache;
use crate::sys::mptcp::RawInfo;
use crate::sys::netlink::NetlinkError;
use crate::sys::path_manager::PathManagerSocket;

/// Returns what manages the subflows of a connection, by the ways that this kernel has.
pub(crate) fn path_manager(door: &dyn Door, sock: BorrowedFd<'_>, info: &RawInfo) -> PathManager {
    let token = info.raw.mptcpi_token;
    match (token != 0, addresses_by_token(sock)) {
        (true, true) => asked(sock, |netlink| netlink.addresses(token).map(drop)),
        // Before Linux 6.10 only the answer to a privileged command shows it.
        (true, false) => door.path_manager(Connected { sock, token }),
        // A socket reports the limits of the kernel's path manager, and 0 under another one.
        (false, true) if info.raw.mptcpi_subflows_max > 0 => PathManager::Kernel,
        (false, true) => match cache::with_socket_for(sock, PathManagerSocket::subflows_max) {
            Ok(limit) if limit > 0 => PathManager::Userspace,
            _ => PathManager::Unknown,
        },
        (false, false) => PathManager::Unknown,
    }
}

/// Asks a question that the kernel answers with `EINVAL` for a connection that it manages itself.
pub(in crate::door) fn asked(
    sock: BorrowedFd<'_>,
    question: impl FnOnce(&mut PathManagerSocket) -> Result<(), NetlinkError>,
) -> PathManager {
    match cache::with_socket_for(sock, question) {
        Ok(()) => PathManager::Userspace,
        Err(error) if error.is(libc::EINVAL) => PathManager::Kernel,
        Err(_) => PathManager::Unknown,
    }
}
