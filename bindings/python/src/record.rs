//! What the classes of records share.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use subflows::table::RecordTable;

/// The value of a record.
pub(crate) enum Kept<T> {
    /// Core's record, whose fields are converted when they are read.
    Core(T),
    /// The fields of a copy that was made by `pickle` or `copy`.
    Fields(Py<PyDict>),
}

impl<T> Kept<T> {
    /// The value of a field. A copy that an older version pickled may lack it.
    pub(crate) fn field<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        read: impl FnOnce(&T) -> PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Kept::Core(record) => read(record),
            Kept::Fields(fields) => {
                let value = fields.bind(py).get_item(name)?;
                Ok(value.unwrap_or_else(|| py.None().into_bound(py)))
            }
        }
    }
}

/// Whether all fields are equal.
pub(crate) fn equal(
    first: &Bound<'_, PyAny>,
    second: &Bound<'_, PyAny>,
    table: &RecordTable,
) -> PyResult<bool> {
    for field in table.fields {
        if !first.getattr(field.name)?.eq(second.getattr(field.name)?)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `Class(field=value, …)`.
pub(crate) fn represent(object: &Bound<'_, PyAny>, table: &RecordTable) -> PyResult<String> {
    let mut fields = Vec::new();
    for field in table.fields {
        fields.push(format!("{}={}", field.name, object.getattr(field.name)?.repr()?));
    }
    Ok(format!("{}({})", table.name, fields.join(", ")))
}

/// The fields as a dictionary; records in it become dictionaries as well.
pub(crate) fn asdict<'py>(
    object: &Bound<'py, PyAny>,
    table: &RecordTable,
) -> PyResult<Bound<'py, PyDict>> {
    let dictionary = PyDict::new(object.py());
    for field in table.fields {
        dictionary.set_item(field.name, plain(&object.getattr(field.name)?)?)?;
    }
    Ok(dictionary)
}

fn plain<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if let Ok(list) = value.cast::<PyList>() {
        let plain = PyList::empty(value.py());
        list.iter().try_for_each(|item| plain.append(self::plain(&item)?))?;
        return Ok(plain.into_any());
    }
    match value.getattr_opt("asdict")? {
        Some(asdict) => asdict.call0(),
        None => Ok(value.clone()),
    }
}

/// The function that restores a record, and its arguments.
pub(crate) type Reduced<'py> = (Bound<'py, PyAny>, (&'static str, Bound<'py, PyDict>));

/// What `pickle` and `copy` make a copy of.
pub(crate) fn reduce<'py>(
    object: &Bound<'py, PyAny>,
    table: &RecordTable,
) -> PyResult<Reduced<'py>> {
    let py = object.py();
    let fields = PyDict::new(py);
    for field in table.fields {
        fields.set_item(field.name, object.getattr(field.name)?)?;
    }
    Ok((py.import("subflows._native")?.getattr("_restore")?, (table.name, fields)))
}
