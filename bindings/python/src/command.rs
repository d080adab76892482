//! The command `subflows`, as a script of the package.

use pyo3::prelude::*;

/// Runs the command with these arguments, the first of which is its name. Returns the exit status.
#[pyfunction]
#[pyo3(name = "_run")]
pub(crate) fn run(py: Python<'_>, arguments: Vec<String>) -> u8 {
    py.detach(|| subflows_cli::run_with(arguments))
}
