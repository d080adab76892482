//! Which interface leads from a local address to a remote one.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::BorrowedFd;

use crate::error::Result;
use crate::shared::socket_state::query_error;
use crate::sys::cache;
use crate::sys::interface_addresses::{AddressQuery, InterfaceAddress};

/// Every network namespace has its loopback interface at this index (`LOOPBACK_IFINDEX`).
const LOOPBACK: u32 = 1;

/// The interface by which `ip` reaches `remote`, or 0 where the routing table decides.
pub(crate) fn interface_of(
    sock: BorrowedFd<'_>,
    ip: IpAddr,
    remote: SocketAddr,
    operation: &'static str,
) -> Result<u32> {
    let owned = cache::with_socket_for(sock, |addresses: &mut AddressQuery| addresses.list(ip, 0))
        .map_err(|error| query_error(operation, error))?;
    Ok(owner(&owned, ip, remote))
}

/// The interface to send by: the one that owns the address. Without it a packet leaves by the
/// default route with another interface's address, and the first strict router drops it.
pub(crate) fn owner(owned: &[InterfaceAddress], ip: IpAddr, remote: SocketAddr) -> u32 {
    // Between two addresses of this host the loopback interface is the only way.
    if owned.iter().any(|owned| owned.ip == remote.ip()) {
        return 0;
    }
    let owner = owned.iter().find(|owned| owned.ip == ip).map_or(0, |owned| owned.interface);
    // An address that sits on loopback leaves by whatever interface leads out.
    if owner == LOOPBACK { 0 } else { owner }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_is_named_unless_loopback_is_the_way() {
        let ip = IpAddr::from([192, 0, 2, 1]);
        let owned = [InterfaceAddress { ip, interface: 7, is_global: true, broadcast: None }];
        assert_eq!(owner(&owned, ip, "198.51.100.1:1".parse().unwrap()), 7);
        assert_eq!(owner(&owned, ip, "192.0.2.1:1".parse().unwrap()), 0);
        let owned = [InterfaceAddress { interface: LOOPBACK, ..owned[0] }];
        assert_eq!(owner(&owned, ip, "198.51.100.1:1".parse().unwrap()), 0);
    }
}
