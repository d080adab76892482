//! The generic netlink family `mptcp_pm`: the kernel's path manager commands, by token.
//!
//! Source: `net/mptcp/pm_netlink.c`, `pm_userspace.c`, `Documentation/netlink/specs/mptcp_pm.yaml`.

mod address;

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::OnceLock;

pub(crate) use self::address::RawAddress;

use self::address::put_end;
use super::genl::{self, Family};
use super::netlink::{Message, Netlink, NetlinkError};
use super::token_filter;
use super::uapi::pm;

/// A local address as a path manager command describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocalAddress {
    /// The address.
    pub ip: IpAddr,
    /// The port. With 0, the kernel chooses.
    pub port: u16,
    /// The address id of RFC 8684, section 3.2; 0 is the address of the initial subflow.
    pub id: u8,
    /// The index of the interface to use. With 0, the routing table decides.
    pub interface: u32,
    /// Ask the peer to use this path only as backup, when no regular path works.
    pub is_backup: bool,
    /// The address was or is to be announced to the peer (`MPTCP_PM_ADDR_FLAG_SIGNAL`).
    pub is_announced: bool,
}

impl LocalAddress {
    /// Makes an address with that id. The kernel chooses the port, the routing table the interface.
    pub fn new(ip: IpAddr, id: u8) -> Self {
        LocalAddress { ip, port: 0, id, interface: 0, is_backup: false, is_announced: false }
    }
}

/// The kernel's path manager commands, in the network namespace of the thread that opened it.
///
/// A thin layer: each method sends one command, and returns the kernel's own error. Commands that
/// change something require `CAP_NET_ADMIN` over that namespace, and a connection under the
/// userspace path manager (Linux 5.19). Tokens are the local ones, as `ss -M` prints them.
#[derive(Debug)]
pub struct PathManagerSocket {
    pub(super) netlink: Netlink,
    family: &'static Family,
}

impl PathManagerSocket {
    /// Opens a socket to the path manager.
    ///
    /// # Errors
    /// `ENOENT` if the kernel has no Multipath TCP.
    pub fn open() -> Result<Self, NetlinkError> {
        let mut netlink = Netlink::open(libc::NETLINK_GENERIC)?;
        let family = family(&mut netlink)?;
        Ok(PathManagerSocket { netlink, family })
    }

    /// Opens a socket that receives the path manager's events. Requires `CAP_NET_ADMIN`.
    pub(crate) fn subscribe() -> Result<Netlink, NetlinkError> {
        let mut netlink = Netlink::open_bare(libc::NETLINK_GENERIC)?;
        netlink.bind()?;
        let group = family(&mut netlink)?.group(pm::EVENTS_GROUP);
        netlink.join(group.ok_or_else(|| NetlinkError::new(libc::EOPNOTSUPP))?)?;
        Ok(netlink)
    }

    /// As [`subscribe`](Self::subscribe), for the events of one connection. Who has the socket can receive
    /// no others: the kernel filters them, and the filter cannot be removed.
    pub(crate) fn subscribe_to(token: u32) -> Result<Netlink, NetlinkError> {
        let mut netlink = Netlink::open_bare(libc::NETLINK_GENERIC)?;
        netlink.bind()?;
        let family = family(&mut netlink)?;
        let group = family.group(pm::EVENTS_GROUP);
        token_filter::attach(netlink.as_fd(), family.id, token)?;
        // Only now, so that no other event is in the queue.
        netlink.join(group.ok_or_else(|| NetlinkError::new(libc::EOPNOTSUPP))?)?;
        Ok(netlink)
    }

    /// Reports whether this kernel has the userspace path manager.
    pub(crate) fn has_userspace(&self) -> bool {
        self.family.commands.contains(&pm::CMD_SUBFLOW_CREATE)
    }

    /// `SUBFLOW_CREATE`: sends the first segment of a new subflow, and does not wait for an answer.
    ///
    /// # Errors
    /// `EINVAL` for a wrong token, a connection under the kernel's path manager, mixed families, or
    /// an id that contradicts an earlier one; `ENOTCONN` before the connection is ready; the errors
    /// of bind(2) and connect(2).
    pub fn create(
        &mut self,
        token: u32,
        local: &LocalAddress,
        remote: SocketAddr,
    ) -> Result<(), NetlinkError> {
        self.command(pm::CMD_SUBFLOW_CREATE, |message| {
            let message = message.nest(pm::ATTR_ADDR, |nest| RawAddress::from(local).put(nest));
            put_remote(message, token, remote)
        })
    }

