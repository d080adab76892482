//! How a privileged act is done. The verbs above know *that* it is done, not by whom.
//!
//! One door is built: *direct*, by this process itself. The other, *broker*, passes the socket to
//! a small privileged service; it will implement the same trait.

pub(crate) mod address_ids;
pub(crate) mod control;
mod direct;

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use crate::error::Result;
use crate::sys::diag::Head;
use crate::sys::event::KernelEvents;
use crate::sys::path_manager::LocalAddress;

/// What needs a privilege. Every act names the socket that it is about: holding it is the right
/// to steer it.
pub(crate) trait Door {
    /// Makes an unconnected socket take the userspace path manager.
    fn take_control(&self, sock: BorrowedFd<'_>) -> Result<()>;

    /// Sends the first segment of a new subflow.
    fn create(
        &self,
        sock: BorrowedFd<'_>,
        token: u32,
        local: &LocalAddress,
        remote: SocketAddr,
    ) -> Result<()>;

    /// Closes a subflow of a connection under the userspace path manager.
    fn destroy(
        &self,
        sock: BorrowedFd<'_>,
        token: u32,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Result<()>;

    /// Resets a subflow of any connection.
    fn abort(&self, sock: BorrowedFd<'_>, entry: &Head) -> Result<()>;

    /// Asks the peer to treat a subflow as backup, or no longer.
    fn set_backup(
        &self,
        sock: BorrowedFd<'_>,
        token: u32,
        ends: (SocketAddr, SocketAddr),
        backup: bool,
    ) -> Result<()>;

    /// Tells the peer of an address; gives how to take that back.
    fn announce(
        &self,
        sock: BorrowedFd<'_>,
        token: u32,
        local: LocalAddress,
    ) -> Result<Box<dyn Withdraw>>;

    /// Frees an address id that no subflow uses.
    fn remove(&self, sock: BorrowedFd<'_>, token: u32, id: u8) -> Result<()>;

    /// Opens the stream of events of the socket's namespace, or of the caller's without one.
    fn events(&self, sock: Option<BorrowedFd<'_>>) -> Result<KernelEvents>;
}

/// The way back from an announcement. It stands by itself: the socket may be gone by then, and the
/// thread in another network namespace.
pub(crate) trait Withdraw: std::fmt::Debug + Send + Sync {
    fn withdraw(&mut self) -> Result<()>;
}

/// The door that is open.
pub(crate) fn door() -> &'static dyn Door {
    &direct::Direct
}
