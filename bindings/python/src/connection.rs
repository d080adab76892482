//! The Multipath TCP connections of the network namespace.

use pyo3::prelude::*;
use subflows::Connections;

use crate::error::OrRaise;
use crate::records::Connection;

/// Lists every Multipath TCP connection of the calling thread's network namespace, on request with its
/// subflows.
///
/// Needs no privilege; Linux 5.9. Raises UnsupportedError where the kernel has no mptcp_diag.
///
/// - `subflows`: look for the subflows of each as well, which takes several times as long.
///
/// >>> token = subflows.info(sock).token
/// >>> token in [connection.token for connection in subflows.connections()]
/// True
#[pyfunction]
#[pyo3(signature = (*, subflows = false))]
pub(crate) fn connections(py: Python<'_>, subflows: bool) -> PyResult<Vec<Connection>> {
    let options = Connections::new().subflows(subflows);
    let found = py.detach(|| ::subflows::connections(&options)).or_raise(py)?;
    Ok(found.into_iter().map(Connection).collect())
}

/// Looks up one connection of the calling thread's network namespace by its local token, in constant
/// time, without its subflows.
///
/// Needs no privilege; Linux 5.9. Raises ClosedError where no connection has that token,
/// UnsupportedError where the kernel has no mptcp_diag.
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
