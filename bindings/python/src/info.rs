//! The counters of a connection as a whole.

use pyo3::prelude::*;

use crate::convert::Sock;
use crate::error::OrRaise;
use crate::records::Info;

#[doc = doc!(info)]
///
/// A counter that this kernel does not have is None.
///
/// >>> subflows.info(sock).subflows
/// 1
#[pyfunction]
pub(crate) fn info(py: Python<'_>, sock: Sock) -> PyResult<Info> {
    subflows::info(&sock).or_raise(py).map(Info)
}
