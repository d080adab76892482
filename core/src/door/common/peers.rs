//! What the peers of this process's connections have reported about their addresses.
//!
//! The kernel reports it once, by events, and forgets it. So the process follows the events of its own
//! network namespace from its first `connect` with control on. There is no thread: the events wait in the
//! kernel until a verb asks.
//!
//! A netlink socket keeps its network namespace alive. So only one of the process's own namespace, which is
//! that of its main thread, is kept. A connection from another one is followed until it is established.

use std::collections::BTreeMap;
use std::mem;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use super::events::follow;
use crate::door::Door;
use crate::sys::event::{KernelEvent, KernelEvents};
use crate::sys::namespace::{self, Inode};
use crate::sys::uapi::pm;
use crate::sys::{fork, socket};

/// The kernel's buffer for events that nothing has asked for yet, in bytes: more than a thousand events.
const BUFFER: i32 = 1 << 20;
/// The most datagrams of events that are read at once: more than the buffer keeps.
const READS: usize = 16_384;
/// The most connections of the namespace that are remembered: the oldest are forgotten first.
const MOST: usize = 4096;

/// What a peer has said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peer {
    /// Whether it accepts no further subflow to its initial address (the C flag of RFC 8684, section 3.1).
    pub(crate) denies_initial_address: bool,
    /// The addresses that it has announced and not withdrawn, in the order of their ids.
    pub(crate) addresses: Vec<(u8, SocketAddr)>,
}

/// What is known, by the tokens of the connections.
#[derive(Debug, Default)]
struct Known {
    /// With the number of the connection: the oldest has the lowest. Not a hash table, whose memory checkers of
    /// leaks take for lost: nothing points to its beginning.
    peers: BTreeMap<u32, (u64, Peer)>,
    connections: u64,
}

impl Known {
    fn record(&mut self, event: &KernelEvent) {
        let Some(token) = event.token else { return };
        match event.kind {
            pm::EVENT_CREATED => {
                self.connections += 1;
                // The token of a connection whose end the kernel did not report may be given away again.
                self.peers.insert(token, (self.connections, Peer::default()));
                if self.peers.len() > MOST {
                    let age = |(token, (number, _)): (&u32, &(u64, Peer))| (*number, *token);
                    let oldest = self.peers.iter().map(age).min();
                    oldest.map(|(_, oldest)| self.peers.remove(&oldest));
                }
            }
            pm::EVENT_CLOSED => drop(self.peers.remove(&token)),
            _ => {}
        }
        let Some((_, peer)) = self.peers.get_mut(&token) else { return };
        peer.denies_initial_address |= event.denies_initial_address;
        let Some(id) = event.remote_address_id else { return };
        let place = peer.addresses.binary_search_by_key(&id, |(id, _)| *id);
        match (event.kind, event.remote, place) {
            (pm::EVENT_ANNOUNCED, Some(address), Ok(place)) => peer.addresses[place].1 = address,
            (pm::EVENT_ANNOUNCED, Some(address), Err(place)) => {
                peer.addresses.insert(place, (id, address));
            }
            (pm::EVENT_REMOVED, _, Ok(place)) => drop(peer.addresses.remove(place)),
            _ => {}
        }
    }
}

/// The events of a network namespace, and what they have reported so far.
#[derive(Debug)]
pub(crate) struct Peers {
    events: KernelEvents,
    known: Known,
}

impl Peers {
    /// Follows the events from now on. `None` without the right.
    fn follow(
        door: &dyn Door,
        sock: Option<BorrowedFd<'_>>,
        operation: &'static str,
    ) -> Option<Peers> {
        let events = follow(door, sock, operation).ok()?;
        events.set_buffer(BUFFER);
        Some(Peers { events, known: Known::default() })
    }

    /// Returns what the peer of the connection with that token has said; `None` if the connection began
    /// before these events, or has been forgotten.
    fn peer(&mut self, token: u32) -> Option<Peer> {
        for _ in 0..READS {
            match self.events.take(|event| self.known.record(&event)) {
                Ok(true) => {}
                // The kernel reports a loss before it hands out the events from before the loss.
                Err(refusal) if refusal.errno == libc::ENOBUFS => {}
                _ => break,
            }
        }
        self.known.peers.get(&token).map(|(_, peer)| peer.clone())
    }
}

/// The events that the process keeps, with what shows that they still can be read.
struct Kept {
    peers: Peers,
    generation: u64,
    cookie: Option<u64>,
    namespace: Option<u64>,
    home: Inode,
}

static KEPT: Mutex<Option<Kept>> = Mutex::new(None);
/// The process that locked it last. The child of a fork may find it locked forever, by another thread of its
/// parent.
static LOCKED_BY: AtomicU64 = AtomicU64::new(0);

