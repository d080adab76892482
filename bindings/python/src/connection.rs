//! The Multipath TCP connections of the network namespace.

use pyo3::prelude::*;
use subflows::ConnectionsOptions;

use crate::error::OrRaise;
use crate::records::Connection;

#[doc = doc!(connections)]
///
#[doc = options!(connections)]
///
/// >>> token = subflows.info(sock).token
/// >>> token in [connection.token for connection in subflows.connections()]
/// True
#[pyfunction]
#[pyo3(signature = (*, subflows = false))]
pub(crate) fn connections(py: Python<'_>, subflows: bool) -> PyResult<Vec<Connection>> {
    let options = ConnectionsOptions::new().subflows(subflows);
    let found = py.detach(|| ::subflows::connections(&options)).or_raise(py)?;
    Ok(found.into_iter().map(Connection).collect())
}

#[doc = doc!(connection)]
///
/// - `token`: the local one, as `info` tells and `ss -Mi` prints it.
///
/// >>> connection = subflows.connection(subflows.info(sock).token)
/// >>> connection.local == sock.getsockname()
/// True
#[pyfunction]
pub(crate) fn connection(py: Python<'_>, token: u32) -> PyResult<Connection> {
    subflows::connection(token).or_raise(py).map(Connection)
}
