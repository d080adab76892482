//! The two ends of a subflow to open, chosen by the options and the addresses of the host.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::BorrowedFd;

use super::{OPERATION, Open};
use crate::error::{Error, ErrorKind, Result};
use crate::shared::interface::{index_of, owner};
use crate::shared::socket_state::query_error;
use crate::shared::subflow::list_fd;
use crate::sys::cache;
use crate::sys::interface_addresses::{AddressQuery, InterfaceAddress};
use crate::sys::{address, socket};

/// The two ends of a subflow to open.
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
    let owned =
        cache::with_socket_for(sock, |addresses: &mut AddressQuery| addresses.list(remote.ip(), 0))
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
        remote = address::unmapped(v6);
    }
    if remote.port() == 0 {
        remote.set_port(peer?.port());
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

/// Rejects broadcast addresses: the kernel accepts them and then sends from another address. The kernel
/// itself rejects other addresses that do not belong to this host. The library cannot, because not
/// every local address belongs to an interface.
fn no_broadcast(owned: &[InterfaceAddress], ip: IpAddr) -> Result<IpAddr> {
    if owned.iter().any(|owned| owned.broadcast.is_some_and(|all| ip == IpAddr::from(all))) {
        return Err(Error::new(ErrorKind::AddressNotAvailable, OPERATION)
            .detail(format!("{ip} is a broadcast address")));
    }
    Ok(ip)
}

fn address_on(
    owned: &[InterfaceAddress],
    index: u32,
    remote: SocketAddr,
    options: &Open,
) -> Result<IpAddr> {
    let on_it = || owned.iter().filter(|owned| owned.interface == index);
    let wants_global = !is_link_local(remote.ip());
    let found = on_it().find(|owned| owned.is_global == wants_global).or_else(|| on_it().next());
    found.map(|owned| owned.ip).ok_or_else(|| {
        let family = if remote.is_ipv4() { "IPv4" } else { "IPv6" };
        let name = options.interface.as_deref().unwrap_or_default();
        Error::new(ErrorKind::AddressNotAvailable, OPERATION)
            .detail(format!("the interface {name:?} has no {family} address"))
            .with_remedy("Add an address to it, or pass a remote address of its other family.")
    })
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
