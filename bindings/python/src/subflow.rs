//! The subflows of a connection: list them, look into one, close one.

use pyo3::prelude::*;

use crate::convert::Sock;
use crate::error::OrRaise;
use crate::records::{Details, Subflow};

#[doc = doc!(list)]
///
/// >>> [path.id for path in subflows.list(sock)]
/// [1]
#[pyfunction]
pub(crate) fn list(py: Python<'_>, sock: Sock) -> PyResult<Vec<Subflow>> {
    Ok(subflows::list(&sock).or_raise(py)?.into_iter().map(Subflow).collect())
}

#[doc = doc!(details)]
///
/// - `id`: a subflow's number in `list`.
///
/// >>> subflows.details(sock, 1).is_backup
/// False
#[pyfunction]
pub(crate) fn details(py: Python<'_>, sock: Sock, id: u32) -> PyResult<Details> {
    subflows::details(&sock, id).or_raise(py).map(Details)
}

#[doc = doc!(close)]
///
/// - `id`: a subflow's number in `list`.
#[doc = options!(close)]
///
/// >>> extra = subflows.open(sock, local="127.0.0.2")
/// >>> subflows.close(sock, extra.id)
#[pyfunction]
#[pyo3(signature = (sock, id, *, force = false))]
pub(crate) fn close(py: Python<'_>, sock: Sock, id: u32, force: bool) -> PyResult<()> {
    let close = || match force {
        true => subflows::force_close(&sock, id),
        false => subflows::close(&sock, id),
    };
    py.detach(close).or_raise(py)
}
