//! Listening sockets.

use pyo3::prelude::*;
use subflows::Listen;

use crate::address::Parts;
use crate::error::OrRaise;
use crate::resolve::resolve;
use crate::socket::python_socket;

pub(crate) fn listen<'py>(
    py: Python<'py>,
    address: &Parts,
    options: &Listen,
    blocking: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let listener = match address.host() {
        None => subflows::listen_any(address.port, options),
        Some(_) => subflows::listen(&*resolve(py, address)?, options),
    };
    let listener = listener.or_raise(py)?;
    let is_v4 = listener.local_addr()?.is_ipv4();
    let made = python_socket(py, listener.into(), is_v4)?;
    if !blocking {
        made.call_method1("setblocking", (false,))?;
    }
    Ok(made)
}
