//! Which paths are for when nothing else works.

use pyo3::prelude::*;

use crate::convert::Sock;
use crate::error::OrRaise;

#[doc = doc!(set_backup)]
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
