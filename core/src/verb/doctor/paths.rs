//! The addresses and interfaces of this host, and which of them lead to the remote address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::BorrowedFd;

use super::finding::{FindingKind, Findings};
use crate::error::Result;
use crate::shared::interface::{name_of, needs_scope};
use crate::shared::network::unspecified;
use crate::shared::route::Destination;
use crate::sys::interface::{self, LOOPBACK};
use crate::sys::interface_addresses::InterfaceAddress;

const OPERATION: &str = "doctor";

/// What this host has, as seen from one socket.
pub(super) struct Paths<'a> {
    pub(super) sock: BorrowedFd<'a>,
    pub(super) remote: Option<SocketAddr>,
    /// The local address of the initial subflow, or what it would be.
    pub(super) initial: Option<IpAddr>,
    /// Every address of both families.
    pub(super) owned: Vec<InterfaceAddress>,
    /// Those with which a connection could leave this host, one for each interface.
    usable: Vec<InterfaceAddress>,
}

impl<'a> Paths<'a> {
    pub(super) fn find(
        sock: BorrowedFd<'a>,
        remote: Option<SocketAddr>,
        initial: Option<IpAddr>,
    ) -> Result<Paths<'a>> {
        let families = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
        let mut owned = Vec::new();
        for family in families {
            owned.extend(Destination::new(sock, (family, 0).into(), OPERATION).addresses(0)?);
        }
        let mut paths = Paths { sock, remote, initial, owned, usable: Vec::new() };
        let to_this_host =
            remote.is_some_and(|remote| paths.owned.iter().any(|own| own.ip == remote.ip()));
        for own in &paths.owned {
            let is_new = paths.usable.iter().all(|other| other.interface != own.interface);
            if is_new && (to_this_host || own.interface != LOOPBACK) && paths.is_usable(own)? {
                paths.usable.push(*own);
            }
        }
        if paths.initial.is_none() {
            if let Some(to) = paths.destination() {
                // Whether there is a route shows when a connection is made.
                paths.initial = to.route(None, 0).ok().flatten().and_then(|route| route.source);
            }
        }
        Ok(paths)
    }

    /// The remote address, as the routing table is asked for it.
    pub(super) fn destination(&self) -> Option<Destination<'a>> {
        self.remote.map(|remote| Destination::new(self.sock, remote, OPERATION))
    }

    fn is_usable(&self, own: &InterfaceAddress) -> Result<bool> {
        if needs_scope(own.ip)
            || own.is_tentative
            || !interface::has_carrier(self.sock, own.interface)
        {
            return Ok(false);
        }
        match (self.remote, self.destination()) {
            (Some(remote), Some(to)) => Ok(remote.is_ipv4() == own.ip.is_ipv4()
                && (own.interface == LOOPBACK || to.leads(own.ip, own.interface)?)),
            _ => Ok(own.is_global),
        }
    }

    pub(super) fn name(&self, index: u32) -> String {
        name_of(self.sock, index)
    }

    /// The interfaces that own an address.
    pub(super) fn owners(&self, ip: IpAddr) -> Vec<u32> {
        self.owned.iter().filter(|own| own.ip == ip).map(|own| own.interface).collect()
    }

    /// An address of which an endpoint would be a second path, and its interface; words that ask for one if
    /// there is none.
    pub(super) fn second(&self) -> (String, String) {
        let first = self.initial.map_or(Vec::new(), |ip| self.owners(ip));
        let mut others = self.usable.iter().filter(|own| Some(own.ip) != self.initial);
        // Without a remote address, the first is as good as any: it is the one that has the address.
        let second = match self.initial {
            Some(_) => others.find(|own| !first.contains(&own.interface)),
            None => others.nth(1),
        };
        second.map_or(("ADDRESS".to_owned(), "INTERFACE".to_owned()), |own| {
            (own.ip.to_string(), self.name(own.interface))
        })
    }

    /// Examines the interfaces.
    pub(super) fn examine(&self, found: &mut Findings) {
        self.count(found);
        for own in &self.usable {
            self.filter(found, own);
        }
    }

    /// Examines whether there are two interfaces, unless that was found out before.
    pub(super) fn count(&self, found: &mut Findings) {
        let is_known = found.has(FindingKind::OneInterface);
        if self.usable.len() < 2 && !self.is_within_host() && !is_known {
            let interfaces = match &self.usable[..] {
                [] => "this host has none".to_owned(),
                [only, ..] => format!("this host has only {}", self.name(only.interface)),
            };
            found.add(FindingKind::OneInterface, &[("interfaces", &interfaces)]);
        }
    }

    /// Between two addresses of this host there is one path, which never fails.
    pub(super) fn is_within_host(&self) -> bool {
        self.remote.is_some_and(|remote| !self.owners(remote.ip()).is_empty())
    }

    /// Examines whether this host would drop the answers to an address. The filter asks the routing table for
    /// the way back, and the interface by which an answer came has to be on it.
    fn filter(&self, found: &mut Findings, own: &InterfaceAddress) {
        let (Some(remote), Some(to), true) = (self.remote, self.destination(), own.ip.is_ipv4())
        else {
            return;
        };
        let name = self.name(own.interface);
        let strictness = |name: &str| {
            let text = std::fs::read_to_string(format!("/proc/sys/net/ipv4/conf/{name}/rp_filter"));
            text.ok().and_then(|text| text.trim().parse::<u8>().ok()).unwrap_or(0)
        };
        if strictness("all").max(strictness(&name)) != 1 {
            return;
        }
        let Ok(Some(route)) = to.route(Some(own.ip), 0) else { return };
        if route.interface != own.interface && !route.is_local() {
            let (address, remote, other) = (own.ip, remote.ip(), self.name(route.interface));
            found.add(
                FindingKind::ReversePathFilter,
                &[
                    ("interface", &name),
                    ("address", &address),
                    ("remote", &remote),
                    ("other", &other),
                ],
            );
        }
    }
}

/// The wildcard address of the remote's family has no route of its own.
pub(super) fn is_nowhere(remote: SocketAddr) -> bool {
    remote.ip() == unspecified(remote) || remote.ip().is_multicast() || remote.port() == 0
}
