//! Core's errors as exceptions: a class per kind, found by its name.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use subflows::{Error, ErrorKind};

/// The result of one of core's verbs, with its error as an exception.
pub(crate) trait OrRaise<T> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> OrRaise<T> for Result<T, Error> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| exception(py, &error).unwrap_or_else(|failed| failed))
    }
}

fn exception(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let details = Details {
        number: error.raw_os_error(),
        message: format!("{error:#}"),
        remedy: error.remedy(),
        operation: error.operation(),
        kernel_text: error.kernel_text(),
    };
    raise(py, error.kind(), details)
}

/// The caller's own socket was closed during the wait.
pub(crate) fn closed_during(py: Python<'_>, operation: &str) -> PyErr {
    let kind = ErrorKind::Closed;
    let message = format!("{operation}: the socket was closed during the call");
    let remedy = kind.remedy();
    let details = Details { number: None, message, remedy, operation, kernel_text: None };
    raise(py, kind, details).unwrap_or_else(|failed| failed)
}

/// The attributes of an exception, besides its kind.
struct Details<'a> {
    number: Option<i32>,
    message: String,
    remedy: &'a str,
    operation: &'a str,
    kernel_text: Option<&'a str>,
}

fn raise(py: Python<'_>, kind: ErrorKind, details: Details<'_>) -> PyResult<PyErr> {
    static KINDS: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    let kinds = KINDS.get_or_try_init(py, || {
        Ok::<_, PyErr>(py.import("subflows._errors")?.getattr("KINDS")?.cast_into()?.unbind())
    })?;
    let class = kinds.bind(py).get_item(kind.name())?;
    let class = class.ok_or_else(|| PyRuntimeError::new_err(details.message.clone()))?;
    // OSError reads its number from a pair of arguments.
    let raised = match details.number {
        Some(number) => class.call1((number, &details.message))?,
        None => class.call1((&details.message,))?,
    };
    raised.setattr("message", details.message)?;
    raised.setattr("remedy", details.remedy)?;
    raised.setattr("operation", details.operation)?;
    raised.setattr("kernel_text", details.kernel_text)?;
    Ok(PyErr::from_value(raised))
}

/// A value in an error's text.
pub(crate) fn shown(given: &Bound<'_, PyAny>) -> String {
    given.repr().map_or_else(|_| "this object".to_owned(), |text| text.to_string())
}
