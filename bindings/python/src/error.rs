//! Core's errors as exceptions: a class per kind, found by its name.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use subflows::Error;

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
    static KINDS: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    let kinds = KINDS.get_or_try_init(py, || {
        Ok::<_, PyErr>(py.import("subflows._errors")?.getattr("KINDS")?.cast_into()?.unbind())
    })?;
    let class = kinds.bind(py).get_item(error.kind().name())?;
    let class = class.ok_or_else(|| PyRuntimeError::new_err(error.to_string()))?;
    // OSError takes its number from a pair of arguments.
    let message = format!("{error:#}");
    let raised = match error.raw_os_error() {
        Some(number) => class.call1((number, &message))?,
        None => class.call1((&message,))?,
    };
    raised.setattr("message", message)?;
    raised.setattr("remedy", error.remedy())?;
    raised.setattr("operation", error.operation())?;
    raised.setattr("kernel_text", error.kernel_text())?;
    Ok(PyErr::from_value(raised))
}
