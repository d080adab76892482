//! Numbers as Python passes them.

use std::fmt::Display;

use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::error::shown;

/// A number of core's out of one of Python's. `name` is that of the parameter.
pub(crate) fn number<T: TryFrom<i64> + Bounded>(given: i64, name: &str) -> PyResult<T> {
    T::try_from(given).map_err(|_| {
        let most = T::most();
        PyValueError::new_err(format!("{name} must be a number from 0 to {most}, not {given}"))
    })
}

/// Has a largest value.
pub(crate) trait Bounded {
    fn most() -> impl Display;
}

macro_rules! bounded {
    ($($type:ty),*) => { $(
        impl Bounded for $type {
            fn most() -> impl Display {
                <$type>::MAX
            }
        }
    )* };
}
bounded!(u8, u16, u32);

/// The id of a subflow.
pub(crate) struct Id(pub(crate) u32);

impl FromPyObject<'_, '_> for Id {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, '_, PyAny>) -> PyResult<Id> {
        let (class, remedy) =
            ("a subflow is named by its id", "pass subflow.id, as `list` returns it");
        named(&given, "id", class, remedy).map(Id)
    }
}

/// The token of a connection.
pub(crate) struct Token(pub(crate) u32);

impl FromPyObject<'_, '_> for Token {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, '_, PyAny>) -> PyResult<Token> {
        let remedy = if given.is_instance_of::<PyString>() {
            "pass int(token, 16), if it is as `ss -M` prints it"
        } else {
            "pass status(sock).token"
        };
        named(&given, "token", "a connection is named by its token", remedy).map(Token)
    }
}

fn named(given: &Bound<'_, PyAny>, name: &str, class: &str, remedy: &str) -> PyResult<u32> {
    let error = match given.extract::<i64>() {
        Ok(given) => return number(given, name),
        Err(error) => error,
    };
    if error.is_instance_of::<PyOverflowError>(given.py()) {
        let most = u32::MAX;
        let text = format!("{name} must be a number from 0 to {most}, not {}", shown(given));
        return Err(PyValueError::new_err(text));
    }
    let given = if given.is_instance_of::<PyString>() {
        shown(given)
    } else {
        format!("this {}", given.get_type().name()?)
    };
    Err(PyTypeError::new_err(format!("{class}, a number, not by {given}: {remedy}")))
}

/// The name of an interface.
pub(crate) struct Name(pub(crate) String);

impl FromPyObject<'_, '_> for Name {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, '_, PyAny>) -> PyResult<Name> {
        given.extract().map(Name).map_err(|_| {
            PyTypeError::new_err(format!(
                "an interface is named by text, not {}: pass a name such as \"wwan0\"",
                shown(&given)
            ))
        })
    }
}
