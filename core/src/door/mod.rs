//! Doors: the ways in which a privileged act is done. The verbs above do not know which process does it.
//!
//! Through the door *direct* this process acts itself. The door *broker* passes the socket to a small
//! privileged service: the trait uses only types that can be sent to another process. A verb or a wait
//! chooses a door once and keeps it, so that the door that began an act also undoes it.
//!
//! To add a door, implement [`Door`] in a folder here and return it from [`choose`]; the recording door
//! (`recorder.rs`) passes each act to the door that `choose` returns. If another process acts, its program is a
//! crate in `bindings/`, such as `bindings/broker`. Review the remedies "Start the broker" in `cause.rs`, `error.rs`
//! and `broker/mod.rs`, and `without_broker` in `shared/privilege.rs`, which is for acts on the whole namespace:
//! they use no door.
//!
//! To add an act, write its method in [`Door`], `direct/`, `broker/` and `recorder.rs`. For the broker, it is also
//! a `Verb` and an `Act` in `broker/protocol.rs`, an arm in `broker/perform.rs`, a case in
//! `broker/protocol_tests.rs`, a row of `broker/PROTOCOL.md`, and a word in `bindings/broker/PERMISSIONS.md`;
//! a new system call also goes into `bindings/broker/src/filter.rs`. If no [`Right`] covers the act, add one in
//! `right.rs`, and a row in `verb/capabilities.rs`.

pub(crate) mod broker;
pub(crate) mod common;
mod direct;
#[cfg(test)]
pub(crate) mod recorder;
mod refused;
mod right;

use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{BorrowedFd, OwnedFd};

pub(crate) use refused::{Refused, Why};
pub(crate) use right::{Missing, Right};

use crate::shared::connected::Connected;
use crate::shared::option_step::OptionStep;
use crate::shared::path_manager::PathManager;
use crate::shared::privilege;

/// The result of an act.
pub(crate) type Answer<T = ()> = Result<T, Refused>;

/// The local end of a subflow to open, or an address to announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LocalEnd {
    pub(crate) ip: IpAddr,
    /// The port; 0 in an announcement without one.
    pub(crate) port: u16,
    /// The address id (RFC 8684, section 3.2).
    pub(crate) id: u8,
    /// The index of the interface to send by; 0 leaves the choice to the routing table.
    pub(crate) interface: u32,
    /// Whether the peer is asked to use the subflow as backup.
    pub(crate) is_backup: bool,
}

impl LocalEnd {
    pub(crate) fn new(ip: IpAddr) -> LocalEnd {
        LocalEnd { ip, port: 0, id: 0, interface: 0, is_backup: false }
    }
}

/// What identifies the socket of a subflow on this host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SubflowSocket {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    /// The index of the interface that it is bound to; 0 if it is not bound.
    pub(crate) interface: u32,
    pub(crate) cookie: u64,
}

/// The acts that require a privilege. Each act takes the socket that it changes: a process may change the
/// connections whose sockets it holds.
pub(crate) trait Door: Debug + Send + Sync {
    /// Gives an unconnected socket the userspace path manager.
    fn take_control(&self, sock: BorrowedFd<'_>) -> Answer;

    /// As [`take_control`](Self::take_control), for a socket that the library has just made: no other
    /// descriptor has it, and no option is set on it.
    fn take_control_of_new(&self, sock: BorrowedFd<'_>) -> Answer {
        self.take_control(sock)
    }

    /// Sends the first segment of a new subflow.
    fn create(&self, connection: Connected<'_>, local: LocalEnd, remote: SocketAddr) -> Answer;

    /// Closes a subflow of a connection under the userspace path manager.
    fn destroy(&self, connection: Connected<'_>, local: SocketAddr, remote: SocketAddr) -> Answer;

    /// Resets a subflow of any connection.
    fn abort(&self, sock: BorrowedFd<'_>, subflow: SubflowSocket) -> Answer;

    /// Asks the peer to use a subflow as backup, or as a regular one again.
    fn set_backup(
        &self,
        connection: Connected<'_>,
        ends: (SocketAddr, SocketAddr),
        backup: bool,
    ) -> Answer;

    /// Gets and sets options of the subflow whose socket has that cookie, in one go. Each step then has its
    /// own outcome.
    fn options(&self, sock: BorrowedFd<'_>, cookie: u64, steps: &mut [OptionStep]) -> Answer;

    /// Announces an address to the peer. Returns what withdraws it.
    fn announce(&self, connection: Connected<'_>, local: LocalEnd) -> Answer<Box<dyn Withdraw>>;

    /// Makes the kernel forget an address id that no subflow uses.
    fn remove(&self, connection: Connected<'_>, id: u8) -> Answer;

    /// Opens a socket that receives the path manager's events of the socket's namespace, or of the
    /// caller's namespace without a socket. Read it by [`follow`](common::events::follow).
    fn events(&self, sock: Option<BorrowedFd<'_>>) -> Answer<OwnedFd>;

    /// Returns what manages the subflows of the connection with that token, on kernels that answer only
    /// a privileged process (before Linux 6.10).
    fn path_manager(&self, connection: Connected<'_>) -> PathManager;

    /// Checks whether such acts are possible here, without doing one.
    fn check(&self, right: Right) -> Result<(), Missing>;
}

/// Withdraws an announced address. It does not use the socket of the connection, which may be closed by
/// then, and works from any network namespace.
pub(crate) trait Withdraw: Debug + Send + Sync {
    fn withdraw(&mut self) -> Answer;
}

/// Returns the door for a new verb or wait: the broker's if this process may not act itself and a broker's
/// socket exists.
pub(crate) fn choose() -> &'static dyn Door {
    // In this order, because the first question takes a tenth of the time of the second.
    if !broker::exists() || privilege::may_be_admin() { &direct::Direct } else { &broker::Broker }
}
