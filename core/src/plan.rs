//! What an `open` needs to know before it can ask the kernel: from where, to where, by which
//! interface, under which address id and from which port.

use std::cell::Cell;
use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::BorrowedFd;

use crate::door::door;
use crate::error::{Error, ErrorKind, Result};
use crate::open::Open;
use crate::state::unasked;
use crate::subflow::list_fd;
use crate::sys::cache::{self, Unasked};
use crate::sys::path_manager::{LocalAddress, PmNetlink};
use crate::sys::route::{Addresses, Owned};
use crate::sys::socket;

/// Every network namespace has its loopback interface at this index (`LOOPBACK_IFINDEX`).
const LOOPBACK: u32 = 1;

/// Everything but the port and the address id, which are chosen anew with each try.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) token: u32,
    pub(crate) local: LocalAddress,
    pub(crate) remote: SocketAddr,
    /// The caller chose the port: where it is taken, that is an error.
    pub(crate) is_port_given: bool,
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
    let owned = cache::about(sock, |addresses: &mut Addresses| addresses.list(remote.ip(), 0))
        .map_err(|error| unasked(operation, error))?;
    let ip = match (options.local, interface) {
        (Some(ip), _) => checked_local(ip, remote, operation)?,
        (None, Some(index)) => address_on(&owned, index, remote, options, operation)?,
        (None, None) => same_as_initial(sock, remote, operation)?,
    };
    let mut local = LocalAddress::new(ip, 0);
    local.port = options.local_port;
    local.is_backup = options.backup;
    local.interface = match interface {
        Some(index) => index,
        None if options.bind_to_interface => owner(&owned, ip, remote),
        None => 0,
    };
    Ok(Plan { token, local, remote, is_port_given: options.local_port != 0 })
}

