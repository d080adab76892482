//! The generic netlink family `mptcp_pm`: the kernel's path manager commands, by token.
//!
//! Source: `net/mptcp/pm_netlink.c`, `pm_userspace.c`, `Documentation/netlink/specs/mptcp_pm.yaml`.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::OnceLock;

use super::genl::{self, Family};
use super::netlink::{Attributes, Message, Netlink, NetlinkError, Received, number};
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

    /// Reports whether this kernel knows a command.
    pub(crate) fn has_command(&self, command: u8) -> bool {
        self.family.commands.contains(&command)
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
            let message = put_local(message, local, 0);
            put_remote(message.attribute(pm::ATTR_TOKEN, &token.to_ne_bytes()), remote)
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
            let message = put_ends(message, local, 0);
            put_remote(message.attribute(pm::ATTR_TOKEN, &token.to_ne_bytes()), remote)
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
                put_address(nest, local).attribute(pm::ADDR_FLAGS, &flags.to_ne_bytes())
            });
            put_remote(message.attribute(pm::ATTR_TOKEN, &token.to_ne_bytes()), remote)
        })
    }

    /// `ANNOUNCE`: announces an address to the peer (ADD_ADDR).
    ///
    /// # Errors
    /// `EINVAL` for id 0, for an id that contradicts an earlier one, or as for
    /// [`create`](Self::create).
    pub fn announce(&mut self, token: u32, local: &LocalAddress) -> Result<(), NetlinkError> {
        self.command(pm::CMD_ANNOUNCE, |message| {
            put_local(message, local, pm::FLAG_SIGNAL)
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
            addresses.extend(parse_addresses(received)?);
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

/// Ports are in host order in commands. Older specifications state network order, which is wrong
/// (measured).
pub(super) fn put_address(message: Message, address: SocketAddr) -> Message {
    let message = match address.ip() {
        IpAddr::V4(ip) => message
            .attribute(pm::ADDR_FAMILY, &(libc::AF_INET as u16).to_ne_bytes())
            .attribute(pm::ADDR_ADDR4, &ip.octets()),
        IpAddr::V6(ip) => message
            .attribute(pm::ADDR_FAMILY, &(libc::AF_INET6 as u16).to_ne_bytes())
            .attribute(pm::ADDR_ADDR6, &ip.octets()),
    };
    match address.port() {
        0 => message,
        port => message.attribute(pm::ADDR_PORT, &port.to_ne_bytes()),
    }
}

fn put_local(message: Message, local: &LocalAddress, more_flags: u32) -> Message {
    let flags = more_flags | if local.is_backup { pm::FLAG_BACKUP } else { 0 };
    message.nest(pm::ATTR_ADDR, |nest| {
        let nest = put_address(nest, SocketAddr::new(local.ip, local.port))
            .attribute(pm::ADDR_ID, &[local.id])
            .attribute(pm::ADDR_FLAGS, &flags.to_ne_bytes());
        match local.interface {
            0 => nest,
            index => nest.attribute(pm::ADDR_IF_IDX, &index.to_ne_bytes()),
        }
    })
}

fn put_ends(message: Message, local: SocketAddr, id: u8) -> Message {
    message.nest(pm::ATTR_ADDR, |nest| put_address(nest, local).attribute(pm::ADDR_ID, &[id]))
}

fn put_remote(message: Message, remote: SocketAddr) -> Message {
    message.nest(pm::ATTR_ADDR_REMOTE, |nest| put_address(nest, remote))
}

fn parse_addresses(received: &Received<'_>) -> Result<Vec<LocalAddress>, NetlinkError> {
    let mut addresses = Vec::new();
    for attribute in Attributes(genl::payload(received)?) {
        let (kind, nest) = attribute?;
        if kind == pm::ATTR_ADDR {
            addresses.extend(parse_address(nest)?);
        }
    }
    Ok(addresses)
}

fn parse_address(nest: &[u8]) -> Result<Option<LocalAddress>, NetlinkError> {
    let mut address = LocalAddress::new(IpAddr::from([0; 4]), 0);
    let mut ip = None;
    for attribute in Attributes(nest) {
        match attribute? {
            (pm::ADDR_ID, value) => address.id = number::<1>(value)?[0],
            (pm::ADDR_ADDR4, value) => ip = Some(IpAddr::from(number::<4>(value)?)),
            (pm::ADDR_ADDR6, value) => {
                let v6 = std::net::Ipv6Addr::from(number::<16>(value)?);
                ip = Some(v6.to_canonical());
            }
            (pm::ADDR_PORT, value) => address.port = u16::from_ne_bytes(number(value)?),
            (pm::ADDR_FLAGS, value) => {
                let flags = u32::from_ne_bytes(number(value)?);
                address.is_backup = flags & pm::FLAG_BACKUP != 0;
                address.is_announced = flags & pm::FLAG_SIGNAL != 0;
            }
            (pm::ADDR_IF_IDX, value) => address.interface = u32::from_ne_bytes(number(value)?),
            _ => {}
        }
    }
    Ok(ip.map(|ip| LocalAddress { ip, ..address }))
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn random_bytes_are_rejected_or_read(payload: Vec<u8>) {
            let received = Received { kind: 16, flags: 0, sequence: 1, payload: &payload };
            let _ = parse_addresses(&received);
        }
    }
}
