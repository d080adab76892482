//! What a socket is at this moment.

use pyo3::prelude::*;

use crate::convert::Sock;
use crate::error::OrRaise;
use crate::records::Status;

/// Tells what a socket is: unconnected, listening, connecting, Multipath TCP, fallen back, plain TCP,
/// or closed.
///
/// Fallback can come late, so ask again rather than remember. Needs no privilege; Linux 5.16.
///
/// >>> subflows.status(sock).state
/// <State.MPTCP: 3>
#[pyfunction]
pub(crate) fn status(py: Python<'_>, sock: Sock) -> PyResult<Status> {
    subflows::status(&sock).or_raise(py).map(Status)
}