fn remote(sock: BorrowedFd<'_>, options: &Open, operation: &'static str) -> Result<SocketAddr> {
    let peer = socket::peer_address(sock).map_err(|error| {
        Error::os(operation, error.raw_os_error().unwrap_or(0)).with_kind(ErrorKind::NotConnected)
    });
    let Some(mut remote) = options.remote else { return peer };
    if let SocketAddr::V6(v6) = remote {
        remote = socket::unmapped(v6);
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
    if ip.is_unspecified() {
        return Err(Error::argument(operation, format!("{ip} is no address of an interface"))
            .with_remedy("Give an address of this host, or the interface alone."));
    }
    Ok(ip)
}

fn address_on(
    owned: &[Owned],
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
    let ip = socket::local_address(sock)
        .map_err(|error| Error::os(operation, error.raw_os_error().unwrap_or(0)))?
        .ip();
    // Once the initial subflow is closed, the kernel no longer tells its address.
    let ip = match ip.is_unspecified() {
        true => list_fd(sock, operation)?.first().map_or(ip, |first| first.local.ip()),
        false => ip,
    };
    checked_local(ip, remote, operation)
}

/// The interface to send by: the one that owns the address. Without it a packet leaves by the
/// default route with another interface's address, and the first strict router drops it.
fn owner(owned: &[Owned], ip: IpAddr, remote: SocketAddr) -> u32 {
    // Between two addresses of this host the loopback interface is the only way.
    if owned.iter().any(|owned| owned.ip == remote.ip()) {
        return 0;
    }
    let owner = owned.iter().find(|owned| owned.ip == ip).map_or(0, |owned| owned.interface);
    // An address that sits on loopback leaves by whatever interface leads out.
    if owner == LOOPBACK { 0 } else { owner }
}

impl Plan {
    /// Chooses the port and the address id for one try.
    ///
    /// The reply to the kernel's command names no subflow, so that two that are opened at once
    /// between the same addresses could not be told apart: each gets a source port of its own.
    /// The kernel takes an address with a port for an address, and wants an id for each.
    pub(crate) fn choose(&mut self, sock: BorrowedFd<'_>, operation: &'static str) -> Result<()> {
        if !self.is_port_given {
            self.local.port = ephemeral_port(sock);
        }
        let known = match known_addresses(sock, self.token) {
            Ok(known) => known,
            Err(Unasked::Refused(refusal)) if refusal.errno == libc::EINVAL => {
                return Err(Error::new(ErrorKind::NotControlled, operation).kernel(refusal.text));
            }
            Err(error) => return Err(unasked(operation, error)),
        };
        let (ip, port) = (self.local.ip, self.local.port);
        if let Some(same) = known.iter().find(|known| known.ip == ip && known.port == port) {
            self.local.id = same.id;
            return Ok(());
        }
        let used: HashSet<u8> = known.iter().map(|known| known.id).collect();
        self.local.id = match free_id(&used) {
            Some(id) => id,
            None => reclaim_id(sock, self.token, &known, operation)?,
        };
        Ok(())
    }
}

fn known_addresses(
    sock: BorrowedFd<'_>,
    token: u32,
) -> std::result::Result<Vec<LocalAddress>, Unasked> {
    // Before Linux 6.10 nobody tells. A clash of ids is then refused by the kernel, and another
    // try takes another id.
    if !crate::status::addresses_by_token(sock) {
        return Ok(Vec::new());
    }
    cache::about(sock, |netlink: &mut PmNetlink| netlink.addresses(token))
}

/// Any id but 0, which is the initial subflow's, and those in use.
pub(crate) fn free_id(used: &HashSet<u8>) -> Option<u8> {
    let start = random() as u8;
    (0..=u8::MAX).map(|step| start.wrapping_add(step)).find(|id| *id != 0 && !used.contains(id))
}

/// The kernel forgets an id when its subflow is closed by command, and keeps it when the peer
/// closed it or when opening failed later. Once all are used up, one of those is given back.
fn reclaim_id(
    sock: BorrowedFd<'_>,
    token: u32,
    known: &[LocalAddress],
    operation: &'static str,
) -> Result<u8> {
    let live = list_fd(sock, operation)?;
    let is_stale = |known: &&LocalAddress| {
        !known.is_announced
            && !live.iter().any(|subflow| subflow.local == SocketAddr::new(known.ip, known.port))
    };
    let Some(stale) = known.iter().find(is_stale) else {
        return Err(Error::new(ErrorKind::InvalidState, operation)
            .detail("all 255 address ids of this connection are in use")
            .with_remedy("Close a subflow first."));
    };
    door().remove(token, stale.id).map_err(|error| error.during(operation))?;
    Ok(stale.id)
}

/// A port from the namespace's ephemeral range. Whether it is free, the kernel says.
fn ephemeral_port(sock: BorrowedFd<'_>) -> u16 {
    let (low, high) = ephemeral_range(sock);
    let span = u64::from(high.saturating_sub(low)) + 1;
    low + (random() % span) as u16
}

fn ephemeral_range(sock: BorrowedFd<'_>) -> (u16, u16) {
    thread_local! {
        static RANGE: Cell<Option<(u64, (u16, u16))>> = const { Cell::new(None) };
    }
    const DEFAULT: (u16, u16) = (32_768, 60_999);
    let namespace = socket::namespace_cookie(sock).unwrap_or(0);
    if let Some((_, range)) = RANGE.get().filter(|(of, _)| *of == namespace) {
        return range;
    }
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let range = text.ok().and_then(|text| parse_range(&text)).unwrap_or(DEFAULT);
    RANGE.set(Some((namespace, range)));
    range
}

fn parse_range(text: &str) -> Option<(u16, u16)> {
    let mut numbers = text.split_whitespace().map(str::parse::<u16>);
    let (low, high) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    (1 <= low && low <= high).then_some((low, high))
}

/// Enough chance to keep two that choose at once apart; nothing secret hangs on it.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_free_until_all_are_used() {
        let mut used = HashSet::new();
        for _ in 0..255 {
            let id = free_id(&used).expect("one is free");
            assert!(id != 0 && used.insert(id));
        }
        assert_eq!(free_id(&used), None);
    }

    #[test]
    fn a_range_of_ports_is_read_or_refused() {
        assert_eq!(parse_range("32768\t60999\n"), Some((32_768, 60_999)));
        assert_eq!(parse_range("0 1"), None);
        assert_eq!(parse_range("5 4"), None);
        assert_eq!(parse_range("5"), None);
    }

    #[test]
    fn the_owner_is_named_unless_loopback_is_the_way() {
        let ip = IpAddr::from([192, 0, 2, 1]);
        let owned = [Owned { ip, interface: 7, is_global: true }];
        assert_eq!(owner(&owned, ip, "198.51.100.1:1".parse().unwrap()), 7);
        assert_eq!(owner(&owned, ip, "192.0.2.1:1".parse().unwrap()), 0);
        let owned = [Owned { interface: LOOPBACK, ..owned[0] }];
        assert_eq!(owner(&owned, ip, "198.51.100.1:1".parse().unwrap()), 0);
    }
}