    /// `SUBFLOW_DESTROY`: closes the subflow between exactly these two addresses.
    ///
    /// # Errors
    /// `ESRCH` if there is none; `EINVAL` as for [`create`](Self::create).
    pub fn destroy(
        &mut self,
        token: u32,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Result<(), NetlinkError> {
        self.command(pm::CMD_SUBFLOW_DESTROY, |message| {
            let message = message.nest(pm::ATTR_ADDR, |nest| put_end(nest, local));
            put_remote(message, token, remote)
        })
    }

    /// `SET_FLAGS`: asks the peer to treat one subflow as backup, or as a regular one again
    /// (MP_PRIO).
    ///
    /// # Errors
    /// `EINVAL` if there is no such subflow, or as for [`create`](Self::create).
    pub fn set_backup(
        &mut self,
        token: u32,
        local: SocketAddr,
        remote: SocketAddr,
        backup: bool,
    ) -> Result<(), NetlinkError> {
        let flags = if backup { pm::FLAG_BACKUP } else { 0 };
        self.command(pm::CMD_SET_FLAGS, |message| {
            let message = message.nest(pm::ATTR_ADDR, |nest| {
                put_end(nest, local).attribute(pm::ADDR_FLAGS, &flags.to_ne_bytes())
            });
            put_remote(message, token, remote)
        })
    }

    /// `ANNOUNCE`: announces an address to the peer (ADD_ADDR).
    ///
    /// # Errors
    /// `EINVAL` for id 0, for an id that contradicts an earlier one, or as for
    /// [`create`](Self::create).
    pub fn announce(&mut self, token: u32, local: &LocalAddress) -> Result<(), NetlinkError> {
        let mut local = RawAddress::from(local);
        local.flags |= pm::FLAG_SIGNAL;
        self.command(pm::CMD_ANNOUNCE, |message| {
            message
                .nest(pm::ATTR_ADDR, |nest| local.put(nest))
                .attribute(pm::ATTR_TOKEN, &token.to_ne_bytes())
        })
    }

    /// `REMOVE`: withdraws an address (RM_ADDR) and closes its subflows.
    ///
    /// # Errors
    /// `EINVAL` if the id is unknown, or as for [`create`](Self::create).
    pub fn remove(&mut self, token: u32, id: u8) -> Result<(), NetlinkError> {
        self.command(pm::CMD_REMOVE, |message| {
            message
                .attribute(pm::ATTR_TOKEN, &token.to_ne_bytes())
                .attribute(pm::ATTR_LOC_ID, &[id])
        })
    }

    /// `GET_ADDR` with a token: lists the local addresses that a connection under the userspace
    /// path manager knows. Requires no privilege. Since Linux 6.10; older kernels ignore the token
    /// and return the namespace's endpoints (see [`addresses_by_token`](Self::addresses_by_token)).
    ///
    /// # Errors
    /// `EINVAL` for a wrong token and for a connection under the kernel's path manager.
    pub fn addresses(&mut self, token: u32) -> Result<Vec<LocalAddress>, NetlinkError> {
        let message = self
            .message(pm::CMD_GET_ADDR, libc::NLM_F_DUMP)
            .attribute(pm::ATTR_TOKEN, &token.to_ne_bytes());
        let mut addresses = Vec::new();
        self.netlink.request(message, |received| {
            addresses.extend(RawAddress::parse_all(received)?.into_iter().map(LocalAddress::from));
            Ok(())
        })?;
        Ok(addresses)
    }

    /// Reports whether the kernel heeds the token in [`addresses`](Self::addresses), by a request
    /// with a token that no connection has.
    pub fn addresses_by_token(&mut self) -> Result<bool, NetlinkError> {
        match self.addresses(0) {
            Ok(_) => Ok(false),
            Err(error) if error.errno == libc::EINVAL => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Checks that a connection is under the userspace path manager, by a command that has no
    /// effect: for kernels on which [`addresses`](Self::addresses) ignores the token. Requires
    /// `CAP_NET_ADMIN`.
    ///
    /// # Errors
    /// `EINVAL` for a wrong token and for a connection under the kernel's path manager.
    pub fn is_userspace(&mut self, token: u32) -> Result<(), NetlinkError> {
        // From the discard port of the loopback address to itself: no connection has such a
        // subflow.
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
        match self.destroy(token, nowhere, nowhere) {
            Err(error) if error.errno == libc::ESRCH => Ok(()),
            other => other,
        }
    }

    /// `GET_LIMITS`: returns how many extra subflows the kernel's path manager allows per
    /// connection. Requires no privilege.
    pub fn subflows_max(&mut self) -> Result<u32, NetlinkError> {
        Ok(self.limits()?.subflows)
    }

    /// Reports whether this process may change subflows in this namespace, by a command for no
    /// connection.
    pub fn may_act(&mut self) -> Result<bool, NetlinkError> {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
        match self.destroy(0, nowhere, nowhere) {
            Err(error) if error.errno == libc::EPERM => Ok(false),
            // The kernel checks the privilege first, and then rejects the token.
            Ok(()) | Err(NetlinkError { errno: libc::EINVAL, .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    pub(super) fn message(&self, command: u8, flags: i32) -> Message {
        genl::message(self.family.id, flags, command, pm::VERSION)
    }

    pub(super) fn command(
        &mut self,
        command: u8,
        fill: impl FnOnce(Message) -> Message,
    ) -> Result<(), NetlinkError> {
        let message = fill(self.message(command, libc::NLM_F_ACK));
        self.netlink.request(message, |_| Ok(()))
    }
}

impl AsFd for PathManagerSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.netlink.as_fd()
    }
}

/// Returns the numbers of the family `mptcp_pm`. The kernel is asked once per process.
fn family(netlink: &mut Netlink) -> Result<&'static Family, NetlinkError> {
    static FAMILY: OnceLock<Family> = OnceLock::new();
    if let Some(family) = FAMILY.get() {
        return Ok(family);
    }
    let family = Family::find(netlink, pm::NAME)?;
    Ok(FAMILY.get_or_init(|| family))
}

/// Adds the connection's token and the remote end of a subflow.
fn put_remote(message: Message, token: u32, remote: SocketAddr) -> Message {
    message
        .attribute(pm::ATTR_TOKEN, &token.to_ne_bytes())
        .nest(pm::ATTR_ADDR_REMOTE, |nest| put_end(nest, remote))
}
