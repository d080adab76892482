//! Making sockets: connected, listening, or made Multipath TCP afterwards.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::time::Instant;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{IntoPyDict, PyList};
use subflows::{Connect, Family, Listen};

use crate::convert::{Address, Sock, host_and_port, seconds};
use crate::error::OrRaise;
use crate::wait::wait;

/// Python's own socket object around a descriptor, which it owns from now on. Its protocol reads as 0,
/// which is what asyncio and others take for TCP.
fn python_socket(py: Python<'_>, fd: OwnedFd, is_v4: bool) -> PyResult<Bound<'_, PyAny>> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let class = CLASS.import(py, "socket", "socket")?;
    let family = if is_v4 { libc::AF_INET } else { libc::AF_INET6 };
    let number = fd.as_raw_fd();
    let made = class.call1((family, libc::SOCK_STREAM, 0, number))?;
    // From here on it is Python's.
    let _ = fd.into_raw_fd();
    Ok(made)
}

/// Every address that a name has, as `socket.getaddrinfo` tells, or whatever a program has put in its
/// place: with its errors too.
fn resolve(py: Python<'_>, address: &Bound<'_, PyAny>) -> PyResult<Vec<SocketAddr>> {
    let (host, port, flow, scope) = host_and_port(address)?;
    // As everywhere in Python: the empty host is any address.
    let host = if host.is_empty() { "0.0.0.0".to_owned() } else { host };
    let mut found = match host.parse::<IpAddr>() {
        Ok(ip) => vec![SocketAddr::new(ip, port)],
        Err(_) => names(py, &host, port)?,
    };
    for address in &mut found {
        if let SocketAddr::V6(v6) = address {
            v6.set_flowinfo(flow);
            v6.set_scope_id(if scope == 0 { v6.scope_id() } else { scope });
        }
    }
    Ok(found)
}

fn names(py: Python<'_>, host: &str, port: u16) -> PyResult<Vec<SocketAddr>> {
    let options = [("type", libc::SOCK_STREAM)].into_py_dict(py)?;
    let socket = py.import("socket")?;
    let found = socket.call_method("getaddrinfo", (host, port), Some(&options))?;
    let address = |entry: PyResult<Bound<'_, PyAny>>| {
        // Family, type, protocol, canonical name, address.
        Ok(entry?.get_item(4)?.extract::<Address>()?.0)
    };
    found.try_iter()?.map(address).collect()
}

#[doc = doc!(socket)]
///
/// Gives a `socket.socket`.
///
/// - `family`: `socket.AF_INET` or `socket.AF_INET6`.
///
/// >>> with subflows.socket() as new:
/// ...     subflows.status(new).state
/// <State.UNCONNECTED: 0>
#[pyfunction]
#[pyo3(signature = (family = libc::AF_INET))]
pub(crate) fn socket(py: Python<'_>, family: i32) -> PyResult<Bound<'_, PyAny>> {
    let family = match family {
        libc::AF_INET => Family::V4,
        libc::AF_INET6 => Family::V6,
        other => return Err(PyValueError::new_err(format!("{other} is no family of addresses"))),
    };
    let made = subflows::socket(family).or_raise(py)?;
    python_socket(py, made, family == Family::V4)
}

fn connect_options(
    local: Option<Address>,
    interface: Option<String>,
    timeout: Option<f64>,
    control: bool,
) -> PyResult<Connect> {
    let mut options = Connect::new().control(control);
    options.local = local.map(|local| local.0);
    options.interface = interface;
    options.timeout = timeout.map(seconds).transpose()?;
    Ok(options)
}

#[doc = doc!(connect)]
///
/// Gives a `socket.socket`. A name that does not resolve raises `socket.gaierror`.
///
/// - `address`: (host, port), where the host may be a name.
#[doc = options!(connect)]
///
/// >>> with subflows.connect(server.getsockname(), timeout=5) as connected:
/// ...     connected.getpeername() == server.getsockname()
/// True
#[pyfunction]
#[pyo3(signature = (address, *, local = None, interface = None, timeout = None, control = false))]
pub(crate) fn connect<'py>(
    py: Python<'py>,
    address: &Bound<'py, PyAny>,
    local: Option<Address>,
    interface: Option<String>,
    timeout: Option<f64>,
    control: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let options = connect_options(local, interface, timeout, control)?;
    let remotes = resolve(py, address)?;
    let begun = py.detach(|| subflows::Connecting::begin(&remotes, &options));
    let mut connecting = begun.or_raise(py)?;
    wait(py, &mut connecting, |c| Ok(c.advance()?.then_some(())), |c| c.wait(), || Ok(()))?;
    connected(py, connecting)
}

