//! The Python module `subflows`: core's verbs on whatever has a `fileno()`.
//!
//! `records.rs` is generated: a class per record. The rest is written by hand, one file per noun as in
//! core: a function is its arguments converted, core's verb, and its result made a Python object.
//! What can block steps core's waits with the interpreter released, and looks for signals in between.
#![allow(unreachable_pub)]

#[macro_use]
mod docs;

mod address;
mod announce;
mod backup;
mod capabilities;
mod command;
mod connect;
mod connection;
mod control;
mod convert;
mod error;
mod events;
mod info;
mod open;
mod records;
mod status;
mod subflow;
mod wait;

use pyo3::prelude::*;

/// The native part of the package `subflows`.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    records::add(module)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<connect::Connecting>()?;
    module.add_class::<open::Opening>()?;
    module.add_class::<announce::Announced>()?;
    module.add_class::<events::Events>()?;
    module.add_function(wrap_pyfunction!(connect::socket, module)?)?;
    module.add_function(wrap_pyfunction!(connect::connect, module)?)?;
    module.add_function(wrap_pyfunction!(connect::listen, module)?)?;
    module.add_function(wrap_pyfunction!(connect::upgrade, module)?)?;
    module.add_function(wrap_pyfunction!(control::take_control, module)?)?;
    module.add_function(wrap_pyfunction!(status::status, module)?)?;
    module.add_function(wrap_pyfunction!(info::info, module)?)?;
    module.add_function(wrap_pyfunction!(subflow::list, module)?)?;
    module.add_function(wrap_pyfunction!(subflow::details, module)?)?;
    module.add_function(wrap_pyfunction!(open::open, module)?)?;
    module.add_function(wrap_pyfunction!(subflow::close, module)?)?;
    module.add_function(wrap_pyfunction!(backup::set_backup, module)?)?;
    module.add_function(wrap_pyfunction!(announce::announce, module)?)?;
    module.add_function(wrap_pyfunction!(address::addresses, module)?)?;
    module.add_function(wrap_pyfunction!(events::events, module)?)?;
    module.add_function(wrap_pyfunction!(connection::connections, module)?)?;
    module.add_function(wrap_pyfunction!(connection::connection, module)?)?;
    module.add_function(wrap_pyfunction!(capabilities::capabilities, module)?)?;
    module.add_function(wrap_pyfunction!(command::run, module)?)
}
