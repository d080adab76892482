//! Handles of announced addresses.

use std::os::fd::AsRawFd;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::convert::ToPy;
use crate::error::OrRaise;
use crate::handle::Handle;

/// An address that was announced to the peer. When the object is collected, the address is withdrawn.
#[pyclass(frozen, module = "subflows")]
pub(crate) struct Announced(Handle<subflows::Announced>);

impl From<subflows::Announced> for Announced {
    fn from(announced: subflows::Announced) -> Announced {
        Announced(Handle::new(announced, "this address was withdrawn: announce it again"))
    }
}

#[pymethods]
impl Announced {
    /// The address id by which the peer knows it.
    #[getter]
    fn id(&self, py: Python<'_>) -> PyResult<u8> {
        self.0.with(py, |announced| announced.id())
    }

    /// The address. Its port is 0 if none was announced.
    #[getter]
    fn address<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.0.with(py, |announced| announced.address())?.to_py(py)
    }

    /// The listener's descriptor. It becomes readable when a foreign client has connected; the
    /// subflows of the peer do not make it readable.
    fn fileno(&self, py: Python<'_>) -> PyResult<i32> {
        let listener = self.0.with(py, |announced| announced.fd().map(|fd| fd.as_raw_fd()))?;
        listener.ok_or_else(|| {
            PyValueError::new_err("this address has no listener: announce it with a port")
        })
    }

    /// Resets every foreign client that waits at the listener, and returns how many. Never waits.
    fn turn_away(&self, py: Python<'_>) -> PyResult<usize> {
        self.0.with(py, |announced| announced.turn_away())?.or_raise(py)
    }

    /// Withdraws the address and closes its subflows. A second call does nothing.
    ///
    /// Raises ClosedError if the connection has ended: nothing was left to withdraw.
    fn withdraw(&self, py: Python<'_>) -> PyResult<()> {
        let announced = self.0.take(py);
        announced.map_or(Ok(()), |announced| py.detach(|| announced.withdraw()).or_raise(py))
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyAny>) {
        // Without the error of a connection that has ended: nothing is left to withdraw.
        self.0.close(py);
    }
}
