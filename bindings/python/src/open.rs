//! Opening one more subflow: in one call, or stepped by the caller's loop.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Instant;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use subflows::Open;

use crate::convert::{Address, Ip, Sock, seconds};
use crate::error::{OrRaise, closed_meanwhile};
use crate::records::Subflow;
use crate::wait::wait;

fn options(
    (local, interface, remote): (Option<Ip>, Option<String>, Option<Address>),
    (local_port, backup, timeout, unbound): (u16, bool, f64, bool),
) -> PyResult<Open> {
    let mut options = Open::new().local_port(local_port).backup(backup).unbound(unbound);
    options.local = local.map(|ip| ip.0);
    options.interface = interface;
    options.remote = remote.map(|remote| remote.0);
    options.timeout = seconds(timeout)?;
    Ok(options)
}

#[doc = doc!(open)]
///
#[doc = options!(open)]
///
/// >>> extra = subflows.open(sock, local="127.0.0.2", backup=True)
/// >>> [path.id == extra.id for path in subflows.list(sock)]
/// [False, True]
#[pyfunction]
#[pyo3(signature = (sock, *, local = None, interface = None, remote = None, local_port = 0,
                    backup = false, timeout = 5.0, unbound = false))]
#[allow(clippy::too_many_arguments)]
pub(crate) fn open(
    py: Python<'_>,
    sock: Sock,
    local: Option<Ip>,
    interface: Option<String>,
    remote: Option<Address>,
    local_port: u16,
    backup: bool,
    timeout: f64,
    unbound: bool,
) -> PyResult<Subflow> {
    let options = options((local, interface, remote), (local_port, backup, timeout, unbound))?;
    let ours = sock.duplicate()?;
    let mut opening = py.detach(|| subflows::Opening::begin(&ours, &options)).or_raise(py)?;
    wait(py, &mut opening, |o| o.advance(), |o| o.wait(), || look(py, sock, &ours)).map(Subflow)
}

/// Another thread may close the socket while we wait, and its number may then name another file: that
/// is why the wait is on a duplicate, which must not keep the connection open. Core looks at a subflow
/// that is being joined every 20 ms, so that this is noticed as soon.
fn look(py: Python<'_>, sock: Sock, ours: &OwnedFd) -> PyResult<()> {
    sock.is_still(ours).then_some(()).ok_or_else(|| closed_meanwhile(py, "open"))
}

/// A subflow that is being opened: a wait that the caller steps.
///
/// Poll `fileno()` for readability until `time_left` is up and call `advance()`, until it gives the
/// subflow or raises. Cancelled or forgotten before that, the half-open subflow is closed again.
#[pyclass(module = "subflows")]
pub(crate) struct Opening(Option<Begun>);

/// An opening on a duplicate, and the number of the socket that it was asked for.
struct Begun {
    opening: subflows::Opening<OwnedFd>,
    given: Sock,
}

#[pymethods]
impl Opening {
    #[new]
    #[pyo3(signature = (sock, *, local = None, interface = None, remote = None, local_port = 0,
                        backup = false, timeout = 5.0, unbound = false))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        sock: Sock,
        local: Option<Ip>,
        interface: Option<String>,
        remote: Option<Address>,
        local_port: u16,
        backup: bool,
        timeout: f64,
        unbound: bool,
    ) -> PyResult<Opening> {
        let options = options((local, interface, remote), (local_port, backup, timeout, unbound))?;
        let ours = sock.duplicate()?;
        let opening = py.detach(|| subflows::Opening::begin(ours, &options)).or_raise(py)?;
        Ok(Opening(Some(Begun { opening, given: sock })))
    }

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

    /// Looks whether the subflow is usable, without waiting: the subflow, or None.
    fn advance(&mut self, py: Python<'_>) -> PyResult<Option<Subflow>> {
        let begun = self.get()?;
        if !begun.given.is_still(begun.opening.socket()) {
            self.cancel(py);
            return Err(closed_meanwhile(py, "open"));
        }
        let opening = &mut begun.opening;
        Ok(py.detach(|| opening.advance()).or_raise(py)?.map(Subflow))
    }

    /// Gives up: the half-open subflow is closed, the connection goes on.
    fn cancel(&mut self, py: Python<'_>) {
        let begun = self.0.take();
        py.detach(|| drop(begun));
    }
}

impl Opening {
    fn get(&mut self) -> PyResult<&mut Begun> {
        self.0.as_mut().ok_or_else(|| PyValueError::new_err("this attempt is over"))
    }
}
