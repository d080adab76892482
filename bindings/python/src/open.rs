//! Opening one more subflow: in one call, or stepped by the caller's loop.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use pyo3::prelude::*;
use subflows::Open;

use crate::convert::Sock;
use crate::error::{OrRaise, closed_during};
use crate::handle::{Handle, seconds_until};
use crate::records::Subflow;
use crate::wait::{FINISHED, wait};

pub(crate) fn open(py: Python<'_>, sock: &Sock, options: &Open) -> PyResult<Subflow> {
    let duplicate = sock.duplicate()?;
    let begun = py.detach(|| subflows::Opening::begin(&duplicate, options));
    let still_open = || check(py, *sock, &duplicate);
    wait(py, &mut begun.or_raise(py)?, |o| o.advance(), |o| o.wait(), still_open).map(Subflow::from)
}

/// Another thread may close the socket during the wait, and its number may then name another file.
/// So the wait is on a duplicate, which must not keep the connection open. Core checks a subflow that
/// is being joined every 20 ms, so the close is noticed as soon.
fn check(py: Python<'_>, sock: Sock, duplicate: &OwnedFd) -> PyResult<()> {
    sock.is_still(duplicate).then_some(()).ok_or_else(|| closed_during(py, "open"))
}

/// A subflow that is being opened: a wait that the caller steps.
///
/// Poll `fileno()` for readability for at most `time_left` and call `advance()`, until it returns the
/// subflow or raises. If the wait is cancelled or collected before that, the half-open subflow is
/// closed.
#[pyclass(frozen, module = "subflows")]
pub(crate) struct Opening(Handle<Begun>);

/// An opening on a duplicate, and the number of the caller's socket.
struct Begun {
    opening: subflows::Opening<OwnedFd>,
    sock: Sock,
}

#[pymethods]
impl Opening {
    /// The descriptor to poll for readability, the same each time.
    fn fileno(&self, py: Python<'_>) -> PyResult<i32> {
        let fd = self.0.with(py, |begun| begun.opening.fd().map(|fd| fd.as_fd().as_raw_fd()))?;
        fd.or_raise(py)
    }

    /// How long to wait at most, in seconds.
    #[getter]
    fn time_left(&self, py: Python<'_>) -> PyResult<f64> {
        self.0.with(py, |begun| seconds_until(begun.opening.deadline()))
    }

    /// Checks whether the subflow is usable, without waiting. Returns the subflow, or None.
    fn advance(&self, py: Python<'_>) -> PyResult<Option<Subflow>> {
        let is_open = |begun: &mut Begun| begun.sock.is_still(begun.opening.socket());
        if !self.0.with(py, is_open)? {
            self.cancel(py);
            return Err(closed_during(py, "open"));
        }
        let step = self.0.with(py, |begun| py.detach(|| begun.opening.advance()))?;
        Ok(step.or_raise(py)?.map(Subflow::from))
    }

    /// Gives up the attempt: the half-open subflow is closed, the connection stays.
    fn cancel(&self, py: Python<'_>) {
        self.0.close(py);
    }
}

impl Opening {
    pub(crate) fn begin(py: Python<'_>, sock: &Sock, options: &Open) -> PyResult<Opening> {
        let duplicate = sock.duplicate()?;
        let opening = py.detach(|| subflows::Opening::begin(duplicate, options)).or_raise(py)?;
        Ok(Opening(Handle::new(Begun { opening, sock: *sock }, FINISHED)))
    }
}
