//! Interfaces: by name, by the scope of a link-local address, and in words.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::BorrowedFd;

use nix::errno::Errno;

use crate::error::{Error, ErrorKind, Result};
use crate::kernel_name::KernelName;
use crate::sys::interface_addresses::{AddressQuery, InterfaceAddress};
use crate::sys::{cache, interface};

/// Looks up the index of an interface by its name, in the thread's network namespace.
pub(crate) fn index_of(name: &str, operation: &'static str) -> Result<u32> {
    const REMEDY: &str = "List the interfaces: ip link.";
    if name.len() >= KernelName::ROOM {
        let (start, length) = (KernelName::from(name), name.len());
        let detail =
            format!("an interface name has at most 15 bytes, and {start:?}... has {length}");
        return Err(Error::argument(operation, detail).with_remedy(REMEDY));
    }
    named(name).map_err(|errno| {
        Error::new(ErrorKind::AddressNotAvailable, operation)
            .errno(errno as i32)
            .detail(format!("there is no interface {name:?} in this network namespace"))
            .with_remedy(REMEDY)
    })
}

/// The C library takes `eth0:1` for `eth0`: that was the name of an address once.
fn named(name: &str) -> nix::Result<u32> {
    if name.contains(':') { Err(Errno::ENODEV) } else { nix::net::if_::if_nametoindex(name) }
}

/// Returns the name of an interface in the socket's network namespace; its index if it has gone.
pub(crate) fn name_of(sock: BorrowedFd<'_>, index: u32) -> String {
    interface::name(sock, index).map_or_else(|_| index.to_string(), |name| name.to_string())
}

/// Reports whether an address is a link-local one of IPv6, which is an address only together with an
/// interface.
pub(crate) fn needs_scope(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// Returns the scope of a link-local address: the index of its interface. Other addresses have none,
/// and the kernel ignores one that is given.
pub(crate) fn scope_of(address: SocketAddr) -> Option<u32> {
    match address {
        SocketAddr::V6(v6) if needs_scope(address.ip()) => {
            Some(v6.scope_id()).filter(|scope| *scope != 0)
        }
        _ => None,
    }
}

/// Adds the scope to a link-local address. Other addresses stay as they are.
pub(crate) fn with_scope(address: SocketAddr, scope: u32) -> SocketAddr {
    match address {
        SocketAddr::V6(mut v6) if needs_scope(address.ip()) => {
            v6.set_scope_id(scope);
            v6.into()
        }
        _ => address,
    }
}

/// Returns the interface that the caller named, or the one that the scope of an address names. Fails
/// if they are two.
pub(crate) fn agreed(
    sock: BorrowedFd<'_>,
    named: Option<u32>,
    address: SocketAddr,
    operation: &'static str,
) -> Result<Option<u32>> {
    match (named, scope_of(address)) {
        (Some(named), Some(scope)) if named != scope => {
            let (named, scope) = (name_of(sock, named), name_of(sock, scope));
            let detail = format!(
                "{} is an address of the link of {scope}, and the interface is {named}",
                address.ip()
            );
            Err(Error::argument(operation, detail).with_remedy(format!(
                "Pass the interface {scope}, or an address on the link of {named}."
            )))
        }
        (named, scope) => Ok(named.or(scope)),
    }
}

/// Returns the error for a link-local address without an interface.
pub(crate) fn no_scope(
    sock: BorrowedFd<'_>,
    address: SocketAddr,
    operation: &'static str,
) -> Error {
    // If the addresses cannot be read, the error has no names.
    let owned = cache::with_socket_for(sock, |addresses: &mut AddressQuery| {
        addresses.list(address.ip(), 0)
    })
    .unwrap_or_default();
    let names = names(sock, owned.iter().filter(|owned| needs_scope(owned.ip)));
    let ip = address.ip();
    let detail = format!("{ip} is an address on every link, and no interface is given");
    let remedy = match &names[..] {
        [] => "Pass the interface: ip link lists them.".to_owned(),
        [first, ..] => {
            format!("Pass one of the interfaces {}, as in {ip}%{first}.", names.join(", "))
        }
    };
    Error::argument(operation, detail).with_remedy(remedy)
}

/// Returns the names of the interfaces that have these addresses.
pub(crate) fn names<'a>(
    sock: BorrowedFd<'_>,
    owned: impl Iterator<Item = &'a InterfaceAddress>,
) -> Vec<String> {
    let mut indices: Vec<u32> = owned.map(|owned| owned.interface).collect();
    indices.sort_unstable();
    indices.dedup();
    indices.into_iter().map(|index| name_of(sock, index)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_link_local_address_has_a_scope() {
        let scope = |address: &str| scope_of(address.parse().unwrap());
        assert_eq!(scope("[fe80::1%7]:1"), Some(7));
        assert_eq!(scope("[fe80::1]:1"), None);
        assert_eq!(scope("[2001:db8::1%7]:1"), None);
        assert_eq!(scope("169.254.0.1:1"), None);
    }
}
