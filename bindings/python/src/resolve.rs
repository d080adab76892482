//! Names resolved by Python.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use pyo3::prelude::*;
use pyo3::types::IntoPyDict;

use crate::address::{Address, Parts};

/// Every address of a name, by `socket.getaddrinfo` or by the function with which the program has
/// replaced it. Its errors are raised unchanged.
pub(crate) fn resolve(py: Python<'_>, parts: &Parts) -> PyResult<Vec<SocketAddr>> {
    let port = parts.port;
    let mut found = match parts.host() {
        // As in Python's own sockets.
        None => vec![SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port)],
        Some(host) => match host.parse::<IpAddr>() {
            Ok(ip) => vec![SocketAddr::new(ip, port)],
            Err(_) => by_name(py, host, port)?,
        },
    };
    for address in &mut found {
        if let SocketAddr::V6(v6) = address {
            v6.set_flowinfo(parts.flow);
            v6.set_scope_id(if parts.scope == 0 { v6.scope_id() } else { parts.scope });
        }
    }
    Ok(found)
}

fn by_name(py: Python<'_>, host: &str, port: u16) -> PyResult<Vec<SocketAddr>> {
    let options = [("type", libc::SOCK_STREAM)].into_py_dict(py)?;
    let socket = py.import("socket")?;
    let found = socket.call_method("getaddrinfo", (host, port), Some(&options))?;
    let address = |entry: PyResult<Bound<'_, PyAny>>| {
        // Family, type, protocol, canonical name, address.
        Ok(entry?.get_item(4)?.extract::<Address>()?.0)
    };
    found.try_iter()?.map(address).collect()
}
