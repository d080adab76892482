//! Examining why there is no second subflow: in one call, or stepped by the caller's loop.

use std::os::fd::AsRawFd;

use pyo3::prelude::*;
use subflows::Doctor;

use crate::error::OrRaise;
use crate::handle::{Handle, seconds_until};
use crate::records::Finding;
use crate::wait::{FINISHED, wait};

pub(crate) fn doctor(py: Python<'_>, options: &Doctor) -> PyResult<Vec<Finding>> {
    let begun = py.detach(|| subflows::Examining::begin(options));
    let mut examining = begun.or_raise(py)?;
    wait(py, &mut examining, |e| e.advance(), |e| e.wait(), || Ok(())).map(records)
}

fn records(found: Vec<subflows::Finding>) -> Vec<Finding> {
    found.into_iter().map(Finding::from).collect()
}

/// An examination by `doctor` that is under way: a wait that the caller steps.
///
/// Poll `fileno()` for readability for at most `time_left` and call `advance()`, until it returns the
/// findings or raises. Do not call it later than that: about a second later, the kernel may stop to use
/// Multipath TCP in the network namespace.
#[pyclass(frozen, module = "subflows")]
pub(crate) struct Examining(Handle<subflows::Examining>);

#[pymethods]
impl Examining {
    /// The descriptor to poll for readability, the same each time.
    fn fileno(&self, py: Python<'_>) -> PyResult<i32> {
        self.0.with(py, |examining| examining.fd().as_raw_fd())
    }

    /// How long to wait at most, in seconds.
    #[getter]
    fn time_left(&self, py: Python<'_>) -> PyResult<f64> {
        self.0.with(py, |examining| seconds_until(examining.deadline()))
    }

    /// Continues, without waiting for an answer. Returns the findings, or None.
    fn advance(&self, py: Python<'_>) -> PyResult<Option<Vec<Finding>>> {
        let step = self.0.with(py, |examining| py.detach(|| examining.advance()))?;
        Ok(step.or_raise(py)?.map(records))
    }

    /// Gives up the examination: its connections are closed.
    fn cancel(&self, py: Python<'_>) {
        self.0.close(py);
    }
}

impl Examining {
    pub(crate) fn begin(py: Python<'_>, options: &Doctor) -> PyResult<Examining> {
        let begun = py.detach(|| subflows::Examining::begin(options));
        Ok(Examining(Handle::new(begun.or_raise(py)?, FINISHED)))
    }
}
