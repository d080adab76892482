//! What this kernel and this process can do.

use pyo3::prelude::*;

use crate::error::OrRaise;
use crate::records::Capability;

#[doc = doc!(capabilities)]
///
/// >>> subflows.capabilities()[0].name
/// 'mptcp'
#[pyfunction]
pub(crate) fn capabilities(py: Python<'_>) -> PyResult<Vec<Capability>> {
    Ok(subflows::capabilities().or_raise(py)?.into_iter().map(Capability).collect())
}
