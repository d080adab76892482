//! Taking control of a connection's paths.

use pyo3::prelude::*;

use crate::convert::Sock;
use crate::error::OrRaise;

#[doc = doc!(take_control)]
///
/// >>> with subflows.socket() as new:
/// ...     subflows.take_control(new)
/// ...     subflows.status(new).path_manager
/// <PathManager.USERSPACE: 2>
#[pyfunction]
pub(crate) fn take_control(py: Python<'_>, sock: Sock) -> PyResult<()> {
    py.detach(|| subflows::take_control(&sock)).or_raise(py)
}
