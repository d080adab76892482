//! Python: functions, classes around core's records, exceptions, enumerations, stubs.

mod classes;
mod docstrings;
mod errors;
mod operations;
mod stubs;
mod verbs;

use std::path::Path;

use anyhow::Result;
use heck::ToShoutySnakeCase;
use subflows::table::Operation;

use crate::output::Output;
use crate::signature::{self, Keyword};
use crate::words::{self, Word};

const PACKAGE: &str = "bindings/python/python/subflows";

/// Everything that Python needs.
pub fn all(root: &Path) -> Result<Vec<Output>> {
    Ok(vec![
        Output::new("bindings/python/src/records.rs", classes::rust()?),
        Output::new("bindings/python/src/verbs.rs", verbs::rust(root)?),
        Output::new(format!("{PACKAGE}/_enums.py"), errors::enums()?),
        Output::new(format!("{PACKAGE}/_errors.py"), errors::errors()?),
        Output::new(format!("{PACKAGE}/_native.pyi"), stubs::stubs(root)?),
        Output::new("bindings/python/tests/operations.py", operations::operations()),
    ])
}

/// A text whose words in backticks are spelled as in Python.
fn spelled(text: &str) -> String {
    words::spelled(text, |word| match word {
        Word::Operation(name) => format!("`{name}`"),
        Word::Kind(kind) => format!("`{}Error`", kind.name()),
        Word::Value(_, variant) => format!("`{}`", variant.name.to_shouty_snake_case()),
        Word::Option(_, operation, field) => format!("`{}` of `{operation}`", field.name),
        Word::Switched(switch, name) => format!("`{name}` with `{switch}`"),
        Word::Method(handle, method) => format!("`{handle}.{method}`"),
        Word::Record(record) => format!("`{}`", record.name),
        Word::Field(field) => format!("`{}`", field.name),
        Word::Other(word) => format!("`{word}`"),
    })
}

/// The keywords of an operation. Sockets are in blocking mode, as Python's own are.
fn keywords(operation: &Operation) -> Vec<Keyword> {
    signature::keywords_and_mode(operation, true)
}
