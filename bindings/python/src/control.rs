//! Taking control of a connection's paths.

use pyo3::prelude::*;

use crate::convert::Sock;
use crate::error::OrRaise;

/// Hands the path management of one connection to the application, before it is connected.
///
/// `open`, `set_backup` and `announce` need it. The namespace's default stays as it was, whatever
/// happens to this process. A controlled connection ignores the endpoints configured with `ip mptcp`:
/// it has the paths that the application opens, and no others. Needs CAP_NET_ADMIN; Linux 5.19.
///
/// Raises InvalidStateError, NotMptcpError, NotPermittedError, BusyError, OtherNamespaceError,
/// UnsupportedError.
///
/// >>> with subflows.socket() as new:
/// ...     subflows.take_control(new)
/// ...     subflows.status(new).path_manager
/// <PathManager.USERSPACE: 2>
#[pyfunction]
pub(crate) fn take_control(py: Python<'_>, sock: Sock) -> PyResult<()> {
    py.detach(|| subflows::take_control(&sock)).or_raise(py)
}
