//! Netlink sockets kept per thread, because opening one costs as much as asking.
//!
//! A kept socket is thrown away when it cannot be right: after a fork (parent and child would read
//! each other's answers), after an answer that made no sense, and when the socket that is asked
//! about lives in another network namespace.
//!
//! A program may close every descriptor that it has, as daemons do. The number of a kept socket may
//! then belong to another file of the program. So the kernel's cookie of the socket is compared
//! before each use and before each close, also when the thread or the program ends: a socket that is
//! no longer under its number is forgotten, and is neither used nor closed.

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, BorrowedFd};

use super::diag::SockDiag;
use super::netlink::NetlinkError;
use super::path_manager::PathManagerSocket;
use super::route::Addresses;
use super::{fork, namespace, socket};

/// A netlink socket that can be kept.
pub(crate) trait Kept: Sized + 'static {
    fn open() -> Result<Self, NetlinkError>;
    fn fd(&self) -> BorrowedFd<'_>;
    /// Lends the thread's place for it; `None` while the thread ends.
    fn with_slot<T>(run: impl FnOnce(&mut Slot<Self>) -> T) -> Option<T>;
}

/// A thread's place for one kind of netlink socket.
pub(crate) struct Slot<K: Kept>(Option<Entry<K>>);

struct Entry<K: Kept> {
    kept: ManuallyDrop<K>,
    generation: u64,
    cookie: Option<u64>,
    namespace: Option<u64>,
}

macro_rules! kept {
    ($($type:ty),*) => { $(
        impl Kept for $type {
            fn open() -> Result<Self, NetlinkError> { <$type>::open() }
            fn fd(&self) -> BorrowedFd<'_> { self.as_fd() }
            fn with_slot<T>(run: impl FnOnce(&mut Slot<Self>) -> T) -> Option<T> {
                thread_local! {
                    static SLOT: RefCell<Slot<$type>> = const { RefCell::new(Slot(None)) };
                }
                let mut run = Some(run);
                let lent = SLOT.try_with(|slot| {
                    let mut slot = slot.try_borrow_mut().ok()?;
                    run.take().map(|run| run(&mut slot))
                });
                lent.ok().flatten()
            }
        }
    )* };
}
kept!(SockDiag, PathManagerSocket, Addresses);

/// Why a socket could not be asked about.
#[derive(Debug)]
pub(crate) enum Unasked {
    /// It lives in another network namespace than the calling thread.
    OtherNamespace,
    /// The kernel refused.
    Refused(NetlinkError),
}

impl From<NetlinkError> for Unasked {
    fn from(refusal: NetlinkError) -> Self {
        Unasked::Refused(refusal)
    }
}

impl Unasked {
    /// Whether the kernel answered with that number.
    pub(crate) fn is(&self, errno: i32) -> bool {
        matches!(self, Unasked::Refused(refusal) if refusal.errno == errno)
    }
}

/// Asks about `sock`, by a netlink socket in its namespace.
pub(crate) fn about<K: Kept, T>(
    sock: BorrowedFd<'_>,
    ask: impl FnOnce(&mut K) -> Result<T, NetlinkError>,
) -> Result<T, Unasked> {
    let namespace = namespace::cookie(sock);
    let mut ask = Some(ask);
    let mut run = |slot: &mut Slot<K>| {
        slot.forget_if_lost();
        if !slot.0.as_ref().is_some_and(|entry| entry.fits(namespace)) {
            let fresh = Entry::<K>::open()?;
            if !fresh.fits(namespace) {
                return Err(Unasked::OtherNamespace);
            }
            slot.0 = Some(fresh);
        }
        match ask.take() {
            Some(ask) => slot.ask(ask).map_err(Unasked::from),
            None => Err(NetlinkError::malformed().into()),
        }
    };
    match K::with_slot(&mut run) {
        Some(answer) => answer,
        // The thread ends: a socket for this once.
        None => run(&mut Slot(None)),
    }
}

/// Asks about something that is looked up by a number, which no two namespaces of a host use at
/// once. A kept socket may be of the namespace that the thread has left: what it does not know is
/// asked again by a fresh one. (To know where a thread is costs half as much as asking does.)
pub(crate) fn look_up<K: Kept, T>(
    mut ask: impl FnMut(&mut K) -> Result<T, NetlinkError>,
) -> Result<T, NetlinkError> {
    let mut run = |slot: &mut Slot<K>| {
        slot.forget_if_lost();
        if slot.0.is_some() {
            if let Ok(answer) = slot.ask(&mut ask) {
                return Ok(answer);
            }
        }
        slot.0 = Some(Entry::open()?);
        slot.ask(&mut ask)
    };
    match K::with_slot(&mut run) {
        Some(answer) => answer,
        None => run(&mut Slot(None)),
    }
}

impl<K: Kept> Slot<K> {
    fn ask<T>(
        &mut self,
        ask: impl FnOnce(&mut K) -> Result<T, NetlinkError>,
    ) -> Result<T, NetlinkError> {
        let Some(entry) = &mut self.0 else { return Err(NetlinkError::malformed()) };
        let answer = ask(&mut entry.kept);
        if answer.as_ref().is_err_and(NetlinkError::is_malformed) {
            self.0 = None;
        }
        answer
    }

    /// Empties the slot of a socket that belongs to the parent process, or that the program has
    /// closed.
    fn forget_if_lost(&mut self) {
        let is_usable =
            |entry: &Entry<K>| entry.is_still_open() && entry.generation == fork::generation();
        if !self.0.as_ref().is_some_and(is_usable) {
            self.0 = None;
        }
    }
}

impl<K: Kept> Entry<K> {
    fn open() -> Result<Self, NetlinkError> {
        let kept = K::open()?;
        let (cookie, namespace) = (socket::cookie(kept.fd()), namespace::cookie(kept.fd()));
        let kept = ManuallyDrop::new(kept);
        Ok(Entry { kept, generation: fork::generation(), cookie, namespace })
    }

    /// Whether the descriptor still is the socket that was opened.
    fn is_still_open(&self) -> bool {
        self.cookie == socket::cookie(self.kept.fd())
    }

    /// A kernel that has no namespace cookies (before 5.14) cannot say; we then trust.
    fn fits(&self, namespace: Option<u64>) -> bool {
        match (self.namespace, namespace) {
            (Some(ours), Some(asked)) => ours == asked,
            _ => true,
        }
    }
}

impl<K: Kept> Drop for Entry<K> {
    /// Closes the socket, unless its number belongs to another file by now. Its buffer is then lost
    /// with it: to free the one would close the other.
    fn drop(&mut self) {
        if self.is_still_open() {
            // SAFETY: this is the one place that drops `kept`, and nothing uses it after this.
            unsafe { ManuallyDrop::drop(&mut self.kept) };
        }
    }
}
