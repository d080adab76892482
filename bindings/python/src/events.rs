//! Streams of events.

use std::os::fd::AsRawFd;
use std::time::Instant;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::convert::seconds;
use crate::error::OrRaise;
use crate::records::Event;

/// A stream of events: an iterator without end, which waits for each event.
#[pyclass(module = "subflows")]
pub(crate) struct Events(Option<subflows::Events>);

impl From<subflows::Events> for Events {
    fn from(events: subflows::Events) -> Events {
        Events(Some(events))
    }
}

#[pymethods]
impl Events {
    /// Follows every connection and listener of the calling thread's network namespace.
    #[staticmethod]
    fn of_namespace(py: Python<'_>) -> PyResult<Events> {
        subflows::Events::of_namespace().or_raise(py).map(Events::from)
    }

    /// The descriptor to poll for readability. When it is readable, call `next(0)` until it returns
    /// None.
    fn fileno(&mut self) -> PyResult<i32> {
        Ok(self.get()?.fd().as_raw_fd())
    }

    /// Sets how many bytes of unread events the kernel keeps. The default holds about 256 events.
    fn set_buffer(&mut self, bytes: u32) -> PyResult<()> {
        self.get()?.set_buffer(bytes);
        Ok(())
    }

    /// Returns the next event, or None if `timeout` seconds pass without one. Without a timeout it
    /// waits for ever.
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
