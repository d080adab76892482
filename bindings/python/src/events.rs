//! What happens to connections, as it happens.

use std::os::fd::AsRawFd;
use std::time::Instant;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::convert::{Sock, seconds};
use crate::error::OrRaise;
use crate::records::Event;

#[doc = doc!(events)]
///
/// >>> with subflows.events(sock) as events:
/// ...     extra = subflows.open(sock, local="127.0.0.2")
/// ...     event = events.next(timeout=1)
/// ...     event.kind, event.local == extra.local
/// (<EventKind.SUBFLOW_ESTABLISHED: 10>, True)
#[pyfunction]
pub(crate) fn events(py: Python<'_>, sock: Sock) -> PyResult<Events> {
    Ok(Events(Some(subflows::events(&sock).or_raise(py)?)))
}

/// A stream of events: an iterator that waits for each, without end.
#[pyclass(module = "subflows")]
pub(crate) struct Events(Option<subflows::Events>);

#[pymethods]
impl Events {
    /// Follows every connection and listener of the calling thread's network namespace.
    #[staticmethod]
    fn of_namespace(py: Python<'_>) -> PyResult<Events> {
        Ok(Events(Some(subflows::Events::of_namespace().or_raise(py)?)))
    }

    /// The descriptor to poll for readability. When it is readable, take events with `next(0)` until
    /// there are none.
    fn fileno(&mut self) -> PyResult<i32> {
        Ok(self.get()?.fd().as_raw_fd())
    }

    /// How many bytes of events the kernel is to keep for us; about 256 events' worth by default.
    fn set_buffer(&mut self, bytes: u32) -> PyResult<()> {
        self.get()?.set_buffer(bytes);
        Ok(())
    }

    /// The next event, or None when none came within `timeout` seconds; without one it waits for ever.
    #[pyo3(signature = (timeout = None))]
    fn next(&mut self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Option<Event>> {
        let deadline = timeout.map(seconds).transpose()?.map(|span| Instant::now() + span);
        let stream = self.get()?;
        loop {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            let taken = py.detach(|| stream.next(left)).or_raise(py)?;
            if let Some(event) = taken {
                return Ok(Some(Event(event)));
            }
            py.check_signals()?;
            if deadline.is_some_and(|at| Instant::now() >= at) {
                return Ok(None);
            }
        }
    }

    /// Closes the stream.
    fn close(&mut self) {
        self.0 = None;
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&mut self, py: Python<'_>) -> PyResult<Option<Event>> {
        self.next(py, None)
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&mut self, _exception: &Bound<'_, PyAny>) {
        self.close();
    }
}

impl Events {
    fn get(&mut self) -> PyResult<&mut subflows::Events> {
        self.0.as_mut().ok_or_else(|| PyValueError::new_err("the stream is closed"))
    }
}
