//! How a privileged act is done. The verbs above know *that* it is done, not by whom.
//!
//! One door is built: *direct*, by this process itself. The other, *broker*, passes the socket to
//! a small privileged service; it will implement the same trait. A verb or a wait chooses a door
//! once and holds it, so that what one door began is undone by the same one.

pub(crate) mod address_ids;
pub(crate) mod control;
mod direct;
pub(crate) mod events;
pub(crate) mod path_manager;
#[cfg(test)]
pub(crate) mod recorder;
mod refused;
mod rights;

use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{BorrowedFd, OwnedFd};

pub(crate) use refused::{Refused, Why};
pub(crate) use rights::{Missing, Right};

use crate::shared::path_manager::PathManager;

/// What a door answers.
pub(crate) type Answer<T = ()> = Result<T, Refused>;

/// This end of a subflow that is to be opened, or an address to announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LocalEnd {
    pub(crate) ip: IpAddr,
    /// 0 in an announcement without a port.
    pub(crate) port: u16,
    /// The address id (RFC 8684, section 3.2).
    pub(crate) id: u8,
    /// The index of the interface to send by; 0 leaves the choice to the routing table.
    pub(crate) interface: u32,
    /// Ask the peer to use the subflow as backup.
    pub(crate) is_backup: bool,
}

impl LocalEnd {
    pub(crate) fn new(ip: IpAddr) -> LocalEnd {
        LocalEnd { ip, port: 0, id: 0, interface: 0, is_backup: false }
    }
}

/// A subflow by what names its socket on this host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SubflowSocket {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    /// The index of the interface that it is bound to, or 0.
    pub(crate) interface: u32,
    pub(crate) cookie: u64,
}

/// What needs a privilege. Every act names the socket that it is about: holding it is the right
/// to steer it.
pub(crate) trait Door: Debug + Send + Sync {
    /// Makes an unconnected socket take the userspace path manager.
    fn take_control(&self, sock: BorrowedFd<'_>) -> Answer;

    /// Sends the first segment of a new subflow.
    fn create(
        &self,
        sock: BorrowedFd<'_>,
        token: u32,
        local: LocalEnd,
        remote: SocketAddr,
    ) -> Answer;

    /// Closes a subflow of a connection under the userspace path manager.
    fn destroy(
        &self,
        sock: BorrowedFd<'_>,
        token: u32,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Answer;

    /// Resets a subflow of any connection.
    fn abort(&self, sock: BorrowedFd<'_>, subflow: SubflowSocket) -> Answer;

    /// Asks the peer to treat a subflow as backup, or no longer.
    fn set_backup(
        &self,
        sock: BorrowedFd<'_>,
        token: u32,
        ends: (SocketAddr, SocketAddr),
        backup: bool,
    ) -> Answer;

    /// Announces an address to the peer; returns what takes that back.
    fn announce(
        &self,
        sock: BorrowedFd<'_>,
        token: u32,
        local: LocalEnd,
    ) -> Answer<Box<dyn Withdraw>>;

    /// Frees an address id that no subflow uses.
    fn remove(&self, sock: BorrowedFd<'_>, token: u32, id: u8) -> Answer;

    /// Opens a socket that receives the path manager's events of the socket's namespace, or of the
    /// caller's namespace without a socket. Read it by [`follow`](events::follow).
    fn events(&self, sock: Option<BorrowedFd<'_>>) -> Answer<OwnedFd>;

    /// Who manages the paths of the connection with that token, on kernels that answer only to those
    /// who may act (before Linux 6.10).
    fn path_manager(&self, sock: BorrowedFd<'_>, token: u32) -> PathManager;

    /// Whether such acts are possible here, found out without doing one.
    fn check(&self, right: Right) -> Result<(), Missing>;
}

/// The way back from an announcement. It stands by itself: the socket may be gone by then, and the
/// thread in another network namespace.
pub(crate) trait Withdraw: Debug + Send + Sync {
    fn withdraw(&mut self) -> Answer;
}

/// The door for a new verb or wait.
pub(crate) fn choose() -> &'static dyn Door {
    &direct::Direct
}
