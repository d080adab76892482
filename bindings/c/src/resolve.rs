//! The addresses of a host and a service, as getaddrinfo(3) returns them.

use std::ffi::c_char;
use std::net::{SocketAddr, ToSocketAddrs};

use crate::convert::text;
use crate::failure::Failure;
use crate::port_name;

/// Every address of a host, each with the port of the service.
pub(crate) fn resolve(
    host: *const c_char,
    service: *const c_char,
) -> Result<Vec<SocketAddr>, Failure> {
    let missing =
        || Failure::argument("`host` is NULL", "Pass a name or an IP address: \"192.0.2.1\".");
    let host = text(host, "host")?.ok_or_else(missing)?;
    let found = (host.as_str(), port(service)?).to_socket_addrs();
    let unknown = |error| {
        Failure::argument(
            format!("{host} does not resolve: {error}"),
            "Pass a host name that resolves, or an IP address, and the port apart.",
        )
    };
    Ok(found.map_err(unknown)?.collect())
}

/// Whether a listener's host means every local address: NULL or "".
pub(crate) fn any_host(host: *const c_char) -> Result<bool, Failure> {
    Ok(text(host, "host")?.is_none_or(|host| host.is_empty()))
}

/// The port of a service, which is given by its number or its name.
pub(crate) fn port(service: *const c_char) -> Result<u16, Failure> {
    let missing =
        || Failure::argument("`service` is NULL", "Pass a port as text, such as \"443\".");
    let service = text(service, "service")?.ok_or_else(missing)?;
    service.parse().or_else(|_| port_name::port(&service))
}
