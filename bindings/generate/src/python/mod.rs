//! Python: classes around core's records, exceptions, enumerations, stubs.

mod classes;
mod errors;
mod stubs;

use std::path::Path;

use anyhow::Result;

use crate::output::Output;

const PACKAGE: &str = "bindings/python/python/subflows";

/// Everything that Python needs.
pub fn all(root: &Path) -> Result<Vec<Output>> {
    Ok(vec![
        Output::new("bindings/python/src/records.rs", classes::rust()?),
        Output::new(format!("{PACKAGE}/_enums.py"), errors::enums()?),
        Output::new(format!("{PACKAGE}/_errors.py"), errors::errors()?),
        Output::new(format!("{PACKAGE}/_native.pyi"), stubs::stubs(root)?),
    ])
}
