//! Connecting: in one call, or stepped by the caller's loop.

use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use subflows::Connect;

use crate::address::Parts;
use crate::error::OrRaise;
use crate::handle::{Handle, seconds_until};
use crate::resolve::resolve;
use crate::socket::python_socket;
use crate::wait::{FINISHED, wait};

pub(crate) fn connect<'py>(
    py: Python<'py>,
    address: &Parts,
    options: &Connect,
) -> PyResult<Bound<'py, PyAny>> {
    let remotes = resolve(py, address)?;
    let begun = py.detach(|| subflows::Connecting::begin(&remotes, options));
    let mut connecting = begun.or_raise(py)?;
    wait(py, &mut connecting, |c| Ok(c.advance()?.then_some(())), |c| c.wait(), || Ok(()))?;
    connected(py, connecting)
}

fn connected(py: Python<'_>, connecting: subflows::Connecting) -> PyResult<Bound<'_, PyAny>> {
    let stream = connecting.finish().or_raise(py)?;
    let is_v4 = stream.local_addr()?.is_ipv4();
    python_socket(py, stream.into(), is_v4)
}

/// A pending connection: a wait that the caller steps.
///
/// `address` is one address, or a list of addresses that are tried in turn. Poll `fileno()` for
/// writability for at most `time_left`, call `advance()` until it returns True, then `finish()`. Ask
/// for `fileno()` again after each `advance()`: the next address has another descriptor.
#[pyclass(frozen, module = "subflows")]
pub(crate) struct Connecting(Handle<subflows::Connecting>);

#[pymethods]
impl Connecting {
    /// The descriptor to poll for writability.
    fn fileno(&self, py: Python<'_>) -> PyResult<i32> {
        self.0.with(py, |connecting| connecting.fd().as_raw_fd())
    }

    /// How long to wait at most, in seconds; None without a timeout.
    #[getter]
    fn time_left(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        self.0.with(py, |connecting| connecting.deadline().map(seconds_until))
    }

    /// Checks whether the connection is made, without waiting.
    fn advance(&self, py: Python<'_>) -> PyResult<bool> {
        self.0.with(py, |connecting| py.detach(|| connecting.advance()))?.or_raise(py)
    }

    /// The connected `socket.socket`, in blocking mode.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let connecting = self.0.take(py).ok_or_else(|| PyValueError::new_err(FINISHED))?;
        connected(py, connecting)
    }

    /// Gives up the attempt.
    fn cancel(&self, py: Python<'_>) {
        self.0.close(py);
    }
}

impl Connecting {
    pub(crate) fn begin(
        py: Python<'_>,
        remotes: &[SocketAddr],
        options: &Connect,
    ) -> PyResult<Connecting> {
        let begun = py.detach(|| subflows::Connecting::begin(remotes, options));
        Ok(Connecting(Handle::new(begun.or_raise(py)?, FINISHED)))
    }
}
