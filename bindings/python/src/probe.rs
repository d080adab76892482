//! Probing an address: in one call, or stepped by the caller's loop.

use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use pyo3::prelude::*;
use subflows::Probe;

use crate::error::OrRaise;
use crate::handle::{Handle, seconds_until};
use crate::records::ProbeReport;
use crate::wait::{FINISHED, wait};

pub(crate) fn probe(py: Python<'_>, address: SocketAddr, options: &Probe) -> PyResult<ProbeReport> {
    let begun = py.detach(|| subflows::Probing::begin(address, options));
    let mut probing = begun.or_raise(py)?;
    wait(py, &mut probing, |p| p.advance(), |p| p.wait(), || Ok(())).map(ProbeReport::from)
}

/// A probe that is under way: a wait that the caller steps.
///
/// Poll `fileno()` for readability for at most `time_left` and call `advance()`, until it returns the
/// report or raises. Do not call it later than that: about a second later, the kernel may stop to use
/// Multipath TCP in the network namespace.
#[pyclass(frozen, module = "subflows")]
pub(crate) struct Probing(Handle<subflows::Probing>);

#[pymethods]
impl Probing {
    /// The descriptor to poll for readability, the same each time.
    fn fileno(&self, py: Python<'_>) -> PyResult<i32> {
        self.0.with(py, |probing| probing.fd().as_raw_fd())
    }

    /// How long to wait at most, in seconds.
    #[getter]
    fn time_left(&self, py: Python<'_>) -> PyResult<f64> {
        self.0.with(py, |probing| seconds_until(probing.deadline()))
    }

    /// Continues, without waiting. Returns the report, or None.
    fn advance(&self, py: Python<'_>) -> PyResult<Option<ProbeReport>> {
        let step = self.0.with(py, |probing| py.detach(|| probing.advance()))?;
        Ok(step.or_raise(py)?.map(ProbeReport::from))
    }

    /// Gives up the probe: its connections are closed.
    fn cancel(&self, py: Python<'_>) {
        self.0.close(py);
    }
}

impl Probing {
    pub(crate) fn begin(py: Python<'_>, address: SocketAddr, options: &Probe) -> PyResult<Probing> {
        let begun = py.detach(|| subflows::Probing::begin(address, options));
        Ok(Probing(Handle::new(begun.or_raise(py)?, FINISHED)))
    }
}
