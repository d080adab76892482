//! The two ends of a subflow that is to be opened, chosen by the options and by what the host owns.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::BorrowedFd;

use super::{OPERATION, Open};
use crate::error::{Error, ErrorKind, Result};
use crate::shared::interface::{index_of, owner};
use crate::shared::socket_state::query_error;
use crate::shared::subflow::list_fd;
use crate::sys::cache;
use crate::sys::route::{Addresses, Owned};
use crate::sys::socket;

/// Where a subflow begins and ends.
pub(super) struct Ends {
    pub(super) local: IpAddr,
    pub(super) remote: SocketAddr,
    /// The index of the interface to send by; 0 leaves the choice to the routing table.
    pub(super) interface: u32,
}

/// Chooses the ends.
pub(super) fn choose(sock: BorrowedFd<'_>, options: &Open) -> Result<Ends> {
    let remote = remote(sock, options)?;
    let named = options.interface.as_deref().map(|name| index_of(name, OPERATION)).transpose()?;
    let owned = cache::about(sock, |addresses: &mut Addresses| addresses.list(remote.ip(), 0))
        .map_err(|error| query_error(OPERATION, error))?;
    let local = match (options.local, named) {
        (Some(ip), _) => no_broadcast(&owned, same_family(ip, remote)?)?,
        (None, Some(index)) => address_on(&owned, index, remote, options)?,
        (None, None) => same_as_initial(sock, remote)?,
    };
    let interface = match named {
        Some(index) => index,
        None if options.unbound => 0,
        None => owner(&owned, local, remote),
    };
    Ok(Ends { local, remote, interface })
}

fn remote(sock: BorrowedFd<'_>, options: &Open) -> Result<SocketAddr> {
    let peer = socket::peer_address(sock)
        .map_err(|error| Error::from_io(OPERATION, &error).with_kind(ErrorKind::NotConnected));
    let Some(mut remote) = options.remote else { return peer };
    if let SocketAddr::V6(v6) = remote {
        remote = socket::unmapped(v6);
    }
    if remote.port() == 0 {
        remote.set_port(peer?.port());
    }
    // The kernel would connect to this host itself.
    if remote.ip().is_unspecified() || remote.ip().is_multicast() {
        return Err(Error::argument(OPERATION, format!("{} is no address of a peer", remote.ip()))
            .with_remedy("Give an address of the peer, or none for the one it is connected to."));
    }
    Ok(remote)
}

fn same_family(ip: IpAddr, remote: SocketAddr) -> Result<IpAddr> {
    let ip = ip.to_canonical();
    if ip.is_ipv4() != remote.is_ipv4() {
        return Err(Error::argument(
            OPERATION,
            format!("{ip} and {} are of different families", remote.ip()),
        )
        .with_remedy("Give a local and a remote address of one family."));
    }
    let is_broadcast = ip == IpAddr::from(Ipv4Addr::BROADCAST);
    if ip.is_unspecified() || ip.is_multicast() || is_broadcast {
        return Err(Error::argument(OPERATION, format!("{ip} is no address of an interface"))
            .with_remedy("Give an address of this host, or the interface alone."));
    }
    Ok(ip)
}

/// The kernel binds a socket to an address of many hosts, and then sends from another. Whether any
/// other address is ours it says itself: there are more than those of the interfaces.
fn no_broadcast(owned: &[Owned], ip: IpAddr) -> Result<IpAddr> {
    if owned.iter().any(|owned| owned.broadcast.is_some_and(|all| ip == IpAddr::from(all))) {
        return Err(Error::new(ErrorKind::AddressNotAvailable, OPERATION)
            .detail(format!("{ip} is the address of all hosts on its network")));
    }
    Ok(ip)
}

fn address_on(owned: &[Owned], index: u32, remote: SocketAddr, options: &Open) -> Result<IpAddr> {
    let on_it = || owned.iter().filter(|owned| owned.interface == index);
    let wants_global = !is_link_local(remote.ip());
    let found = on_it().find(|owned| owned.is_global == wants_global).or_else(|| on_it().next());
    found.map(|owned| owned.ip).ok_or_else(|| {
        let family = if remote.is_ipv4() { "IPv4" } else { "IPv6" };
        let name = options.interface.as_deref().unwrap_or_default();
        Error::new(ErrorKind::AddressNotAvailable, OPERATION)
            .detail(format!("the interface {name:?} has no {family} address"))
            .with_remedy("Give it one, or name a remote address of its other family.")
    })
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// Neither address nor interface given: one more subflow beside the initial one.
fn same_as_initial(sock: BorrowedFd<'_>, remote: SocketAddr) -> Result<IpAddr> {
    let mut ip =
        socket::local_address(sock).map_err(|error| Error::from_io(OPERATION, &error))?.ip();
    // Once the initial subflow is closed, the kernel no longer tells its address.
    if ip.is_unspecified() {
        ip = list_fd(sock, OPERATION)?.first().map_or(ip, |first| first.local.ip());
    }
    same_family(ip, remote)
}
