//! Options of a subflow as Python passes them.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyInt};
use subflows::{OptionValue, SubflowOption};

use crate::error::shown;

/// The value of an option of a subflow.
pub(crate) struct GivenValue(pub(crate) OptionValue);

impl FromPyObject<'_, '_> for GivenValue {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, '_, PyAny>) -> PyResult<GivenValue> {
        // A bool is an int, too.
        if given.is_instance_of::<PyBool>() {
            return Ok(GivenValue(given.extract::<bool>()?.into()));
        }
        if given.is_instance_of::<PyInt>() {
            // Core names the range of the option.
            return Ok(GivenValue(given.extract::<u64>().unwrap_or(u64::MAX).into()));
        }
        if let Ok(bytes) = given.cast::<PyBytes>() {
            return Ok(GivenValue(bytes.as_bytes().into()));
        }
        let name = given.extract::<String>().map_err(|_| {
            PyTypeError::new_err(format!(
                "{} is not the value of an option: pass an int, a bool, a str or bytes",
                shown(&given)
            ))
        })?;
        Ok(GivenValue(name.into()))
    }
}

/// An option of a subflow: a member of the enumeration, its number, or its name in small letters.
pub(crate) struct Chosen(pub(crate) SubflowOption);

impl FromPyObject<'_, '_> for Chosen {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, '_, PyAny>) -> PyResult<Chosen> {
        let text = || {
            format!(
                "{} is not an option of a subflow: pass a SubflowOption, or its name such as \"mark\"",
                shown(&given)
            )
        };
        let found = if given.is_instance_of::<PyInt>() {
            given.extract::<i32>().ok().and_then(SubflowOption::from_number)
        } else {
            let name = given.extract::<String>().map_err(|_| PyTypeError::new_err(text()))?;
            SubflowOption::from_key(&name)
        };
        found.map(Chosen).ok_or_else(|| PyValueError::new_err(text()))
    }
}
