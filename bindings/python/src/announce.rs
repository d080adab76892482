//! Telling the peer of a local address.

use std::os::fd::AsRawFd;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use subflows::Announce;

use crate::convert::{Ip, Sock, ToPy};
use crate::error::OrRaise;

#[doc = doc!(announce)]
///
/// - `address`: an address of this host: text, or of the module `ipaddress`.
#[doc = options!(announce)]
///
/// >>> with subflows.announce(sock, "127.0.0.3", port=0) as here:
/// ...     here.address[0]
/// '127.0.0.3'
#[pyfunction]
#[pyo3(signature = (sock, address, *, port = None, backlog = 128))]
pub(crate) fn announce(
    py: Python<'_>,
    sock: Sock,
    address: Ip,
    port: Option<u16>,
    backlog: u32,
) -> PyResult<Announced> {
    let mut options = Announce::new().backlog(backlog);
    options.port = port;
    let announced = subflows::announce(&sock, address.0, &options).or_raise(py)?;
    Ok(Announced(Some(announced)))
}

/// An address that the peer was told of. Forgotten, it is withdrawn.
#[pyclass(module = "subflows")]
pub(crate) struct Announced(Option<subflows::Announced>);

#[pymethods]
impl Announced {
    /// The address id that the peer knows it by.
    #[getter]
    fn id(&self) -> PyResult<u8> {
        Ok(self.get()?.id())
    }

    /// The address; its port is 0 where none was announced.
    #[getter]
    fn address<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.get()?.address().to_py(py)
    }

    /// The listener, which becomes readable when a stranger has connected. A peer that joins us does
    /// not show here.
    fn fileno(&self) -> PyResult<i32> {
        let fd = self.get()?.fd().ok_or_else(|| PyValueError::new_err("it has no listener"))?;
        Ok(fd.as_raw_fd())
    }

    /// Resets every stranger who waits at the listener; gives how many. Never waits.
    fn turn_away(&self, py: Python<'_>) -> PyResult<usize> {
        self.get()?.turn_away().or_raise(py)
    }

    /// Withdraws the address and closes its subflows; a second time does nothing.
    ///
    /// Raises ClosedError where the connection is over: there was nothing left to withdraw.
    fn withdraw(&mut self, py: Python<'_>) -> PyResult<()> {
        self.0.take().map_or(Ok(()), |announced| announced.withdraw().or_raise(py))
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&mut self, _exception: &Bound<'_, PyAny>) {
        // Where the connection is over, there is nothing to withdraw, and nothing to tell.
        drop(self.0.take());
    }
}

impl Announced {
    fn get(&self) -> PyResult<&subflows::Announced> {
        self.0.as_ref().ok_or_else(|| PyValueError::new_err("it was withdrawn"))
    }
}
