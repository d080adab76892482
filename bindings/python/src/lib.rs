//! The Python module `subflows`: core's verbs on any object with a `fileno()`.
//!
//! `verbs.rs` and `records.rs` are generated from core's tables: the functions with their keywords
//! and docstrings, and a class per record. Written by hand are the conversions, the verbs that make
//! sockets or wait, and the classes of handles. Blocking calls release the interpreter; waits also
//! check for signals.
#![allow(unreachable_pub)]

mod address;
mod announce;
mod command;
mod connect;
mod convert;
mod descriptor;
mod doctor;
mod error;
mod events;
mod handle;
mod listen;
mod number;
mod open;
mod option;
mod probe;
mod record;
mod records;
mod resolve;
mod socket;
mod verbs;
mod wait;
mod wake_fd;

use pyo3::prelude::*;

/// The native part of the package `subflows`.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    records::add(module)?;
    verbs::add(module)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    // Not by `add`, which would list them in `__all__`.
    module.setattr("_restore", wrap_pyfunction!(records::restore, module)?)?;
    module.setattr("_run", wrap_pyfunction!(command::run, module)?)
}
