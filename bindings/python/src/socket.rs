//! Sockets as Python's own objects, and the verb that makes an unconnected one.

use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use subflows::Family;

use crate::error::OrRaise;

/// Makes a `socket.socket` that owns the descriptor. Its protocol reads as 0, which asyncio and
/// others take for TCP.
pub(crate) fn python_socket(
    py: Python<'_>,
    fd: OwnedFd,
    is_v4: bool,
) -> PyResult<Bound<'_, PyAny>> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let class = CLASS.import(py, "socket", "socket")?;
    let family = if is_v4 { libc::AF_INET } else { libc::AF_INET6 };
    let number = fd.as_raw_fd();
    let made = class.call1((family, libc::SOCK_STREAM, 0, number))?;
    // The object owns the descriptor from here on.
    let _ = fd.into_raw_fd();
    Ok(made)
}

pub(crate) fn socket(py: Python<'_>, family: i32) -> PyResult<Bound<'_, PyAny>> {
    let family = match family {
        libc::AF_INET => Family::V4,
        libc::AF_INET6 => Family::V6,
        other => {
            return Err(PyValueError::new_err(format!(
                "{other} is not an address family: pass socket.AF_INET or socket.AF_INET6"
            )));
        }
    };
    let made = subflows::socket(family).or_raise(py)?;
    python_socket(py, made, family == Family::V4)
}
