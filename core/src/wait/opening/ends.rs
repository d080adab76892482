//! The two ends of a subflow to open, chosen by the options and by the kernel's routing table.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::BorrowedFd;

use super::{OPERATION, Open};
use crate::error::{Error, ErrorKind, Result};
use crate::shared::deny_join_id0;
use crate::shared::diag_subflow::is_same_end;
use crate::shared::interface::{
    agreed, index_of, name_of, needs_scope, no_scope, scope_of, with_scope,
};
use crate::shared::route::{Destination, Owner};
use crate::shared::subflow::list_fd;
use crate::sys::interface_addresses::InterfaceAddress;
use crate::sys::route::Route;
use crate::sys::{address, socket};

/// The two ends of a subflow to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) local: IpAddr,
    pub(super) remote: SocketAddr,
    /// The index of the interface to send by; 0 leaves the choice to the routing table.
    pub(super) interface: u32,
    pub(super) route: RouteState,
}

/// Whether the routing table has the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RouteState {
    Found,
    /// The table leads there by another interface than the one that owns the local address. If a
    /// route by that one is added, it is the better path.
    Elsewhere,
    /// No route leads there. The kernel treats an IPv4 address as a neighbour all the same.
    Missing,
}

/// The ends, or why the host has none yet.
pub(super) enum Choice {
    Ends(Ends),
    /// An address or a route is missing that may come in a moment.
    NotYet(Error),
}

/// Chooses the ends.
pub(super) fn choose(sock: BorrowedFd<'_>, options: &Open) -> Result<Choice> {
    let mut remote = remote(sock, options)?;
    let named = options.interface.as_deref().map(|name| index_of(name, OPERATION)).transpose()?;
    if needs_scope(remote.ip()) && scope_of(remote).is_none() && named.is_none() {
        remote = with_scope(remote, scope(sock, options, remote)?);
    }
    let interface = agreed(sock, named, remote, OPERATION)?;
    let chooser = Chooser { sock, to: Destination::new(sock, remote, OPERATION), remote, options };
    match (options.local, interface) {
        (Some(ip), Some(index)) => chooser.both(same_family(ip, remote)?, index),
        (Some(ip), None) => chooser.from(same_family(ip, remote)?, true),
        (None, Some(index)) => chooser.by(index),
        (None, None) if options.remote.is_some() => chooser.by_table(),
        (None, None) => chooser.from(same_as_initial(sock, remote)?, false),
    }
}

struct Chooser<'a> {
    sock: BorrowedFd<'a>,
    to: Destination<'a>,
    remote: SocketAddr,
    options: &'a Open,
}

