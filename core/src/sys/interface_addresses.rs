//! The addresses of this host's interfaces, by rtnetlink, without any privilege.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd};

use super::netlink::{Attributes, Message, Netlink, NetlinkError, Received, number, u32_at};
use super::uapi::route;

/// One address of one interface of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InterfaceAddress {
    pub(crate) ip: IpAddr,
    /// The index of the interface.
    pub(crate) interface: u32,
    /// Usable beyond the link, and for new connections.
    pub(crate) is_global: bool,
    /// The check for duplicates is not finished: the address cannot be used yet.
    pub(crate) is_tentative: bool,
    /// The broadcast address of its network.
    pub(crate) broadcast: Option<Ipv4Addr>,
}

/// A netlink socket that lists addresses and [asks for routes](super::route), in the network namespace of the thread that opened it.
#[derive(Debug)]
pub(crate) struct AddressQuery {
    pub(super) netlink: Netlink,
}

impl AddressQuery {
    pub(crate) fn open() -> Result<Self, NetlinkError> {
        let netlink = Netlink::open(libc::NETLINK_ROUTE)?;
        netlink.filter_strictly();
        Ok(AddressQuery { netlink })
    }

    /// Lists the addresses of the same family as `like`, of one interface, or of all if `interface`
    /// is 0.
    ///
    /// The list is read again if addresses were added or removed during the dump: that is when it
    /// matters most.
    pub(crate) fn list(
        &mut self,
        like: IpAddr,
        interface: u32,
    ) -> Result<Vec<InterfaceAddress>, NetlinkError> {
        const TRIES: usize = 8;
        let mut owned = self.list_once(like, interface)?;
        for _ in 1..TRIES {
            if !self.netlink.is_interrupted() {
                break;
            }
            owned = self.list_once(like, interface)?;
        }
        Ok(owned)
    }

    fn list_once(
        &mut self,
        like: IpAddr,
        interface: u32,
    ) -> Result<Vec<InterfaceAddress>, NetlinkError> {
        let family = if like.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        let mut body = [0u8; route::IFADDRMSG_LEN];
        body[0] = family as u8;
        body[4..8].copy_from_slice(&interface.to_ne_bytes());
        let message = Message::new(route::GETADDR, libc::NLM_F_DUMP).raw(&body);
        let mut owned = Vec::new();
        self.netlink.request(message, |received| {
            // A kernel without filters for this dump sends all addresses.
            let found = parse(received)?;
            owned.extend(found.filter(|found| interface == 0 || found.interface == interface));
            Ok(())
        })?;
        Ok(owned)
    }
}

impl AsFd for AddressQuery {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.netlink.as_fd()
    }
}

fn parse(received: &Received<'_>) -> Result<Option<InterfaceAddress>, NetlinkError> {
    if received.kind != route::NEWADDR {
        return Ok(None);
    }
    let body = received.payload;
    let scope = *body.get(3).ok_or_else(NetlinkError::malformed)?;
    let interface = u32_at(body, 4).ok_or_else(NetlinkError::malformed)?;
    let (mut local, mut address, mut flags) = (None, None, 0);
    for attribute in Attributes(body.get(route::IFADDRMSG_LEN..).unwrap_or(&[])) {
        let (kind, value) = attribute?;
        let ip = || ip_at(body[0], value);
        match kind {
            route::IFA_LOCAL => local = Some(ip()?),
            // On a point-to-point link this is the address of the other end, and IFA_LOCAL that of
            // this host.
            route::IFA_ADDRESS => address = Some(ip()?),
            route::IFA_FLAGS => flags = u32::from_ne_bytes(number(value)?),
            _ => {}
        }
    }
    // The check for duplicates has found one: the address cannot be used.
    if flags & route::IFA_F_DADFAILED != 0 {
        return Ok(None);
    }
    // An optimistic address is used while it is checked.
    let is_tentative =
        flags & (route::IFA_F_TENTATIVE | route::IFA_F_OPTIMISTIC) == route::IFA_F_TENTATIVE;
    // A deprecated address is only for connections that exist already.
    let is_global = scope == 0 && flags & route::IFA_F_DEPRECATED == 0;
    let broadcast = address.or(local).and_then(|network| broadcast(network, body[1]));
    Ok(local.or(address).map(|ip| InterfaceAddress {
        ip,
        interface,
        is_global,
        is_tentative,
        broadcast,
    }))
}

/// Reads an address of that family.
pub(super) fn ip_at(family: u8, value: &[u8]) -> Result<IpAddr, NetlinkError> {
    Ok(match i32::from(family) {
        libc::AF_INET => Ipv4Addr::from(number::<4>(value)?).into(),
        _ => Ipv6Addr::from(number::<16>(value)?).into(),
    })
}

/// Returns the broadcast address as the kernel derives it, whether one is configured or not
/// (`fib_add_ifaddr`).
fn broadcast(network: IpAddr, prefix: u8) -> Option<Ipv4Addr> {
    match network {
        IpAddr::V4(v4) if prefix < 31 => {
            Some(Ipv4Addr::from_bits(v4.to_bits() | (u32::MAX >> prefix)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broadcast_address_ends_in_ones() {
        let network = IpAddr::from([192, 0, 2, 1]);
        assert_eq!(broadcast(network, 24), Some(Ipv4Addr::new(192, 0, 2, 255)));
        assert_eq!(broadcast(network, 0), Some(Ipv4Addr::BROADCAST));
        assert_eq!(broadcast(network, 31), None);
        assert_eq!(broadcast(network, 255), None);
    }

    proptest::proptest! {
        #[test]
        fn random_bytes_are_rejected_or_read(payload: Vec<u8>) {
            let kind = route::NEWADDR;
            let _ = parse(&Received { kind, flags: 0, sequence: 1, payload: &payload });
        }
    }
}
