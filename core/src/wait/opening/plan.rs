//! What an `open` needs to know before it can ask the kernel: from where, to where, by which
//! interface, under which address id and from which port.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::BorrowedFd;

use crate::door::Door;
use crate::door::address_ids::{known_addresses, unused_id};
use crate::error::{Error, ErrorKind, Result};
use crate::shared::diag_subflow::same;
use crate::shared::interface::owner;
use crate::shared::port;
use crate::shared::socket_state::{query_error, why_not};
use crate::shared::subflow::list_fd;
use crate::sys::cache::{self, QueryError};
use crate::sys::interface_addresses::{AddressQuery, InterfaceAddress};
use crate::sys::path_manager::LocalAddress;
use crate::sys::{address, socket};

use super::{Open, rest};

/// Everything but the port and the address id, which are chosen anew with each try.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) token: u32,
    pub(crate) local: LocalAddress,
    pub(crate) remote: SocketAddr,
    /// The caller chose the port: where it is taken, that is an error.
    pub(crate) is_port_given: bool,
    /// The subflow joins as backup, and becomes a regular one when it has rested: see
    /// [`rest`](super::rest).
    pub(crate) is_held_back: bool,
}

/// Decides between which ends a subflow is to be opened.
pub(crate) fn plan(
    sock: BorrowedFd<'_>,
    token: u32,
    options: &Open,
    operation: &'static str,
) -> Result<Plan> {
    let remote = remote(sock, options, operation)?;
    let interface = options.interface.as_deref().map(|name| index(name, operation)).transpose()?;
    let owned =
        cache::with_socket_for(sock, |addresses: &mut AddressQuery| addresses.list(remote.ip(), 0))
            .map_err(|error| query_error(operation, error))?;
    let ip = match (options.local, interface) {
        (Some(ip), _) => checked_owned(&owned, checked_local(ip, remote, operation)?, operation)?,
        (None, Some(index)) => address_on(&owned, index, remote, options, operation)?,
        (None, None) => same_as_initial(sock, remote, operation)?,
    };
    let mut local = LocalAddress::new(ip, 0);
    local.port = options.local_port;
    let is_held_back = !options.backup && rest::is_needed(&list_fd(sock, operation)?);
    local.is_backup = options.backup || is_held_back;
    local.interface = match interface {
        Some(index) => index,
        None if !options.unbound => owner(&owned, ip, remote),
        None => 0,
    };
    Ok(Plan { token, local, remote, is_port_given: options.local_port != 0, is_held_back })
}

fn remote(sock: BorrowedFd<'_>, options: &Open, operation: &'static str) -> Result<SocketAddr> {
    let peer = socket::peer_address(sock)
        .map_err(|error| Error::from_io(operation, &error).with_kind(ErrorKind::NotConnected));
    let Some(mut remote) = options.remote else { return peer };
    if let SocketAddr::V6(v6) = remote {
        remote = address::unmapped(v6);
    }
    if remote.port() == 0 {
        remote.set_port(peer?.port());
    }
    // The kernel would connect to this host itself.
    if remote.ip().is_unspecified() || remote.ip().is_multicast() {
        return Err(Error::argument(operation, format!("{} is no address of a peer", remote.ip()))
            .with_remedy("Give an address of the peer, or none for the one it is connected to."));
    }
    Ok(remote)
}

fn index(name: &str, operation: &'static str) -> Result<u32> {
    nix::net::if_::if_nametoindex(name).map_err(|errno| {
        Error::new(ErrorKind::AddressNotAvailable, operation)
            .errno(errno as i32)
            .detail(format!("there is no interface {name:?} here"))
            .with_remedy("List the interfaces: ip link.")
    })
}

fn checked_local(ip: IpAddr, remote: SocketAddr, operation: &'static str) -> Result<IpAddr> {
    let ip = ip.to_canonical();
    if ip.is_ipv4() != remote.is_ipv4() {
        return Err(Error::argument(
            operation,
            format!("{ip} and {} are of different families", remote.ip()),
        )
        .with_remedy("Give a local and a remote address of one family."));
    }
    let is_broadcast = ip == IpAddr::from(Ipv4Addr::BROADCAST);
    if ip.is_unspecified() || ip.is_multicast() || is_broadcast {
        return Err(Error::argument(operation, format!("{ip} is no address of an interface"))
            .with_remedy("Give an address of this host, or the interface alone."));
    }
    Ok(ip)
}

