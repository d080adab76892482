//! The path that the kernel would choose: the interface to leave by, and the source address.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::BorrowedFd;

use crate::error::{Error, Result};
use crate::shared::interface::name_of;
use crate::shared::network::{Way, rejection, unspecified};
use crate::shared::socket_state::query_error;
use crate::sys::cache::{self, QueryError};
use crate::sys::interface::LOOPBACK;
use crate::sys::interface_addresses::{AddressQuery, InterfaceAddress};
use crate::sys::netlink::NetlinkError;
use crate::sys::route::{Question, Route, RouteKind, is_no_route};
use crate::sys::socket;

/// The destination of a connection, and what the kernel's routing rules may ask about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Destination<'a> {
    sock: BorrowedFd<'a>,
    to: SocketAddr,
    mark: u32,
    operation: &'static str,
}

/// Which interface leads from a local address to the destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The interface with that index owns the address and leads there.
    Interface(u32),
    /// The interface with that index owns the address, but none leads there from it: the address is
    /// one of the whole host, or the route is still missing.
    Elsewhere(u32),
    /// No interface that leads out owns the address, or the destination is this host.
    None,
    /// Several interfaces own the address and lead there, and the routing table takes none of them.
    Several(Vec<u32>),
}

impl<'a> Destination<'a> {
    pub(crate) fn new(sock: BorrowedFd<'a>, to: SocketAddr, operation: &'static str) -> Self {
        let mark = socket::get_i32(sock, libc::SOL_SOCKET, libc::SO_MARK).unwrap_or(0);
        Destination { sock, to, mark: mark as u32, operation }
    }

    /// Lists the addresses of this host of the destination's family, or those of one interface.
    pub(crate) fn addresses(&self, interface: u32) -> Result<Vec<InterfaceAddress>> {
        self.addresses_like(self.to.ip(), interface)
    }

    fn addresses_like(&self, like: IpAddr, interface: u32) -> Result<Vec<InterfaceAddress>> {
        self.query(|addresses| addresses.list(like, interface))
    }

    /// Returns the route, from that address or from one of the kernel's choice, by that interface or,
    /// with 0, by one of the kernel's choice. `None` if no route leads there.
    ///
    /// # Errors
    /// `Unreachable` if the route is one that rejects packets.
    pub(crate) fn route(&self, from: Option<IpAddr>, interface: u32) -> Result<Option<Route>> {
        let question = self.question(from, interface);
        let answer = self.query(|addresses| match addresses.route(&question) {
            Ok(route) => Ok(Ok(route)),
            Err(error) if is_no_route(&error) => Ok(Err(error.errno)),
            Err(error) => Err(error),
        })?;
        let way = self.way(from, interface);
        // IPv4 answers with an error, IPv6 with the route.
        let errno = match answer {
            Ok(Route { kind: RouteKind::Prohibit, .. }) => libc::EACCES,
            Ok(Route { kind: RouteKind::Blackhole, .. }) => libc::EINVAL,
            Ok(Route { kind: RouteKind::Unreachable, .. }) => libc::EHOSTUNREACH,
            Ok(Route { kind: RouteKind::Other, .. }) => {
                let detail = format!("no single host has the address {}", self.to.ip());
                return Err(way.no_route(self.operation).detail(detail));
            }
            Ok(route) => {
                let is_by_it = interface == 0
                    || route.interface == interface
                    || route.kind == RouteKind::Local;
                return Ok(Some(route).filter(|route| is_by_it && !route.is_assumed));
            }
            Err(errno) => errno,
        };
        match rejection(way.local, self.to.ip(), errno) {
            Some(cause) => Err(way.rejected(cause, Error::os(self.operation, errno))),
            None => Ok(None),
        }
    }

    /// Reports whether the routing table alone chooses that interface for packets from that address, or
    /// keeps them on this host.
    pub(crate) fn is_left_by(&self, from: IpAddr, interface: u32) -> Result<bool> {
        let route = self.route(Some(from), 0)?;
        Ok(route
            .is_some_and(|route| route.interface == interface || route.kind == RouteKind::Local))
    }

    /// Reports whether the routing table leads from that address by that interface.
    pub(crate) fn leads(&self, from: IpAddr, interface: u32) -> Result<bool> {
        let question = self.question(Some(from), interface);
        self.query(|addresses| addresses.leads(&question))
    }

    /// Returns the interface that owns a local address and leads from it to the destination. A packet
    /// that leaves by the default route with the address of another interface is dropped by the first
    /// strict router. On an interface that leads nowhere, no packet arrives.
    pub(crate) fn owner(&self, owned: &[InterfaceAddress], ip: IpAddr) -> Result<Owner> {
        // Between two addresses of this host, packets take the loopback interface.
        if owned.iter().any(|owned| owned.ip == self.to.ip()) {
            return Ok(Owner::None);
        }
        // An address of the loopback interface is also used on the interfaces that lead out.
        let owners = owned.iter().filter(|owned| owned.ip == ip && owned.interface != LOOPBACK);
        let (mut leading, mut first) = (Vec::new(), None);
        for owner in owners.map(|owned| owned.interface) {
            first = first.or(Some(owner));
            if self.leads(ip, owner)? {
                leading.push(owner);
            }
        }
        match leading[..] {
            [] => Ok(first.map_or(Owner::None, Owner::Elsewhere)),
            [one] => Ok(Owner::Interface(one)),
            _ => {
                let by_table = self.route(Some(ip), 0)?.map_or(0, |route| route.interface);
                let is_one = leading.contains(&by_table);
                Ok(if is_one { Owner::Interface(by_table) } else { Owner::Several(leading) })
            }
        }
    }

    /// As [`owner`](Self::owner), also for an address of another family than the destination's: its
    /// first owner is then taken to lead to the other end.
    pub(crate) fn owner_of(&self, ip: IpAddr) -> Result<Owner> {
        let owned = self.addresses_like(ip, 0)?;
        if ip.is_ipv4() == self.to.is_ipv4() {
            return self.owner(&owned, ip);
        }
        let mut owners = owned.iter().filter(|owned| owned.ip == ip && owned.interface != LOOPBACK);
        Ok(owners.next().map_or(Owner::None, |owned| Owner::Interface(owned.interface)))
    }

    /// Returns the error for an address that several interfaces own.
    pub(crate) fn ambiguous(&self, ip: IpAddr, interfaces: &[u32]) -> Error {
        let names: Vec<_> = interfaces.iter().map(|index| name_of(self.sock, *index)).collect();
        let to = self.to.ip();
        let detail = format!("{ip} belongs to the interfaces {}, which both lead to {to}", {
            names.join(" and ")
        });
        Error::argument(self.operation, detail)
            .with_remedy(format!("Pass one of the interfaces as well: {}.", names.join(" or ")))
    }

    /// Returns the error for a destination that no route leads to by that interface, or by any if it
    /// is 0.
    pub(crate) fn no_route(&self, interface: u32) -> Error {
        self.way(None, interface).no_route(self.operation)
    }

    fn way(&self, from: Option<IpAddr>, interface: u32) -> Way<'a> {
        let local = from.unwrap_or(unspecified(self.to));
        Way { sock: self.sock, local, remote: self.to, interface }
    }

    fn question(&self, from: Option<IpAddr>, interface: u32) -> Question {
        Question { to: self.to, from, interface, mark: self.mark }
    }

    fn query<T>(
        &self,
        ask: impl FnOnce(&mut AddressQuery) -> std::result::Result<T, NetlinkError>,
    ) -> Result<T> {
        cache::with_socket_for(self.sock, ask)
            .map_err(|error: QueryError| query_error(self.operation, error))
    }
}