impl Chooser<'_> {
    fn ends(&self, local: IpAddr, interface: u32, route: RouteState) -> Result<Choice> {
        let interface = if self.options.unbound && self.options.interface.is_none() {
            // Without an interface, a link-local address is none.
            scope_of(self.remote).unwrap_or(0)
        } else {
            interface
        };
        Ok(Choice::Ends(Ends { local, remote: self.remote, interface, route }))
    }

    /// The caller chose the local address and the interface.
    fn both(&self, ip: IpAddr, index: u32) -> Result<Choice> {
        let owned = self.to.addresses(0)?;
        if let Some(why) = unusable(&owned, ip)? {
            return Ok(Choice::NotYet(why));
        }
        let is_here = |ip| owned.iter().any(|owned| owned.ip == ip);
        // The kernel rejects an address that is not one of this host, and leads to itself.
        if !is_here(ip) || is_here(self.remote.ip()) || self.to.leads(ip, index)? {
            return self.ends(ip, index, RouteState::Found);
        }
        self.without_route(ip, index)
    }

    /// The local address is known. The interface is the one that owns it, if it leads to the peer.
    fn from(&self, ip: IpAddr, is_given: bool) -> Result<Choice> {
        let owned = self.to.addresses(0)?;
        if let Some(why) = unusable(&owned, ip)? {
            return Ok(Choice::NotYet(why));
        }
        if self.options.unbound {
            return self.ends(ip, 0, RouteState::Found);
        }
        match self.to.owner(&owned, ip)? {
            Owner::Interface(index) => self.ends(ip, index, RouteState::Found),
            Owner::None => self.ends(ip, 0, RouteState::Found),
            Owner::Elsewhere(owner) => match self.to.route(Some(ip), 0)? {
                Some(_) => self.ends(ip, 0, RouteState::Elsewhere),
                None => self.without_route(ip, owner),
            },
            Owner::Several(several) if is_given => Err(self.to.ambiguous(ip, &several)),
            // The initial subflow's interface is the one that the socket is bound to, or the routing
            // table chose it.
            Owner::Several(several) => {
                let name = libc::SO_BINDTOIFINDEX;
                let bound = socket::get_i32(self.sock, libc::SOL_SOCKET, name).unwrap_or(0) as u32;
                let index = if several.contains(&bound) { bound } else { 0 };
                self.ends(ip, index, RouteState::Found)
            }
        }
    }

    /// The caller chose the interface, or the scope of the remote address did. The kernel chooses the
    /// address.
    fn by(&self, index: u32) -> Result<Choice> {
        self.by_route(index, self.to.route(None, index)?)
    }

    fn by_route(&self, index: u32, route: Option<Route>) -> Result<Choice> {
        let owned = self.to.addresses(index)?;
        let tentative = owned.iter().find(|owned| owned.is_tentative && !needs_scope(owned.ip));
        if let Some((route, source)) = route.and_then(|route| Some((route, route.source?))) {
            // For the lack of a better address, the kernel takes a link-local one, which no router
            // forwards, or one of another interface.
            let is_own = owned.iter().any(|owned| owned.ip == source);
            let is_local = needs_scope(source) && !needs_scope(self.remote.ip());
            let is_best = is_own && !is_local;
            if is_best
                || tentative.is_none()
                    && !(is_local && route.has_gateway)
                    && (is_own || route.is_local() || self.is_of_whole_host(source)?)
            {
                return self.ends(source, index, RouteState::Found);
            }
        }
        let wants_global = !is_link_local(self.remote.ip());
        let usable = || owned.iter().filter(|owned| !owned.is_tentative);
        let found = usable().find(|owned| owned.is_global == wants_global);
        let found = found.or_else(|| usable().find(|owned| !needs_scope(owned.ip)));
        match (found, tentative) {
            (Some(owned), _) => self.without_route(owned.ip, index),
            (None, Some(tentative)) => Ok(Choice::NotYet(being_checked(tentative.ip))),
            (None, None) => Err(self.no_address(index)),
        }
    }

    /// Reports whether an address belongs to an interface that does not lead to the peer: links without
    /// addresses of their own use it.
    fn is_of_whole_host(&self, ip: IpAddr) -> Result<bool> {
        let owner = self.to.owner(&self.to.addresses(0)?, ip)?;
        Ok(matches!(owner, Owner::Elsewhere(_) | Owner::None))
    }

    /// The caller chose the remote address only.
    fn by_table(&self) -> Result<Choice> {
        let Some(route) = self.to.route(None, 0)? else {
            return Ok(Choice::NotYet(self.to.no_route(0)));
        };
        match route.source {
            Some(ip) if route.is_local() => self.ends(ip, 0, RouteState::Found),
            // IPv4 has no tentative addresses, and the kernel's choice is final.
            Some(ip) if ip.is_ipv4() => self.ends(ip, route.interface, RouteState::Found),
            _ => self.by_route(route.interface, Some(route)),
        }
    }

    /// No route leads to the peer by that interface. IPv4 can be tried nevertheless: on a
    /// point-to-point link the peer may be at the other end.
    fn without_route(&self, ip: IpAddr, index: u32) -> Result<Choice> {
        if ip.is_ipv4() {
            return self.ends(ip, index, RouteState::Missing);
        }
        Ok(Choice::NotYet(self.to.no_route(index)))
    }

    fn no_address(&self, index: u32) -> Error {
        let family = if self.remote.is_ipv4() { "IPv4" } else { "IPv6" };
        let kind =
            if self.remote.is_ipv4() || is_link_local(self.remote.ip()) { "" } else { "global " };
        let name = name_of(self.sock, index);
        Error::new(ErrorKind::AddressNotAvailable, OPERATION)
            .detail(format!("the interface {name:?} has no {kind}{family} address"))
            .with_remedy("Add an address to it, or pass a remote address of its other family.")
    }
}

fn remote(sock: BorrowedFd<'_>, options: &Open) -> Result<SocketAddr> {
    let peer = socket::peer_address(sock)
        .map_err(|error| Error::from_io(OPERATION, &error).with_kind(ErrorKind::NotConnected));
    let Some(mut remote) = options.remote else {
        let mut peer = peer?;
        require_joins(sock, peer)?;
        // The kernel reports the scope of a socket that is bound to an interface only.
        if needs_scope(peer.ip()) && scope_of(peer).is_none() {
            peer = with_scope(peer, initial_scope(sock, peer).unwrap_or(0));
        }
        return Ok(peer);
    };
    if let SocketAddr::V6(v6) = remote {
        remote = address::unmapped(v6);
    }
    if remote.port() == 0 {
        remote.set_port(peer.clone()?.port());
    }
    if peer.is_ok_and(|peer| is_same_end(peer, remote)) {
        require_joins(sock, remote)?;
    }
    // The kernel would connect to this host.
    if remote.ip().is_unspecified() || remote.ip().is_multicast() {
        return Err(Error::argument(
            OPERATION,
            format!("{} is not an address of a peer", remote.ip()),
        )
        .with_remedy("Pass an address of the peer, or none to use that of the connection."));
    }
    Ok(remote)
}

