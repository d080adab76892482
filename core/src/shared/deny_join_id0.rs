//! Peers that accept no further subflow to their initial address (the C flag of RFC 8684, section 3.1).
//!
//! The kernel reports the flag once, by an event when the connection is established, and does not
//! enforce it on controlled connections. So the library remembers it for the connections that it made
//! itself. Without this knowledge `open` is tried, and such a peer may reset the subflow or ignore it.

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::sys::socket;

/// The most connections that are remembered: the oldest are forgotten first.
const MOST: usize = 4096;

/// The kernel's numbers of the sockets, which no other sockets have until the next boot.
static SOCKETS: Mutex<VecDeque<u64>> = Mutex::new(VecDeque::new());

/// Remembers that the peer of this connection denies such subflows.
pub(crate) fn remember(sock: BorrowedFd<'_>) {
    let Some(cookie) = socket::cookie(sock) else { return };
    let mut sockets = sockets();
    if sockets.len() == MOST {
        sockets.pop_front();
    }
    sockets.push_back(cookie);
}

/// Reports whether the peer of this connection is known to deny such subflows.
pub(crate) fn is_known(sock: BorrowedFd<'_>) -> bool {
    let sockets = sockets();
    !sockets.is_empty() && socket::cookie(sock).is_some_and(|cookie| sockets.contains(&cookie))
}

fn sockets() -> MutexGuard<'static, VecDeque<u64>> {
    SOCKETS.lock().unwrap_or_else(PoisonError::into_inner)
}
