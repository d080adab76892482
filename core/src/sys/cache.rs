//! Netlink sockets that each thread keeps, because opening one costs as much as a query does.
//!
//! A cached socket is closed when it can no longer be used: after a fork (parent and child would
//! read each other's answers), after an answer that made no sense, and when a query is about a
//! socket in another network namespace.
//!
//! A program may close every descriptor that it has, as daemons do. The number of a cached socket
//! may then belong to another file of the program. The library therefore compares the kernel's
//! cookie of the socket before each use and before each close, also when the thread or the program
//! ends. If the number no longer belongs to the socket, the library forgets the socket: it neither
//! uses nor closes the number.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, BorrowedFd};

use super::interface_addresses::AddressQuery;
use super::netlink::NetlinkError;
use super::path_manager::PathManagerSocket;
use super::sock_diag::SockDiag;
use super::{fork, namespace, socket};

thread_local! {
    static CACHE: Cache = const {
        Cache {
            sock_diag: Cell::new(None),
            path_manager: Cell::new(None),
            interface_addresses: Cell::new(None),
        }
    };
}

/// The sockets of one thread. A query takes its socket out, and puts it back afterwards.
pub(crate) struct Cache {
    sock_diag: Place<SockDiag>,
    path_manager: Place<PathManagerSocket>,
    interface_addresses: Place<AddressQuery>,
}

type Place<C> = Cell<Option<Entry<C>>>;

/// A kind of netlink socket that is cached.
pub(crate) trait Cached: AsFd + Sized + 'static {
    fn open() -> Result<Self, NetlinkError>;
    fn place(cache: &Cache) -> &Place<Self>;
}

impl Cached for SockDiag {
    fn open() -> Result<Self, NetlinkError> {
        SockDiag::open()
    }
    fn place(cache: &Cache) -> &Place<Self> {
        &cache.sock_diag
    }
}

impl Cached for PathManagerSocket {
    fn open() -> Result<Self, NetlinkError> {
        PathManagerSocket::open()
    }
    fn place(cache: &Cache) -> &Place<Self> {
        &cache.path_manager
    }
}

impl Cached for AddressQuery {
    fn open() -> Result<Self, NetlinkError> {
        AddressQuery::open()
    }
    fn place(cache: &Cache) -> &Place<Self> {
        &cache.interface_addresses
    }
}

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
    let namespace = namespace::cookie(sock);
    let entry = match Entry::take_cached() {
        Some(cached) if cached.is_in(namespace) => cached,
        cached => match Entry::open() {
            Ok(fresh) if fresh.is_in(namespace) => fresh,
            other => {
                if let Some(cached) = cached {
                    cached.put_back();
                }
                return Err(other.map_or_else(QueryError::from, |_| QueryError::OtherNamespace));
            }
        },
    };
    Ok(entry.run(query)?)
}

/// Runs a query about something that has a number of its own on the whole host, in whatever
/// namespace.
///
/// A cached socket may be in a namespace that the thread has left. If it does not know the number,
/// the query is run again with a fresh socket. (To find out the thread's current namespace costs
/// half as much as a query.)
pub(crate) fn with_any_socket<C: Cached, T>(
    mut query: impl FnMut(&mut C) -> Result<T, NetlinkError>,
) -> Result<T, NetlinkError> {
    if let Some(mut cached) = Entry::take_cached() {
        if let Ok(answer) = query(&mut cached.socket) {
            cached.put_back();
            return Ok(answer);
        }
    }
    Entry::open()?.run(query)
}

/// A cached socket, and what shows that it can still be used.
pub(crate) struct Entry<C: Cached> {
    socket: ManuallyDrop<C>,
    generation: u64,
    cookie: Option<u64>,
    namespace: Option<u64>,
}

impl<C: Cached> Entry<C> {
    fn open() -> Result<Self, NetlinkError> {
        let socket = C::open()?;
        let (cookie, namespace) =
            (socket::cookie(socket.as_fd()), namespace::cookie(socket.as_fd()));
        let socket = ManuallyDrop::new(socket);
        Ok(Entry { socket, generation: fork::generation(), cookie, namespace })
    }

    /// Takes the thread's socket out of the cache. Returns `None` if there is none, if it belongs
    /// to the parent process, if the program has closed it, or if the thread is ending.
    fn take_cached() -> Option<Self> {
        let cached = CACHE.try_with(|cache| C::place(cache).take()).ok()??;
        (cached.is_still_open() && cached.generation == fork::generation()).then_some(cached)
    }

    /// Keeps the socket for the thread's next query. If the thread is ending, the socket is closed.
    fn put_back(self) {
        let _ = CACHE.try_with(|cache| C::place(cache).set(Some(self)));
    }

    /// Runs a query, and keeps the socket unless the answer made no sense.
    fn run<T>(
        mut self,
        query: impl FnOnce(&mut C) -> Result<T, NetlinkError>,
    ) -> Result<T, NetlinkError> {
        let answer = query(&mut self.socket);
        if !answer.as_ref().is_err_and(NetlinkError::is_malformed) {
            self.put_back();
        }
        answer
    }

    /// Reports whether the descriptor still is the socket that was opened.
    fn is_still_open(&self) -> bool {
        self.cookie == socket::cookie(self.socket.as_fd())
    }

    /// Reports whether the socket is in that namespace. On kernels that have no namespace cookies
    /// (before Linux 5.14) the answer is yes.
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
