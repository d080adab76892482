//! Addresses as Python passes them.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};

use crate::error::shown;
use crate::number::number;

/// An address as `connect()` takes it, with an IP address as the host.
pub(crate) struct Address(pub(crate) SocketAddr);

impl FromPyObject<'_, '_> for Address {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, '_, PyAny>) -> PyResult<Address> {
        let parts: Parts = given.extract()?;
        let (ip, scope) = ip_of(parts.host.as_deref().unwrap_or_default())?;
        let scope = if parts.scope == 0 { scope } else { parts.scope };
        Ok(Address(match ip {
            IpAddr::V4(_) => SocketAddr::new(ip, parts.port),
            IpAddr::V6(v6) => SocketAddrV6::new(v6, parts.port, parts.flow, scope).into(),
        }))
    }
}

/// An IP address, and the scope of a link-local one.
fn ip_of(text: &str) -> PyResult<(IpAddr, u32)> {
    subflows::address_text::ip(text).ok_or_else(|| {
        PyValueError::new_err(format!(
            "{text:?} is not an IP address: pass an address such as \"192.0.2.1\", or resolve the \
             name with socket.getaddrinfo"
        ))
    })
}

/// The parts of an address tuple, of two or four. The host may be a name.
pub(crate) struct Parts {
    host: Option<String>,
    pub(crate) port: u16,
    pub(crate) flow: u32,
    pub(crate) scope: u32,
}

impl FromPyObject<'_, '_> for Parts {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, '_, PyAny>) -> PyResult<Parts> {
        let tuple = given.cast::<PyTuple>().map_err(|_| not_a_tuple(&given))?;
        if tuple.len() != 2 && tuple.len() != 4 {
            return Err(not_a_tuple(&given));
        }
        let part = |index, name| match tuple.get_item(index) {
            Ok(item) => item.extract().map_err(|_| {
                PyTypeError::new_err(format!("{name} must be a number, not {}", shown(&item)))
            }),
            Err(_) => Ok(0),
        };
        let host = host_of(&tuple.get_item(0)?)?;
        let port = number(part(1, "the port of an address")?, "the port of an address")?;
        let flow =
            number(part(2, "the flow label of an address")?, "the flow label of an address")?;
        let scope = number(part(3, "the scope of an address")?, "the scope of an address")?;
        Ok(Parts { host, port, flow, scope })
    }
}

impl Parts {
    /// The host, if it is neither missing nor empty.
    pub(crate) fn host(&self) -> Option<&str> {
        self.host.as_deref().filter(|host| !host.is_empty())
    }
}

/// A host: text, an address of the module `ipaddress`, or None.
fn host_of(given: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    if given.is_none() {
        return Ok(None);
    }
    if given.is_instance_of::<PyString>() || is_ipaddress(given)? {
        return given.str()?.extract().map(Some);
    }
    Err(PyTypeError::new_err(format!("the host of an address must be text, not {}", shown(given))))
}

fn is_ipaddress(given: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(given.get_type().module()?.extract::<String>()? == "ipaddress")
}

/// The error for an address that is not a tuple, with the tuple that was probably meant.
fn not_a_tuple(given: &Bound<'_, PyAny>) -> PyErr {
    let text = given.extract::<String>().unwrap_or_default();
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => {
            let is_name = !host.is_empty() && !host.contains(':');
            // A port after a colon; without brackets, an IPv6 address has none.
            let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            match bare.or_else(|| is_name.then_some(host)) {
                Some(host) => (host, port),
                None => (text.as_str(), "0"),
            }
        }
        _ if text.is_empty() => ("192.0.2.1", "443"),
        _ => (text.as_str(), "0"),
    };
    PyTypeError::new_err(format!(
        "an address is a tuple (host, port), not {}: pass ({host:?}, {port})",
        shown(given)
    ))
}

/// One address, or a list of addresses that are tried in turn.
pub(crate) struct Remotes(pub(crate) Vec<SocketAddr>);

impl FromPyObject<'_, '_> for Remotes {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, '_, PyAny>) -> PyResult<Remotes> {
        let list = match given.cast::<PyList>() {
            Ok(list) => list.extract::<Vec<Address>>()?,
            Err(_) => vec![given.extract::<Address>()?],
        };
        Ok(Remotes(list.into_iter().map(|address| address.0).collect()))
    }
}

/// An IP address: text, or an address of the module `ipaddress`.
pub(crate) struct Ip(pub(crate) IpAddr);

impl FromPyObject<'_, '_> for Ip {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, '_, PyAny>) -> PyResult<Ip> {
        if given.is_instance_of::<PyTuple>() {
            return Err(PyTypeError::new_err(format!(
                "an IP address is text, not {}: pass the host alone; ports have a keyword of their own",
                shown(&given)
            )));
        }
        ip_of(&given.str()?.to_string()).map(|(ip, _)| Ip(ip))
    }
}
