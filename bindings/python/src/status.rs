//! What a socket is at this moment.

use pyo3::prelude::*;

use crate::convert::Sock;
use crate::error::OrRaise;
use crate::records::Status;

#[doc = doc!(status)]
///
/// >>> subflows.status(sock).state
/// <State.MPTCP: 3>
#[pyfunction]
pub(crate) fn status(py: Python<'_>, sock: Sock) -> PyResult<Status> {
    subflows::status(&sock).or_raise(py).map(Status)
}
