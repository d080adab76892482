//! Socket addresses in the kernel's form, `struct sockaddr_in` and `sockaddr_in6`.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use super::uapi::sockaddr_storage;

/// An address in the kernel's form.
pub(super) struct RawAddress {
    pub(super) storage: sockaddr_storage,
    pub(super) length: libc::socklen_t,
}

impl From<SocketAddr> for RawAddress {
    fn from(address: SocketAddr) -> Self {
        let mut storage = sockaddr_storage([0; 128]);
        let bytes = &mut storage.0;
        bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
        let (family, length) = match address {
            SocketAddr::V4(v4) => {
                bytes[4..8].copy_from_slice(&v4.ip().octets());
                (libc::AF_INET, 16)
            }
            SocketAddr::V6(v6) => {
                bytes[4..8].copy_from_slice(&v6.flowinfo().to_be_bytes());
                bytes[8..24].copy_from_slice(&v6.ip().octets());
                bytes[24..28].copy_from_slice(&v6.scope_id().to_ne_bytes());
                (libc::AF_INET6, 28)
            }
        };
        bytes[0..2].copy_from_slice(&(family as libc::sa_family_t).to_ne_bytes());
        RawAddress { storage, length }
    }
}

/// Reads an address that the kernel wrote. Returns `None` for another family and for too few bytes.
/// A v4-mapped IPv6 address is returned as the IPv4 address that it maps.
pub(super) fn parse(bytes: &[u8]) -> Option<SocketAddr> {
    let family = u16::from_ne_bytes(bytes.get(0..2)?.try_into().ok()?);
    let port = u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?);
    match i32::from(family) {
        libc::AF_INET => {
            let ip: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
            Some(SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::from(ip), port)))
        }
        libc::AF_INET6 => {
            let ip: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
            let scope = u32::from_ne_bytes(bytes.get(24..28)?.try_into().ok()?);
            Some(unmapped(SocketAddrV6::new(Ipv6Addr::from(ip), port, 0, scope)))
        }
        _ => None,
    }
}

/// Returns an IPv6 address as it is, or the IPv4 address that it maps.
pub(crate) fn unmapped(v6: SocketAddrV6) -> SocketAddr {
    match v6.ip().to_ipv4_mapped() {
        Some(v4) => SocketAddr::V4(SocketAddrV4::new(v4, v6.port())),
        None => SocketAddr::V6(v6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn an_address_is_read_back_as_written(ip: std::net::IpAddr, port: u16) {
            let given = SocketAddr::new(ip, port);
            let expected = match given {
                SocketAddr::V6(v6) => unmapped(v6),
                v4 => v4,
            };
            proptest::prop_assert_eq!(parse(&RawAddress::from(given).storage.0), Some(expected));
        }

        #[test]
        fn random_bytes_are_an_address_or_nothing(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
