//! The addresses of a host and a service, as getaddrinfo(3) returns them.

use std::ffi::c_char;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use crate::convert::text;
use crate::failure::Failure;
use crate::port_name;

/// Every address of a host, each with the port of the service.
pub(crate) fn resolve(
    host: *const c_char,
    service: *const c_char,
) -> Result<Vec<SocketAddr>, Failure> {
    let host = text(host, "host")?.ok_or_else(|| Failure::argument("`host` is NULL"))?;
    let found = (host.as_str(), port(service)?).to_socket_addrs();
    let found =
        found.map_err(|error| Failure::argument(format!("{host} does not resolve: {error}")));
    Ok(found?.collect())
}

/// What a listener on every address of this host binds to: first of both families, then of IPv4
/// alone, for a host without IPv6.
pub(crate) fn any_address(service: *const c_char) -> Result<[SocketAddr; 2], Failure> {
    let port = port(service)?;
    Ok([(Ipv6Addr::UNSPECIFIED, port).into(), (Ipv4Addr::UNSPECIFIED, port).into()])
}

/// The port of a service, which is given by its number or its name.
fn port(service: *const c_char) -> Result<u16, Failure> {
    let service =
        text(service, "service")?.ok_or_else(|| Failure::argument("`service` is NULL"))?;
    service.parse().or_else(|_| port_name::port(&service))
}
