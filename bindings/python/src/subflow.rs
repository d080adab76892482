//! The subflows of a connection: list them, look into one, close one.

use pyo3::prelude::*;

use crate::convert::Sock;
use crate::error::OrRaise;
use crate::records::{Details, Subflow};

/// Lists the live subflows of a connection, in the order in which they were opened.
///
/// A subflow that is being opened is listed with the state SYN_SENT; closed ones are not listed, not
/// even the initial one. Without a connection the list is empty. Needs no privilege; Linux 5.16.
///
/// Raises NotMptcpError for plain TCP and after fallback.
///
/// >>> [path.id for path in subflows.list(sock)]
/// [1]
#[pyfunction]
pub(crate) fn list(py: Python<'_>, sock: Sock) -> PyResult<Vec<Subflow>> {
    Ok(subflows::list(&sock).or_raise(py)?.into_iter().map(Subflow).collect())
}

/// Reads what the kernel's socket table knows of one subflow, beside what `list` tells.
///
/// Needs no privilege; Linux 5.9. Raises NoSuchSubflowError, ClosedError, NotMptcpError,
/// OtherNamespaceError.
///
/// - `id`: a subflow's number in `list`.
///
/// >>> subflows.details(sock, 1).is_backup
/// False
#[pyfunction]
pub(crate) fn details(py: Python<'_>, sock: Sock, id: u32) -> PyResult<Details> {
    subflows::details(&sock, id).or_raise(py).map(Details)
}

/// Closes one subflow and leaves the connection open.
///
/// Data that was on its way there is sent again on the others. With `force` also the last one
/// that works. Needs CAP_NET_ADMIN.
///
/// Raises NoSuchSubflowError, InvalidStateError for the last one that works, ClosedError,
/// NotMptcpError, NotPermittedError, OtherNamespaceError, UnsupportedError.
///
/// - `id`: a subflow's number in `list`.
/// - `force`: close it even if it is the last one that works; the connection then has no path, until
///   another is opened.
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