/// The kernel binds a socket to an address of many hosts, and then sends from another. Whether any
/// other address is ours it says itself: there are more than those of the interfaces.
fn checked_owned(
    owned: &[InterfaceAddress],
    ip: IpAddr,
    operation: &'static str,
) -> Result<IpAddr> {
    if owned.iter().any(|owned| owned.broadcast.is_some_and(|all| ip == IpAddr::from(all))) {
        return Err(Error::new(ErrorKind::AddressNotAvailable, operation)
            .detail(format!("{ip} is the address of all hosts on its network")));
    }
    Ok(ip)
}

fn address_on(
    owned: &[InterfaceAddress],
    index: u32,
    remote: SocketAddr,
    options: &Open,
    operation: &'static str,
) -> Result<IpAddr> {
    let on_it = || owned.iter().filter(|owned| owned.interface == index);
    let wants_global = !is_link_local(remote.ip());
    let found = on_it().find(|owned| owned.is_global == wants_global).or_else(|| on_it().next());
    found.map(|owned| owned.ip).ok_or_else(|| {
        let family = if remote.is_ipv4() { "IPv4" } else { "IPv6" };
        let name = options.interface.as_deref().unwrap_or_default();
        Error::new(ErrorKind::AddressNotAvailable, operation)
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
fn same_as_initial(
    sock: BorrowedFd<'_>,
    remote: SocketAddr,
    operation: &'static str,
) -> Result<IpAddr> {
    let ip = socket::local_address(sock).map_err(|error| Error::from_io(operation, &error))?.ip();
    // Once the initial subflow is closed, the kernel no longer tells its address.
    let ip = match ip.is_unspecified() {
        true => list_fd(sock, operation)?.first().map_or(ip, |first| first.local.ip()),
        false => ip,
    };
    checked_local(ip, remote, operation)
}

impl Plan {
    /// Chooses the port and the address id for one try.
    ///
    /// The reply to the kernel's command names no subflow, so that two that are opened at once
    /// between the same addresses could not be told apart: each gets a source port of its own.
    /// The kernel takes an address with a port for an address, and wants an id for each.
    ///
    /// Where the kernel cannot use a port, it forgets the id of that address and port, even where
    /// another subflow lives by it (`mptcp_pm_nl_subflow_create_doit` in `net/mptcp/
    /// pm_userspace.c`): it must not be asked for one that is in use.
    pub(crate) fn choose(
        &mut self,
        door: &dyn Door,
        sock: BorrowedFd<'_>,
        operation: &'static str,
    ) -> Result<()> {
        const TRIES: usize = 64;
        let known = match known_addresses(sock, self.token) {
            Ok(known) => known,
            Err(QueryError::Netlink(refusal)) if refusal.errno == libc::EINVAL => {
                // Also what the kernel says when the connection is over.
                let controlled = || Error::new(ErrorKind::NotControlled, operation);
                return Err(
                    why_not(sock, operation).unwrap_or_else(|| controlled().kernel(refusal.text))
                );
            }
            Err(error) => return Err(query_error(operation, error)),
        };
        let ip = self.local.ip;
        let id_of = |port| known.iter().find(|known| known.ip == ip && known.port == port);
        if !self.is_port_given {
            let mut ports = (0..TRIES).map(|_| port::ephemeral(sock));
            let free = ports.find(|port| id_of(*port).is_none());
            self.local.port = free.unwrap_or_else(|| port::ephemeral(sock));
        }
        if self.is_port_given {
            self.check_port(sock, operation)?;
        }
        if let Some(same) = id_of(self.local.port) {
            self.local.id = same.id;
            return Ok(());
        }
        self.local.id = unused_id(door, sock, self.token, &known, operation)?;
        Ok(())
    }

    /// Refuses a given port that another subflow of the connection uses and does not share.
    fn check_port(&self, sock: BorrowedFd<'_>, operation: &'static str) -> Result<()> {
        let shares = socket::get_i32(sock, libc::SOL_SOCKET, libc::SO_REUSEADDR).unwrap_or(0) != 0;
        let local = SocketAddr::new(self.local.ip, self.local.port);
        let is_taken = list_fd(sock, operation)?
            .iter()
            .any(|live| same(live.local, local) && (!shares || same(live.remote, self.remote)));
        if is_taken {
            return Err(Error::os(operation, libc::EADDRINUSE)
                .detail(format!("another subflow of this connection uses {local}")));
        }
        Ok(())
    }
}
