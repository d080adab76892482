//! One converter per type, in both directions.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};
use subflows::{KernelName, OptionValue};

use crate::descriptor;

/// Core's value as a Python object.
pub(crate) trait ToPy {
    fn to_py<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>>;
}

macro_rules! as_is {
    ($($type:ty),*) => { $(
        impl ToPy for $type {
            fn to_py<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                self.into_bound_py_any(py)
            }
        }
    )* };
}
as_is!(u8, u16, u32, u64, bool, String);

impl ToPy for KernelName {
    fn to_py<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(PyString::new(py, self).into_any())
    }
}

impl ToPy for IpAddr {
    fn to_py<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(host(py, *self).into_any())
    }
}

fn host(py: Python<'_>, ip: IpAddr) -> Bound<'_, PyString> {
    PyString::new(py, &ip.to_string())
}

/// As `getsockname()` returns it: a pair for IPv4, four parts for IPv6.
impl ToPy for SocketAddr {
    fn to_py<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let host = host(py, self.ip());
        Ok(match self {
            SocketAddr::V4(v4) => (host, v4.port()).into_pyobject(py)?.into_any(),
            SocketAddr::V6(v6) => {
                (host, v6.port(), v6.flowinfo(), v6.scope_id()).into_pyobject(py)?.into_any()
            }
        })
    }
}

impl ToPy for Duration {
    fn to_py<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.as_secs_f64().into_bound_py_any(py)
    }
}

impl<T: ToPy> ToPy for Option<T> {
    fn to_py<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.as_ref().map_or_else(|| Ok(py.None().into_bound(py)), |value| value.to_py(py))
    }
}

impl<T: ToPy> ToPy for Vec<T> {
    fn to_py<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let list = PyList::empty(py);
        self.iter().try_for_each(|value| list.append(value.to_py(py)?))?;
        Ok(list.into_any())
    }
}

/// The members of an enumeration by number. Calling the class costs several times as much.
fn members(py: Python<'_>, class: &str) -> PyResult<Py<PyDict>> {
    let by_number = PyDict::new(py);
    for member in py.import("subflows._enums")?.getattr(class)?.try_iter()? {
        let member = member?;
        by_number.set_item(member.extract::<i32>()?, &member)?;
    }
    Ok(by_number.unbind())
}

macro_rules! enumerations {
    ($($type:ident),*) => { $(
        impl ToPy for subflows::$type {
            fn to_py<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                static MEMBERS: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
                let members = MEMBERS.get_or_try_init(py, || members(py, stringify!($type)))?;
                let member = members.bind(py).get_item(*self as i32)?;
                member.ok_or_else(|| PyRuntimeError::new_err(concat!("no such ", stringify!($type))))
            }
        }
    )* };
}
enumerations!(
    State,
    PathManager,
    SubflowState,
    EventKind,
    SubflowOption,
    Severity,
    FindingKind,
    Verdict
);

/// Bytes of a raw option are bytes in Python.
impl ToPy for OptionValue {
    fn to_py<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            OptionValue::Number(number) => number.into_bound_py_any(py),
            OptionValue::Switch(on) => on.into_bound_py_any(py),
            OptionValue::Name(name) => name.into_bound_py_any(py),
            OptionValue::Bytes(bytes) => Ok(PyBytes::new(py, bytes).into_any()),
        }
    }
}

/// The caller's socket: any object with `fileno()` or that leads to one, or a number. It is borrowed
/// for the call.
#[derive(Clone, Copy)]
pub(crate) struct Sock(i32);

impl FromPyObject<'_, '_> for Sock {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, '_, PyAny>) -> PyResult<Sock> {
        descriptor::of(&given).map(Sock)
    }
}

impl AsFd for Sock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: it is not -1. The caller keeps it open: closing a socket in another thread during a
        // call makes the call fail, as with the socket's own methods.
        unsafe { BorrowedFd::borrow_raw(self.0) }
    }
}

impl Sock {
    /// A duplicate, for handles that outlive the call.
    pub(crate) fn duplicate(&self) -> PyResult<OwnedFd> {
        Ok(self.as_fd().try_clone_to_owned()?)
    }

    /// Whether the caller's number still names the socket that was duplicated.
    pub(crate) fn is_still(self, duplicate: &OwnedFd) -> bool {
        matches!((identity(self.0), identity(duplicate.as_raw_fd())), (Some(a), Some(b)) if a == b)
    }
}

/// The identity of an open file; nothing if the number is not open.
fn identity(fd: i32) -> Option<(u64, u64)> {
    // SAFETY: all zeros are a valid value: the structure has numbers only.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is valid for a `stat`; the call fails if the number is not open.
    (unsafe { libc::fstat(fd, &raw mut stat) } == 0).then_some((stat.st_dev, stat.st_ino))
}

/// A span of time, given in seconds.
pub(crate) fn seconds(given: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(given).map_err(|_| {
        PyValueError::new_err(format!("{given} is not a timeout: pass seconds, 0 or more"))
    })
}
