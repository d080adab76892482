//! The addresses of this end.

use pyo3::prelude::*;

use crate::convert::Sock;
use crate::error::OrRaise;
use crate::records::Address;

#[doc = doc!(addresses)]
///
/// >>> [address.ip for address in subflows.addresses(sock)]
/// ['127.0.0.1']
#[pyfunction]
pub(crate) fn addresses(py: Python<'_>, sock: Sock) -> PyResult<Vec<Address>> {
    Ok(subflows::addresses(&sock).or_raise(py)?.into_iter().map(Address).collect())
}
