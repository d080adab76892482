//! Which paths are for when nothing else works.

use pyo3::prelude::*;

use crate::convert::Sock;
use crate::error::OrRaise;

/// Asks the peer to use a subflow only when no other works, or to use it like the others again.
///
/// Our own sending heeds it as well. Needs CAP_NET_ADMIN and a connection that the application
/// controls; Linux 5.19.
///
/// Raises NoSuchSubflowError, NotControlledError, ClosedError, NotMptcpError, NotPermittedError,
/// OtherNamespaceError.
///
/// - `id`: a subflow's number in `list`.
/// - `backup`: whether it is one from now on.
///
/// >>> subflows.set_backup(sock, 1, True)
/// >>> subflows.details(sock, 1).is_backup
/// True
#[pyfunction]
pub(crate) fn set_backup(py: Python<'_>, sock: Sock, id: u32, backup: bool) -> PyResult<()> {
    subflows::set_backup(&sock, id, backup).or_raise(py)
}