/// Fails if the peer is known to accept no further subflow to its initial address.
fn require_joins(sock: BorrowedFd<'_>, peer: SocketAddr) -> Result<()> {
    if deny_join_id0::known(sock) != Some(true) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::PeerLimit, OPERATION)
        .detail(format!("the peer accepts no further subflow to {peer}, its initial address"))
        .with_remedy(
            "Pass an address that the peer has announced as `remote`: the event AddressAnnounced \
             reports it.",
        ))
}

/// Returns the scope of a link-local remote address that is given without one: that of the peer's end
/// of the connection, if it is the same address, or the interface of the only owner of the local
/// address.
fn scope(sock: BorrowedFd<'_>, options: &Open, remote: SocketAddr) -> Result<u32> {
    let peer = socket::peer_address(sock).ok().filter(|peer| peer.ip() == remote.ip());
    if let Some(scope) = peer.and_then(|peer| scope_of(peer).or_else(|| initial_scope(sock, peer)))
    {
        return Ok(scope);
    }
    let owned = Destination::new(sock, remote, OPERATION).addresses(0)?;
    let mut owners = owned.iter().filter(|owned| Some(owned.ip) == options.local);
    match (owners.next(), owners.next()) {
        (Some(owner), None) => Ok(owner.interface),
        _ => Err(no_scope(sock, remote, OPERATION)),
    }
}

/// Returns the interface of the first live subflow to that address.
fn initial_scope(sock: BorrowedFd<'_>, peer: SocketAddr) -> Option<u32> {
    let subflows = list_fd(sock, OPERATION).ok()?;
    scope_of(subflows.iter().find(|subflow| subflow.remote.ip() == peer.ip())?.remote)
}

fn same_family(ip: IpAddr, remote: SocketAddr) -> Result<IpAddr> {
    let ip = ip.to_canonical();
    if ip.is_ipv4() != remote.is_ipv4() {
        return Err(Error::argument(
            OPERATION,
            format!("{ip} and {} are of different families", remote.ip()),
        )
        .with_remedy("Pass a local and a remote address of the same family."));
    }
    let is_broadcast = ip == IpAddr::from(Ipv4Addr::BROADCAST);
    if ip.is_unspecified() || ip.is_multicast() || is_broadcast {
        return Err(Error::argument(OPERATION, format!("{ip} is not an address of an interface"))
            .with_remedy("Pass an address of this host (ip address), or the interface alone."));
    }
    Ok(ip)
}

/// Rejects broadcast addresses: the kernel accepts them and then sends from another address. Returns
/// the error of an address that cannot be used yet. The kernel itself rejects other addresses that do
/// not belong to this host. The library cannot, because not every local address belongs to an
/// interface.
fn unusable(owned: &[InterfaceAddress], ip: IpAddr) -> Result<Option<Error>> {
    if owned.iter().any(|owned| owned.broadcast.is_some_and(|all| ip == IpAddr::from(all))) {
        return Err(Error::new(ErrorKind::AddressNotAvailable, OPERATION)
            .detail(format!("{ip} is a broadcast address")));
    }
    let mut same = owned.iter().filter(|owned| owned.ip == ip).peekable();
    let is_checked = same.peek().is_some() && same.all(|owned| owned.is_tentative);
    Ok(is_checked.then(|| being_checked(ip)))
}

fn being_checked(ip: IpAddr) -> Error {
    Error::new(ErrorKind::AddressNotAvailable, OPERATION)
        .detail(format!("the kernel is still checking whether another host has {ip}"))
        .with_remedy("Use a longer timeout, or see why the address stays tentative: ip -6 address.")
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// Returns the local address of the initial subflow, for options with neither address nor interface.
fn same_as_initial(sock: BorrowedFd<'_>, remote: SocketAddr) -> Result<IpAddr> {
    let mut ip =
        socket::local_address(sock).map_err(|error| Error::from_io(OPERATION, &error))?.ip();
    // When the initial subflow is closed, the kernel no longer reports its address.
    if ip.is_unspecified() {
        ip = list_fd(sock, OPERATION)?.first().map_or(ip, |first| first.local.ip());
    }
    same_family(ip, remote)
}
