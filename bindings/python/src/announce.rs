//! Handles of announced addresses.

use std::os::fd::AsRawFd;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::convert::ToPy;
use crate::error::OrRaise;

/// An address that was announced to the peer. When the object is collected, the address is withdrawn.
#[pyclass(module = "subflows")]
pub(crate) struct Announced(Option<subflows::Announced>);

impl From<subflows::Announced> for Announced {
    fn from(announced: subflows::Announced) -> Announced {
        Announced(Some(announced))
    }
}

#[pymethods]
impl Announced {
    /// The address id by which the peer knows it.
    #[getter]
    fn id(&self) -> PyResult<u8> {
        Ok(self.get()?.id())
    }

    /// The address. Its port is 0 if none was announced.
    #[getter]
    fn address<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.get()?.address().to_py(py)
    }

    /// The listener's descriptor. It becomes readable when a foreign client has connected; the
    /// subflows of the peer do not make it readable.
    fn fileno(&self) -> PyResult<i32> {
        let listener = self.get()?.fd();
        let listener = listener.ok_or_else(|| {
            PyValueError::new_err("this address has no listener: announce it with a port")
        })?;
        Ok(listener.as_raw_fd())
    }

    /// Resets every foreign client that waits at the listener, and returns how many. Never waits.
    fn turn_away(&self, py: Python<'_>) -> PyResult<usize> {
        self.get()?.turn_away().or_raise(py)
    }

    /// Withdraws the address and closes its subflows. A second call does nothing.
    ///
    /// Raises ClosedError if the connection has ended: nothing was left to withdraw.
    fn withdraw(&mut self, py: Python<'_>) -> PyResult<()> {
        self.0.take().map_or(Ok(()), |announced| announced.withdraw().or_raise(py))
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&mut self, _exception: &Bound<'_, PyAny>) {
        // Without the error of a connection that has ended: nothing is left to withdraw.
        drop(self.0.take());
    }
}

impl Announced {
    fn get(&self) -> PyResult<&subflows::Announced> {
        self.0.as_ref().ok_or_else(|| PyValueError::new_err("this address was withdrawn"))
    }
}
