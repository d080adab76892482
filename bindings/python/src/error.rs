//! Core's errors as exceptions: a class per kind, found by its name.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use subflows::{Error, ErrorKind};

/// What core's verbs give, as Python wants it.
pub(crate) trait OrRaise<T> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> OrRaise<T> for Result<T, Error> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| exception(py, &error).unwrap_or_else(|failed| failed))
    }
}

fn exception(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let told = Told {
        number: error.raw_os_error(),
        message: format!("{error:#}"),
        remedy: error.remedy(),
        operation: error.operation(),
        kernel_text: error.kernel_text(),
    };
    raise(py, error.kind(), told)
}

/// The caller's own socket was closed while it was being waited for.
pub(crate) fn closed_meanwhile(py: Python<'_>, operation: &str) -> PyErr {
    let kind = ErrorKind::Closed;
    let message = format!("{operation}: the socket was closed meanwhile");
    let told = Told { number: None, message, remedy: kind.remedy(), operation, kernel_text: None };
    raise(py, kind, told).unwrap_or_else(|failed| failed)
}

/// What an exception tells beside its kind.
struct Told<'a> {
    number: Option<i32>,
    message: String,
    remedy: &'a str,
    operation: &'a str,
    kernel_text: Option<&'a str>,
}

fn raise(py: Python<'_>, kind: ErrorKind, told: Told<'_>) -> PyResult<PyErr> {
    static KINDS: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    let kinds = KINDS.get_or_try_init(py, || {
        Ok::<_, PyErr>(py.import("subflows._errors")?.getattr("KINDS")?.cast_into()?.unbind())
    })?;
    let class = kinds.bind(py).get_item(kind.name())?;
    let class = class.ok_or_else(|| PyRuntimeError::new_err(told.message.clone()))?;
    // OSError takes its number from a pair of arguments.
    let raised = match told.number {
        Some(number) => class.call1((number, &told.message))?,
        None => class.call1((&told.message,))?,
    };
    raised.setattr("message", told.message)?;
    raised.setattr("remedy", told.remedy)?;
    raised.setattr("operation", told.operation)?;
    raised.setattr("kernel_text", told.kernel_text)?;
    Ok(PyErr::from_value(raised))
}
