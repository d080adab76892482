//! An address in the path manager's messages: of a connection, or an endpoint.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::LocalAddress;
use crate::sys::genl;
use crate::sys::netlink::{Attributes, Message, NetlinkError, Received, number};
use crate::sys::uapi::pm;

/// An address as the kernel has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawAddress {
    pub(crate) ip: IpAddr,
    /// 0 if it has none.
    pub(crate) port: u16,
    /// 0 is the initial subflow's address. For a new endpoint, 0 lets the kernel choose.
    pub(crate) id: u8,
    /// 0 if it has none.
    pub(crate) interface: u32,
    /// `MPTCP_PM_ADDR_FLAG_*`.
    pub(crate) flags: u32,
}

impl RawAddress {
    pub(in crate::sys) fn put(self, message: Message) -> Message {
        let mut message = put_end(message, SocketAddr::new(self.ip, self.port))
            .attribute(pm::ADDR_FLAGS, &self.flags.to_ne_bytes());
        if self.id != 0 {
            message = message.attribute(pm::ADDR_ID, &[self.id]);
        }
        match self.interface {
            0 => message,
            index => message.attribute(pm::ADDR_IF_IDX, &index.to_ne_bytes()),
        }
    }

    /// Reads the addresses in an answer.
    pub(in crate::sys) fn parse_all(
        received: &Received<'_>,
    ) -> Result<Vec<RawAddress>, NetlinkError> {
        let mut addresses = Vec::new();
        for attribute in Attributes(genl::payload(received)?) {
            let (kind, nest) = attribute?;
            if kind == pm::ATTR_ADDR {
                addresses.extend(RawAddress::parse(nest)?);
            }
        }
        Ok(addresses)
    }

    fn parse(nest: &[u8]) -> Result<Option<RawAddress>, NetlinkError> {
        let (mut ip, mut port, mut id, mut interface, mut flags) = (None, 0, 0, 0, 0);
        for attribute in Attributes(nest) {
            match attribute? {
                (pm::ADDR_ID, value) => id = number::<1>(value)?[0],
                (pm::ADDR_ADDR4, value) => ip = Some(IpAddr::from(number::<4>(value)?)),
                (pm::ADDR_ADDR6, value) => {
                    ip = Some(Ipv6Addr::from(number::<16>(value)?).to_canonical());
                }
                (pm::ADDR_PORT, value) => port = u16::from_ne_bytes(number(value)?),
                (pm::ADDR_FLAGS, value) => flags = u32::from_ne_bytes(number(value)?),
                (pm::ADDR_IF_IDX, value) => interface = u32::from_ne_bytes(number(value)?),
                _ => {}
            }
        }
        Ok(ip.map(|ip| RawAddress { ip, port, id, interface, flags }))
    }
}

impl From<RawAddress> for LocalAddress {
    fn from(RawAddress { ip, port, id, interface, flags }: RawAddress) -> LocalAddress {
        let has = |flag| flags & flag != 0;
        let (is_backup, is_announced) = (has(pm::FLAG_BACKUP), has(pm::FLAG_SIGNAL));
        LocalAddress { ip, port, id, interface, is_backup, is_announced }
    }
}

impl From<&LocalAddress> for RawAddress {
    /// Without `SIGNAL`, which depends on the command.
    fn from(&LocalAddress { ip, port, id, interface, is_backup, .. }: &LocalAddress) -> RawAddress {
        let flags = if is_backup { pm::FLAG_BACKUP } else { 0 };
        RawAddress { ip, port, id, interface, flags }
    }
}

/// Writes the end of a subflow. Ports are in host order in commands. Older specifications state network
/// order, which is wrong (measured).
pub(super) fn put_end(message: Message, end: SocketAddr) -> Message {
    let message = match end.ip() {
        IpAddr::V4(ip) => message
            .attribute(pm::ADDR_FAMILY, &(libc::AF_INET as u16).to_ne_bytes())
            .attribute(pm::ADDR_ADDR4, &ip.octets()),
        IpAddr::V6(ip) => message
            .attribute(pm::ADDR_FAMILY, &(libc::AF_INET6 as u16).to_ne_bytes())
            .attribute(pm::ADDR_ADDR6, &ip.octets()),
    };
    match end.port() {
        0 => message,
        port => message.attribute(pm::ADDR_PORT, &port.to_ne_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn random_bytes_are_rejected_or_read(payload: Vec<u8>) {
            let received = Received { kind: 16, flags: 0, sequence: 1, payload: &payload };
            let _ = RawAddress::parse_all(&received);
        }
    }
}
