//! The endpoints and the limits of the kernel's path manager, which belong to the network namespace.
//!
//! Source: `net/mptcp/pm_kernel.c` (before Linux 6.16 `pm_netlink.c`), `include/uapi/linux/mptcp.h`.

use super::genl;
use super::netlink::{Attributes, Message, NetlinkError, number};
use super::path_manager::{PathManagerSocket, RawAddress};
use super::uapi::pm;

/// How much the kernel's path manager does for each connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RawLimits {
    pub(crate) subflows: u32,
    pub(crate) add_addr_accepted: u32,
}

impl PathManagerSocket {
    /// `GET_ADDR`: lists the endpoints. Requires no privilege.
    pub(crate) fn endpoints(&mut self) -> Result<Vec<RawAddress>, NetlinkError> {
        let message = self.message(pm::CMD_GET_ADDR, libc::NLM_F_DUMP);
        let mut endpoints = Vec::new();
        self.netlink.request(message, |received| {
            endpoints.extend(RawAddress::parse_all(received)?);
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
    pub(crate) fn add_endpoint(&mut self, endpoint: &RawAddress) -> Result<(), NetlinkError> {
        self.command(pm::CMD_ADD_ADDR, |message| {
            message.nest(pm::ATTR_ADDR, |nest| endpoint.put(nest))
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
