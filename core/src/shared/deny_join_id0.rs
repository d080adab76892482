//! Whether peers accept further subflows to their initial address (the C flag of RFC 8684, section 3.1).
//!
//! The kernel reports the flag once, by an event when the connection is established, and does not
//! enforce it on controlled connections. So the library remembers it for the connections that it made
//! itself. Without this knowledge `open` is tried, and such a peer may reset the subflow or ignore it.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::sys::socket;

/// The most connections that are remembered: the oldest are forgotten first.
const MOST: usize = 4096;

/// The kernel's numbers of the sockets, which no other sockets have until the next boot, and in the lowest bit
/// whether the peer denies such subflows. Without a lock: the child of a fork would wait forever for one that
/// another thread of its parent held.
static SOCKETS: [AtomicU64; MOST] = [const { AtomicU64::new(0) }; MOST];
/// How many have been remembered since the process began.
static REMEMBERED: AtomicUsize = AtomicUsize::new(0);

/// Remembers whether the peer of this connection denies such subflows.
pub(crate) fn remember(sock: BorrowedFd<'_>, is_denied: bool) {
    let Some(cookie) = socket::cookie(sock) else { return };
    let place = REMEMBERED.fetch_add(1, Ordering::Relaxed) % MOST;
    SOCKETS[place].store(cookie << 1 | u64::from(is_denied), Ordering::Release);
}

/// Reports whether the peer of this connection denies such subflows, if that is known.
pub(crate) fn known(sock: BorrowedFd<'_>) -> Option<bool> {
    let places = REMEMBERED.load(Ordering::Relaxed).min(MOST);
    if places == 0 {
        return None;
    }
    let cookie = socket::cookie(sock)?;
    let mut remembered = SOCKETS[..places].iter().map(|one| one.load(Ordering::Acquire));
    remembered.find(|one| one >> 1 == cookie).map(|one| one & 1 != 0)
}
