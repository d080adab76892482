//! Streams of events.

use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Instant;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::convert::seconds;
use crate::error::OrRaise;
use crate::handle::Handle;
use crate::records::Event;
use crate::wake_fd::WakeFd;

const ENDED: &str = "the stream is closed: call events() for a new one";

/// A stream of events: an iterator, which waits for each event and ends when the stream is closed.
/// Several threads may use it, and each event goes to one of them.
#[pyclass(frozen, module = "subflows")]
pub(crate) struct Events(Handle<Stream>);

struct Stream {
    events: subflows::Events,
    /// Ends the waits of other threads. Made by the first wait.
    wake_fd: Option<Arc<WakeFd>>,
}

impl From<subflows::Events> for Events {
    fn from(events: subflows::Events) -> Events {
        Events(Handle::new(Stream { events, wake_fd: None }, ENDED))
    }
}

/// The outcome of a wait.
enum Outcome {
    Event(Event),
    TimedOut,
    Closed,
}

/// The outcome of a look at the stream.
enum Step {
    Done(Outcome),
    Wait(i32, Arc<WakeFd>),
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
    fn fileno(&self, py: Python<'_>) -> PyResult<i32> {
        self.0.with(py, |stream| stream.events.fd().as_raw_fd())
    }

    /// Sets how many bytes of unread events the kernel keeps. The default holds about 256 events.
    fn set_buffer(&self, py: Python<'_>, bytes: u32) -> PyResult<()> {
        self.0.with(py, |stream| stream.events.set_buffer(bytes))
    }

    /// Returns the next event, or None if `timeout` seconds pass without one. Without a timeout it
    /// waits forever.
    ///
    /// Raises ValueError if the stream is closed, also by another thread during the wait.
    #[pyo3(signature = (timeout = None))]
    fn next(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Option<Event>> {
        match self.wait(py, timeout)? {
            Outcome::Event(event) => Ok(Some(event)),
            Outcome::TimedOut => Ok(None),
            Outcome::Closed => Err(PyValueError::new_err(ENDED)),
        }
    }

    /// Closes the stream. Waits in other threads end at once.
    fn close(&self, py: Python<'_>) {
        self.0.close_with(py, |stream| {
            if let Some(wake_fd) = &stream.wake_fd {
                wake_fd.wake();
            }
        });
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Event>> {
        match self.wait(py, None)? {
            Outcome::Event(event) => Ok(Some(event)),
            Outcome::TimedOut | Outcome::Closed => Ok(None),
        }
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyAny>) {
        self.close(py);
    }
}

impl Events {
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Outcome> {
        let deadline = timeout.map(seconds).transpose()?.map(|span| Instant::now() + span);
        loop {
            let step = self.0.with_open(py, |stream| stream.step(py, deadline));
            match step.unwrap_or(Ok(Step::Done(Outcome::Closed)))? {
                Step::Done(outcome) => return Ok(outcome),
                Step::Wait(fd, wake_fd) => py.detach(|| wake_fd.wait(fd, deadline))?,
            }
            py.check_signals()?;
        }
    }
}

impl Stream {
    fn step(&mut self, py: Python<'_>, deadline: Option<Instant>) -> PyResult<Step> {
        if let Some(event) = py.detach(|| self.events.try_next()).or_raise(py)? {
            return Ok(Step::Done(Outcome::Event(Event::from(event))));
        }
        if deadline.is_some_and(|at| Instant::now() >= at) {
            return Ok(Step::Done(Outcome::TimedOut));
        }
        let wake_fd = match &self.wake_fd {
            Some(wake_fd) => wake_fd,
            None => self.wake_fd.insert(Arc::new(WakeFd::new()?)),
        };
        wake_fd.clear();
        Ok(Step::Wait(self.events.fd().as_raw_fd(), wake_fd.clone()))
    }
}
