//! Netlink sockets kept per thread, because opening one costs as much as asking.
//!
//! A kept socket is thrown away when it cannot be right: after a fork (parent and child would read
//! each other's answers), after an answer that made no sense, and when the socket that is asked
//! about lives in another network namespace.

use std::cell::RefCell;
use std::os::fd::{AsFd, BorrowedFd};

use super::diag::SockDiag;
use super::netlink::Refusal;
use super::path_manager::PmNetlink;
use super::route::Addresses;
use super::socket;

/// A netlink socket that can be kept.
pub(crate) trait Kept: Sized + 'static {
    fn open() -> Result<Self, Refusal>;
    fn fd(&self) -> BorrowedFd<'_>;
    fn with_slot<T>(run: impl FnOnce(&RefCell<Option<Slot<Self>>>) -> T) -> T;
}

pub(crate) struct Slot<K> {
    kept: K,
    process: u32,
    namespace: Option<u64>,
}

macro_rules! kept {
    ($($type:ty),*) => { $(
        impl Kept for $type {
            fn open() -> Result<Self, Refusal> { <$type>::open() }
            fn fd(&self) -> BorrowedFd<'_> { self.as_fd() }
            fn with_slot<T>(run: impl FnOnce(&RefCell<Option<Slot<Self>>>) -> T) -> T {
                thread_local! {
                    static SLOT: RefCell<Option<Slot<$type>>> = const { RefCell::new(None) };
                }
                SLOT.with(run)
            }
        }
    )* };
}
kept!(SockDiag, PmNetlink, Addresses);

/// Why a socket could not be asked about.
#[derive(Debug)]
pub(crate) enum Unasked {
    /// It lives in another network namespace than the calling thread.
    OtherNamespace,
    /// The kernel refused.
    Refused(Refusal),
}

impl From<Refusal> for Unasked {
    fn from(refusal: Refusal) -> Self {
        Unasked::Refused(refusal)
    }
}

/// Asks about `sock`, by a netlink socket in its namespace.
pub(crate) fn about<K: Kept, T>(
    sock: BorrowedFd<'_>,
    ask: impl FnOnce(&mut K) -> Result<T, Refusal>,
) -> Result<T, Unasked> {
    let namespace = socket::namespace_cookie(sock);
    K::with_slot(|slot| {
        let mut slot = slot.borrow_mut();
        if !slot.as_ref().is_some_and(|slot| slot.fits(namespace)) {
            let fresh = Slot::<K>::open()?;
            if !fresh.fits(namespace) {
                return Err(Unasked::OtherNamespace);
            }
            *slot = Some(fresh);
        }
        let Some(kept) = slot.as_mut() else { return Err(Unasked::OtherNamespace) };
        let answer = ask(&mut kept.kept);
        if answer.as_ref().is_err_and(Refusal::is_malformed) {
            *slot = None;
        }
        answer.map_err(Unasked::from)
    })
}

/// Asks about something of the calling thread's namespace that is looked up by a number. A kept
/// socket may be of the namespace that the thread has left: what it does not know is asked again
/// by a fresh one.
pub(crate) fn look_up<K: Kept, T>(
    mut ask: impl FnMut(&mut K) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    K::with_slot(|slot| {
        let mut slot = slot.borrow_mut();
        if let Some(kept) = slot.as_mut().filter(|slot| slot.process == std::process::id()) {
            if let Ok(answer) = ask(&mut kept.kept) {
                return Ok(answer);
            }
        }
        let fresh = slot.insert(Slot::open()?);
        let answer = ask(&mut fresh.kept);
        if answer.as_ref().is_err_and(Refusal::is_malformed) {
            *slot = None;
        }
        answer
    })
}

impl<K: Kept> Slot<K> {
    fn open() -> Result<Self, Refusal> {
        let kept = K::open()?;
        let namespace = socket::namespace_cookie(kept.fd());
        Ok(Slot { kept, process: std::process::id(), namespace })
    }

    /// A kernel that has no namespace cookies (before 5.14) cannot say; we then trust.
    fn fits(&self, namespace: Option<u64>) -> bool {
        let same = match (self.namespace, namespace) {
            (Some(ours), Some(asked)) => ours == asked,
            _ => true,
        };
        same && self.process == std::process::id()
    }
}
