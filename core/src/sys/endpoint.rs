//! The endpoints and the limits of the kernel's path manager, which belong to the network namespace.
//!
//! Source: `net/mptcp/pm_kernel.c` (before Linux 6.16 `pm_netlink.c`), `include/uapi/linux/mptcp.h`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::genl;
use super::netlink::{Attributes, Message, NetlinkError, Received, number};
use super::path_manager::{PathManagerSocket, put_address};
use super::uapi::pm;

/// An endpoint as the kernel has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawEndpoint {
    pub(crate) ip: IpAddr,
    /// 0 if it has none.
    pub(crate) port: u16,
    /// 0 lets the kernel choose.
    pub(crate) id: u8,
    /// 0 if it has none.
    pub(crate) interface: u32,
    /// `MPTCP_PM_ADDR_FLAG_*`.
    pub(crate) flags: u32,
}

/// How much the kernel's path manager does for each connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RawLimits {
    pub(crate) subflows: u32,
    pub(crate) add_addr_accepted: u32,
}

impl PathManagerSocket {
    /// `GET_ADDR`: lists the endpoints. Requires no privilege.
    pub(crate) fn endpoints(&mut self) -> Result<Vec<RawEndpoint>, NetlinkError> {
        let message = self.message(pm::CMD_GET_ADDR, libc::NLM_F_DUMP);
        let mut endpoints = Vec::new();
        self.netlink.request(message, |received| {
            endpoints.extend(parse_endpoint(received)?);
            Ok(())
        })?;
        Ok(endpoints)
    }

    /// `ADD_ADDR`: adds an endpoint. The kernel drops flags that it does not know.
    ///
    /// # Errors
    /// `EINVAL` for flags that exclude each other; `EEXIST` if an endpoint has the address, `EBUSY` if one has
    /// the id; `ERANGE` if there are as many as the kernel allows; the errors of bind(2) and listen(2) for a
    /// port.
    pub(crate) fn add_endpoint(&mut self, endpoint: &RawEndpoint) -> Result<(), NetlinkError> {
        self.command(pm::CMD_ADD_ADDR, |message| {
            message.nest(pm::ATTR_ADDR, |nest| {
                let address = SocketAddr::new(endpoint.ip, endpoint.port);
                let mut nest = put_address(nest, address)
                    .attribute(pm::ADDR_FLAGS, &endpoint.flags.to_ne_bytes());
                if endpoint.id != 0 {
                    nest = nest.attribute(pm::ADDR_ID, &[endpoint.id]);
                }
                match endpoint.interface {
                    0 => nest,
                    index => nest.attribute(pm::ADDR_IF_IDX, &index.to_ne_bytes()),
                }
            })
        })
    }

    /// `DEL_ADDR`: removes the endpoint with that id, which is not 0: the kernel takes 0 for the address of
    /// initial subflows.
    ///
    /// # Errors
    /// `EINVAL` if there is none.
    pub(crate) fn remove_endpoint(&mut self, id: u8) -> Result<(), NetlinkError> {
        self.command(pm::CMD_DEL_ADDR, |message| put_id(message, id, None))
    }

    /// `SET_FLAGS` without a token: gives the endpoint with that id exactly these two flags, `BACKUP` and
    /// `FULLMESH`. The kernel ignores all others.
    ///
    /// # Errors
    /// `EINVAL` if there is none, or if it is `SIGNAL` or `IMPLICIT` and cannot be `FULLMESH`.
    pub(crate) fn set_endpoint_flags(&mut self, id: u8, flags: u32) -> Result<(), NetlinkError> {
        self.command(pm::CMD_SET_FLAGS, |message| put_id(message, id, Some(flags)))
    }

    /// `FLUSH_ADDRS`: removes every endpoint.
    pub(crate) fn flush_endpoints(&mut self) -> Result<(), NetlinkError> {
        self.command(pm::CMD_FLUSH_ADDRS, |message| message)
    }

    /// `GET_LIMITS`. Requires no privilege.
    pub(crate) fn limits(&mut self) -> Result<RawLimits, NetlinkError> {
        let message = self.message(pm::CMD_GET_LIMITS, 0);
        let mut limits = RawLimits::default();
        self.netlink.request(message, |received| {
            for attribute in Attributes(genl::payload(received)?) {
                match attribute? {
                    (pm::ATTR_SUBFLOWS, value) => {
                        limits.subflows = u32::from_ne_bytes(number(value)?);
                    }
                    (pm::ATTR_RCV_ADD_ADDRS, value) => {
                        limits.add_addr_accepted = u32::from_ne_bytes(number(value)?);
                    }
                    _ => {}
                }
            }
            Ok(())
        })?;
        Ok(limits)
    }

    /// `SET_LIMITS`: sets both.
    ///
    /// # Errors
    /// `EINVAL` for a number that this kernel does not accept.
    pub(crate) fn set_limits(&mut self, limits: RawLimits) -> Result<(), NetlinkError> {
        self.command(pm::CMD_SET_LIMITS, |message| {
            message
                .attribute(pm::ATTR_RCV_ADD_ADDRS, &limits.add_addr_accepted.to_ne_bytes())
                .attribute(pm::ATTR_SUBFLOWS, &limits.subflows.to_ne_bytes())
        })
    }
}

fn put_id(message: Message, id: u8, flags: Option<u32>) -> Message {
    message.nest(pm::ATTR_ADDR, |nest| {
        let nest = nest.attribute(pm::ADDR_ID, &[id]);
        match flags {
            Some(flags) => nest.attribute(pm::ADDR_FLAGS, &flags.to_ne_bytes()),
            None => nest,
        }
    })
}

fn parse_endpoint(received: &Received<'_>) -> Result<Option<RawEndpoint>, NetlinkError> {
    let (mut ip, mut endpoint) = (None, RawEndpoint::none());
    for attribute in Attributes(genl::payload(received)?) {
        let (kind, nest) = attribute?;
        if kind != pm::ATTR_ADDR {
            continue;
        }
        for attribute in Attributes(nest) {
            match attribute? {
                (pm::ADDR_ID, value) => endpoint.id = number::<1>(value)?[0],
                (pm::ADDR_ADDR4, value) => ip = Some(IpAddr::from(number::<4>(value)?)),
                (pm::ADDR_ADDR6, value) => {
                    ip = Some(Ipv6Addr::from(number::<16>(value)?).to_canonical());
                }
                (pm::ADDR_PORT, value) => endpoint.port = u16::from_ne_bytes(number(value)?),
                (pm::ADDR_FLAGS, value) => endpoint.flags = u32::from_ne_bytes(number(value)?),
                (pm::ADDR_IF_IDX, value) => {
                    endpoint.interface = u32::from_ne_bytes(number(value)?);
                }
                _ => {}
            }
        }
    }
    Ok(ip.map(|ip| RawEndpoint { ip, ..endpoint }))
}

impl RawEndpoint {
    /// Without an address, until one is read.
    fn none() -> RawEndpoint {
        RawEndpoint { ip: IpAddr::from([0; 4]), port: 0, id: 0, interface: 0, flags: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn random_bytes_are_rejected_or_read(payload: Vec<u8>) {
            let received = Received { kind: 16, flags: 0, sequence: 1, payload: &payload };
            let _ = parse_endpoint(&received);
        }
    }
}
