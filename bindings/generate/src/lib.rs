//! A module for each kind of output, each a pure function of core's tables and of the list of the C
//! interface, which only grows.

pub mod c;
pub mod command;
pub mod java;
pub mod output;
pub mod python;
pub mod readme;
pub mod reference;
pub mod ruby;
mod rust;
pub mod signature;
pub mod waits;
pub mod words;

use std::path::Path;

use anyhow::Result;
use output::Output;

/// Every generated file of the repository at `root`.
pub fn all(root: &Path) -> Result<Vec<Output>> {
    let mut outputs = c::all(root)?;
    outputs.extend(command::all()?);
    outputs.extend(java::all()?);
    outputs.extend(python::all(root)?);
    outputs.extend(ruby::all()?);
    outputs.push(reference::reference());
    outputs.push(readme::readme(root)?);
    Ok(outputs)
}
