//! Netlink sockets that the process keeps, because opening one costs as much as a query does.
//!
//! The threads share them: a query takes a socket out of the pool of its kind and puts it back afterwards. If
//! more threads ask at the same time than the pool has places, the others open sockets of their own and close
//! them.
//!
//! A netlink socket keeps its network namespace alive. So only a socket of the process's own namespace,
//! which is that of its main thread, is kept. If the main thread has moved to another one, the sockets
//! of its former namespace are closed by the next query.
//!
//! A kept socket is closed when it can no longer be used: after a fork (parent and child would read each
//! other's answers), and after an answer that made no sense.
//!
//! A program may close every descriptor that it has, as daemons do. The number of a kept socket may then
//! belong to another file of the program. The library therefore compares the kernel's cookie of the
//! socket before each use and before each close. If the number no longer belongs to the socket, the
//! library forgets the socket: it neither uses nor closes the number.

use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, BorrowedFd};

use super::interface_addresses::AddressQuery;
use super::namespace::{self, Inode};
use super::netlink::NetlinkError;
use super::path_manager::PathManagerSocket;
use super::pool::Pool;
use super::sock_diag::SockDiag;
use super::{fork, socket};

/// The sockets of one kind that wait for their next query.
pub(crate) type Places<C> = Pool<Entry<C>>;

/// A kind of netlink socket that is kept.
pub(crate) trait Cached: AsFd + Send + Sized + 'static {
    fn open() -> Result<Self, NetlinkError>;
    fn places() -> &'static Places<Self>;
}

macro_rules! cached {
    ($($kind:ty),*) => {$(
        impl Cached for $kind {
            fn open() -> Result<Self, NetlinkError> {
                <$kind>::open()
            }
            fn places() -> &'static Places<Self> {
                static PLACES: Places<$kind> = Places::new();
                &PLACES
            }
        }
    )*};
}
cached!(SockDiag, PathManagerSocket, AddressQuery);

/// Why a query failed.
#[derive(Debug)]
pub(crate) enum QueryError {
    /// The socket in question is in another network namespace than the calling thread.
    OtherNamespace,
    /// The netlink socket could not be opened, or the kernel answered with an error.
    Netlink(NetlinkError),
}

impl From<NetlinkError> for QueryError {
    fn from(error: NetlinkError) -> Self {
        QueryError::Netlink(error)
    }
}

impl QueryError {
    /// Reports whether the kernel answered with that error number.
    pub(crate) fn is(&self, errno: i32) -> bool {
        matches!(self, QueryError::Netlink(error) if error.errno == errno)
    }
}

/// Runs a query about `sock`, with a netlink socket in the namespace of `sock`.
pub(crate) fn with_socket_for<C: Cached, T>(
    sock: BorrowedFd<'_>,
    query: impl FnOnce(&mut C) -> Result<T, NetlinkError>,
) -> Result<T, QueryError> {
    Ok(Entry::for_socket(sock)?.run(query)?)
}

/// Runs a query about something that has a number of its own on the whole host, in whatever
/// namespace.
///
/// A kept socket may be in another namespace than the thread. If it does not know the number, the query
/// is run again with a fresh socket. (To find out the thread's current namespace costs half as much as
/// a query.)
pub(crate) fn with_any_socket<C: Cached, T>(
    mut query: impl FnMut(&mut C) -> Result<T, NetlinkError>,
) -> Result<T, NetlinkError> {
    if let Some(mut kept) = Entry::take_kept() {
        match query(&mut kept.socket) {
            Ok(answer) => {
                C::places().put(kept);
                return Ok(answer);
            }
            Err(error) if error.is_malformed() => {}
            Err(_) => kept.put_back_at_home(),
        }
    }
    Entry::open()?.run(query)
}

