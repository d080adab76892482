//! Opening one more subflow: in one call, or stepped by the caller's loop.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Instant;

use pyo3::prelude::*;
use subflows::Open;

use crate::convert::Sock;
use crate::error::{OrRaise, closed_during};
use crate::records::Subflow;
use crate::wait::{finished, wait};

pub(crate) fn open(py: Python<'_>, sock: &Sock, options: &Open) -> PyResult<Subflow> {
    let duplicate = sock.duplicate()?;
    let begun = py.detach(|| subflows::Opening::begin(&duplicate, options));
    let still_open = || check(py, *sock, &duplicate);
    wait(py, &mut begun.or_raise(py)?, |o| o.advance(), |o| o.wait(), still_open).map(Subflow)
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
#[pyclass(module = "subflows")]
pub(crate) struct Opening(Option<Begun>);

/// An opening on a duplicate, and the number of the caller's socket.
struct Begun {
    opening: subflows::Opening<OwnedFd>,
    sock: Sock,
}

#[pymethods]
impl Opening {
    /// The descriptor to poll for readability, the same each time.
    fn fileno(&mut self, py: Python<'_>) -> PyResult<i32> {
        Ok(self.get()?.opening.fd().or_raise(py)?.as_fd().as_raw_fd())
    }

    /// How long to wait at most, in seconds.
    #[getter]
    fn time_left(&mut self) -> PyResult<f64> {
        let deadline = self.get()?.opening.deadline();
        Ok(deadline.saturating_duration_since(Instant::now()).as_secs_f64())
    }

    /// Checks whether the subflow is usable, without waiting. Returns the subflow, or None.
    fn advance(&mut self, py: Python<'_>) -> PyResult<Option<Subflow>> {
        let begun = self.get()?;
        if let Err(closed) = check(py, begun.sock, begun.opening.socket()) {
            self.cancel(py);
            return Err(closed);
        }
        let opening = &mut begun.opening;
        Ok(py.detach(|| opening.advance()).or_raise(py)?.map(Subflow))
    }

    /// Gives up the attempt: the half-open subflow is closed, the connection stays.
    fn cancel(&mut self, py: Python<'_>) {
        let begun = self.0.take();
        py.detach(|| drop(begun));
    }
}

impl Opening {
    pub(crate) fn begin(py: Python<'_>, sock: &Sock, options: &Open) -> PyResult<Opening> {
        let duplicate = sock.duplicate()?;
        let begun = py.detach(|| subflows::Opening::begin(duplicate, options));
        Ok(Opening(Some(Begun { opening: begun.or_raise(py)?, sock: *sock })))
    }

    fn get(&mut self) -> PyResult<&mut Begun> {
        self.0.as_mut().ok_or_else(finished)
    }
}
