//! Sockets that the program watches by epoll before it connects them, as nginx does: the set forgets a socket whose place
//! another one takes, so the new one is added as the old one was.

use std::ffi::c_int;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

use libc::{EPOLL_CTL_ADD, EPOLL_CTL_DEL, epoll_event};

use crate::{next, settings, soften};

/// The cookie of the socket, and how it was added last.
struct Watched {
    cookie: AtomicU64,
    epoll: AtomicI32,
    events: AtomicU32,
    data: AtomicU64,
}

/// Sockets with descriptors beyond these are no longer watched when another one takes their place.
static WATCHED: [Watched; 16_384] = [const {
    Watched {
        cookie: AtomicU64::new(0),
        epoll: AtomicI32::new(-1),
        events: AtomicU32::new(0),
        data: AtomicU64::new(0),
    }
}; 16_384];

/// The program has changed an epoll set. `event` is `None` for a removal.
pub(crate) fn changed(epoll: c_int, operation: c_int, fd: c_int, event: Option<epoll_event>) {
    if !settings::has_destinations() || !soften::is_mptcp(fd) {
        return;
    }
    let Some(watched) = of(fd) else { return };
    let cookie = match (operation, event) {
        (EPOLL_CTL_DEL, _) | (_, None) => 0,
        (_, Some(event)) => {
            watched.epoll.store(epoll, Ordering::Relaxed);
            watched.events.store(event.events, Ordering::Relaxed);
            watched.data.store(event.u64, Ordering::Relaxed);
            soften::cookie(fd).unwrap_or(0)
        }
    };
    watched.cookie.store(cookie, Ordering::Relaxed);
}

/// Whether the program watches the socket.
pub(crate) fn is_watched(fd: c_int) -> bool {
    of(fd).is_some_and(|one| Some(one.cookie.load(Ordering::Relaxed)) == soften::cookie(fd))
}

/// Another socket has this descriptor now.
pub(crate) fn add_again(fd: c_int) {
    let Some(watched) = of(fd) else { return };
    let mut event = epoll_event {
        events: watched.events.load(Ordering::Relaxed),
        u64: watched.data.load(Ordering::Relaxed),
    };
    let epoll = watched.epoll.load(Ordering::Relaxed);
    // SAFETY: the pointer is to an event.
    unsafe { next::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &mut event) };
}

fn of(fd: c_int) -> Option<&'static Watched> {
    WATCHED.get(usize::try_from(fd).ok()?)
}
