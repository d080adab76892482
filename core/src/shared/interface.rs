//! Interfaces: by name, and which one leads from a local address to a remote one.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::BorrowedFd;

use crate::error::{Error, ErrorKind, Result};
use crate::kernel_name::KernelName;
use crate::shared::socket_state::query_error;
use crate::sys::cache;
use crate::sys::interface_addresses::{AddressQuery, InterfaceAddress};

/// Every network namespace has its loopback interface at this index (`LOOPBACK_IFINDEX`).
const LOOPBACK: u32 = 1;

/// Looks up the index of an interface by its name, in the thread's network namespace.
pub(crate) fn index_of(name: &str, operation: &'static str) -> Result<u32> {
    const REMEDY: &str = "List the interfaces: ip link.";
    if name.len() >= KernelName::ROOM {
        let (start, length) = (KernelName::from(name), name.len());
        let detail =
            format!("an interface name has at most 15 bytes, and {start:?}... has {length}");
        return Err(Error::argument(operation, detail).with_remedy(REMEDY));
    }
    nix::net::if_::if_nametoindex(name).map_err(|errno| {
        Error::new(ErrorKind::AddressNotAvailable, operation)
            .errno(errno as i32)
            .detail(format!("there is no interface {name:?} in this network namespace"))
            .with_remedy(REMEDY)
    })
}

/// Returns the index of the interface by which `ip` reaches `remote`, or 0 to leave the choice to the
/// routing table.
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

/// Returns the index of the interface that owns the address `ip`. A packet that leaves by the default
/// route with the address of another interface is dropped by the first strict router.
pub(crate) fn owner(owned: &[InterfaceAddress], ip: IpAddr, remote: SocketAddr) -> u32 {
    // Between two addresses of this host, packets take the loopback interface.
    if owned.iter().any(|owned| owned.ip == remote.ip()) {
        return 0;
    }
    let owner = owned.iter().find(|owned| owned.ip == ip).map_or(0, |owned| owned.interface);
    // An address of the loopback interface is also used on the interfaces that lead out.
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