#[doc = doc!(listen)]
///
/// Gives a `socket.socket`. A name that does not resolve raises `socket.gaierror`.
///
/// - `address`: (host, port); the empty host is any address of IPv4, "::" of both families.
#[doc = options!(listen)]
///
/// >>> with subflows.listen(("127.0.0.1", 0)) as listener:
/// ...     subflows.status(listener).state
/// <State.LISTENING: 1>
#[pyfunction]
#[pyo3(signature = (address, *, interface = None, backlog = 4096, only_v6 = false))]
pub(crate) fn listen<'py>(
    py: Python<'py>,
    address: &Bound<'py, PyAny>,
    interface: Option<String>,
    backlog: u32,
    only_v6: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let mut options = Listen::new().only_v6(only_v6).backlog(backlog);
    options.interface = interface;
    let addresses = resolve(py, address)?;
    let listener = subflows::listen(&*addresses, &options).or_raise(py)?;
    let is_v4 = listener.local_addr()?.is_ipv4();
    python_socket(py, listener.into(), is_v4)
}

#[doc = doc!(upgrade)]
///
/// >>> import socket
/// >>> with socket.socket() as tcp:
/// ...     subflows.upgrade(tcp)
/// ...     subflows.status(tcp).state
/// <State.UNCONNECTED: 0>
#[pyfunction]
pub(crate) fn upgrade(py: Python<'_>, sock: Sock) -> PyResult<()> {
    subflows::upgrade(&sock).or_raise(py)
}

fn connected(py: Python<'_>, connecting: subflows::Connecting) -> PyResult<Bound<'_, PyAny>> {
    let stream = connecting.finish().or_raise(py)?;
    let is_v4 = stream.local_addr()?.is_ipv4();
    python_socket(py, stream.into(), is_v4)
}

/// One address, or a list of addresses that are tried in turn.
struct Remotes(Vec<SocketAddr>);

impl FromPyObject<'_, '_> for Remotes {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, '_, PyAny>) -> PyResult<Remotes> {
        let list = match given.cast::<PyList>() {
            Ok(list) => list.extract::<Vec<Address>>()?,
            Err(_) => vec![given.extract::<Address>()?],
        };
        Ok(Remotes(list.into_iter().map(|address| address.0).collect()))
    }
}

/// A connection that is being made: a wait that the caller steps.
///
/// `address` is one address, or a list of addresses that are tried in turn. Poll `fileno()` for
/// writability until `time_left` is up, call `advance()` until it returns True, then `finish()`. Ask for
/// `fileno()` again after each `advance()`: the next address has another one.
#[pyclass(module = "subflows")]
pub(crate) struct Connecting(Option<subflows::Connecting>);

#[pymethods]
impl Connecting {
    #[new]
    #[pyo3(signature = (address, *, local = None, interface = None, timeout = None, control = false))]
    fn new(
        py: Python<'_>,
        address: Remotes,
        local: Option<Address>,
        interface: Option<String>,
        timeout: Option<f64>,
        control: bool,
    ) -> PyResult<Connecting> {
        let options = connect_options(local, interface, timeout, control)?;
        let begun = py.detach(|| subflows::Connecting::begin(&address.0, &options));
        Ok(Connecting(Some(begun.or_raise(py)?)))
    }

    /// The descriptor to poll for writability.
    fn fileno(&mut self) -> PyResult<i32> {
        Ok(self.get()?.fd().as_raw_fd())
    }

    /// How long to wait at most, in seconds; None where no timeout was asked for.
    #[getter]
    fn time_left(&mut self) -> PyResult<Option<f64>> {
        let left = |at: Instant| at.saturating_duration_since(Instant::now()).as_secs_f64();
        Ok(self.get()?.deadline().map(left))
    }

    /// Looks whether the connection is made, without waiting.
    fn advance(&mut self, py: Python<'_>) -> PyResult<bool> {
        self.get()?.advance().or_raise(py)
    }

    /// The connected `socket.socket`, in blocking mode.
    fn finish<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        connected(py, self.0.take().ok_or_else(over)?)
    }

    /// Gives up.
    fn cancel(&mut self) {
        self.0 = None;
    }
}

impl Connecting {
    fn get(&mut self) -> PyResult<&mut subflows::Connecting> {
        self.0.as_mut().ok_or_else(over)
    }
}

fn over() -> PyErr {
    PyValueError::new_err("this attempt is over")
}