/// A socket, and what shows that it can still be used.
pub(crate) struct Entry<C: Cached> {
    socket: ManuallyDrop<C>,
    generation: u64,
    cookie: Option<u64>,
    namespace: Option<u64>,
    /// The process's own namespace, if the socket is in it.
    home: Option<Inode>,
}

impl<C: Cached> Entry<C> {
    fn open() -> Result<Box<Self>, NetlinkError> {
        // Asked before and after: if the main thread moves in between, the socket is not kept.
        let before = namespace::inode_of_main_thread();
        let socket = C::open()?;
        let here = namespace::inode_of_this_thread();
        let (cookie, namespace) =
            (socket::cookie(socket.as_fd()), namespace::cookie(socket.as_fd()));
        Ok(Box::new(Entry {
            socket: ManuallyDrop::new(socket),
            generation: fork::generation(),
            cookie,
            namespace,
            home: before.filter(|home| Some(*home) == here),
        }))
    }

    /// Returns a netlink socket in the namespace of `sock`: a kept one, or a fresh one.
    // Compiled once for each kind, and not for each query.
    #[inline(never)]
    fn for_socket(sock: BorrowedFd<'_>) -> Result<Box<Self>, QueryError> {
        let namespace = namespace::cookie(sock);
        let kept = match Entry::take_kept() {
            Some(kept) if kept.is_in(namespace) && kept.is_certain() => return Ok(kept),
            kept => kept,
        };
        let fresh = Entry::open()?;
        if let Some(kept) = kept {
            kept.put_back_at_home();
        }
        if fresh.is_in(namespace) { Ok(fresh) } else { Err(QueryError::OtherNamespace) }
    }

    /// Takes a socket out of its place. Returns `None` if there is none, if it belongs to the parent
    /// process, or if the program has closed it.
    fn take_kept() -> Option<Box<Self>> {
        let kept = C::places().take()?;
        (kept.is_still_open() && kept.generation == fork::generation()).then_some(kept)
    }

    /// Keeps the socket if it still is in the process's own namespace. Otherwise closes all that are kept.
    fn put_back_at_home(self: Box<Self>) {
        if self.home.is_some() && self.home == namespace::inode_of_main_thread() {
            return C::places().put(self);
        }
        SockDiag::places().clear();
        PathManagerSocket::places().clear();
        AddressQuery::places().clear();
    }

    /// Runs a query. Keeps the socket if it is in the process's own namespace, unless the answer made no
    /// sense.
    fn run<T>(
        mut self: Box<Self>,
        query: impl FnOnce(&mut C) -> Result<T, NetlinkError>,
    ) -> Result<T, NetlinkError> {
        let answer = query(&mut self.socket);
        if self.home.is_some() && !answer.as_ref().is_err_and(NetlinkError::is_malformed) {
            C::places().put(self);
        }
        answer
    }

    /// Reports whether the descriptor still is the socket that was opened.
    fn is_still_open(&self) -> bool {
        self.cookie == socket::cookie(self.socket.as_fd())
    }

    /// Reports whether cookies show the namespace of the socket, or the thread is in it. Kernels before
    /// Linux 5.14 have no namespace cookies.
    fn is_certain(&self) -> bool {
        self.namespace.is_some() || self.home == namespace::inode_of_this_thread()
    }

    /// Reports whether the socket is in that namespace. On kernels that have no namespace cookies the
    /// answer is yes.
    fn is_in(&self, namespace: Option<u64>) -> bool {
        match (self.namespace, namespace) {
            (Some(own), Some(other)) => own == other,
            _ => true,
        }
    }
}

impl<C: Cached> Drop for Entry<C> {
    /// Closes the socket, unless its number now belongs to another file. Its buffer is leaked then,
    /// because freeing it would close the number.
    fn drop(&mut self) {
        if self.is_still_open() {
            // SAFETY: this is the one place that drops `socket`, and nothing uses it after this.
            unsafe { ManuallyDrop::drop(&mut self.socket) };
        }
    }
}