impl Kept {
    /// `None` if the lock cannot be taken.
    fn lock() -> Option<MutexGuard<'static, Option<Kept>>> {
        const LONG: Duration = Duration::from_secs(1);
        let (this, deadline) = (fork::generation(), Instant::now() + LONG);
        loop {
            let guard = match KEPT.try_lock() {
                Err(TryLockError::WouldBlock) => None,
                Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
                Ok(guard) => Some(guard),
            };
            if guard.is_some() {
                LOCKED_BY.store(this, Ordering::Relaxed);
                return guard;
            }
            if LOCKED_BY.load(Ordering::Relaxed) != this || Instant::now() >= deadline {
                return None;
            }
            thread::yield_now();
        }
    }

    /// Whether these are still the events of this process and of its own namespace.
    fn is_current(&self) -> bool {
        self.generation == fork::generation()
            && self.is_still_open()
            && namespace::inode_of_main_thread() == Some(self.home)
    }

    /// Whether the socket is in their namespace.
    fn is_about(&self, sock: BorrowedFd<'_>) -> bool {
        self.namespace == namespace::cookie(sock)
    }

    /// Whether the descriptor still is the socket that was opened: programs close what they do not know.
    fn is_still_open(&self) -> bool {
        self.cookie.is_some() && self.cookie == socket::cookie(self.peers.events.as_fd())
    }

    /// Closes the socket, unless its number now belongs to another file.
    fn discard(self) {
        if !self.is_still_open() {
            mem::forget(self);
        }
    }

    /// Begins to follow in the process's own namespace, which the thread has to be in.
    fn begin(door: &dyn Door, operation: &'static str) -> Option<Kept> {
        let home = namespace::inode_of_main_thread()?;
        if namespace::inode_of_this_thread() != Some(home) {
            return None;
        }
        let peers = Peers::follow(door, None, operation)?;
        let fd = peers.events.as_fd();
        let (cookie, namespace) = (socket::cookie(fd), namespace::cookie(fd));
        Some(Kept { peers, generation: fork::generation(), cookie, namespace, home })
    }
}

/// What follows a connection from before its first packet on.
#[derive(Debug)]
pub(crate) enum Follower {
    /// The process does, also after the connection is established.
    Process,
    /// This value does.
    Own(Peers),
}

impl Follower {
    /// Call it before connecting. Without the right to follow events, what the peers report stays unknown.
    pub(crate) fn begin(
        door: &dyn Door,
        sock: BorrowedFd<'_>,
        operation: &'static str,
    ) -> Option<Follower> {
        if let Some(mut kept) = Kept::lock() {
            // A socket of another namespace takes nothing away from those of the process's own.
            if !kept.as_ref().is_some_and(Kept::is_current) {
                if let Some(former) = kept.take() {
                    former.discard();
                }
                *kept = Kept::begin(door, operation);
            }
            if kept.as_ref().is_some_and(|kept| kept.is_about(sock)) {
                return Some(Follower::Process);
            }
        }
        Peers::follow(door, Some(sock), operation).map(Follower::Own)
    }

    /// Returns what the peer of this connection has reported until now.
    pub(crate) fn peer(self, sock: BorrowedFd<'_>, token: u32) -> Option<Peer> {
        match self {
            Follower::Process => peer(sock, token),
            Follower::Own(mut peers) => peers.peer(token),
        }
    }
}

/// Returns what the peer of a connection has said, if the process has followed the connection from its first
/// packet on.
pub(crate) fn peer(sock: BorrowedFd<'_>, token: u32) -> Option<Peer> {
    let mut kept = Kept::lock()?;
    let current = kept.as_mut().filter(|kept| kept.is_current() && kept.is_about(sock))?;
    current.peers.peer(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: u8, token: u32) -> KernelEvent {
        KernelEvent { kind, token: Some(token), ..KernelEvent::default() }
    }

    fn announced(token: u32, id: u8, address: &str) -> KernelEvent {
        KernelEvent {
            remote_address_id: Some(id),
            remote: Some(address.parse().unwrap()),
            ..event(pm::EVENT_ANNOUNCED, token)
        }
    }

    #[test]
    fn what_a_peer_announced_is_known_until_it_withdraws_it() {
        let mut known = Known::default();
        let denies =
            KernelEvent { denies_initial_address: true, ..event(pm::EVENT_ESTABLISHED, 7) };
        let removed = KernelEvent { remote_address_id: Some(1), ..event(pm::EVENT_REMOVED, 7) };
        known.record(&announced(7, 3, "10.0.0.1:80"));
        assert!(known.peers.is_empty(), "it began before the events");
        for event in [
            event(pm::EVENT_CREATED, 7),
            denies,
            announced(7, 2, "10.0.0.2:80"),
            announced(7, 1, "10.0.0.1:80"),
            // Sent again.
            announced(7, 1, "10.0.0.1:80"),
            announced(8, 1, "10.0.0.3:80"),
        ] {
            known.record(&event);
        }
        let ids = |known: &Known| -> Vec<u8> {
            known.peers[&7].1.addresses.iter().map(|(id, _)| *id).collect()
        };
        assert_eq!(ids(&known), [1, 2]);
        assert!(known.peers[&7].1.denies_initial_address);
        known.record(&removed);
        assert_eq!(ids(&known), [2]);
        // Another connection with that token.
        known.record(&event(pm::EVENT_CREATED, 7));
        assert!(ids(&known).is_empty() && !known.peers[&7].1.denies_initial_address);
        known.record(&event(pm::EVENT_CLOSED, 7));
        assert!(known.peers.is_empty());
    }

    #[test]
    fn the_oldest_connections_are_forgotten_first() {
        let mut known = Known::default();
        let most = u32::try_from(MOST).unwrap();
        // Those that have ended take no room.
        for token in 0..most {
            known.record(&event(pm::EVENT_CREATED, token));
            known.record(&event(pm::EVENT_CLOSED, token));
        }
        for token in 0..most + 10 {
            known.record(&event(pm::EVENT_CREATED, token));
        }
        assert_eq!(known.peers.len(), MOST);
        assert!(!known.peers.contains_key(&9) && known.peers.contains_key(&10));
    }
}
