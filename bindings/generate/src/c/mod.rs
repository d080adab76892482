//! C: the mirror structs in Rust, the list of the interface, the header, the linker's map, the
//! manual.

mod abi;
mod comments;
mod constants;
mod driver;
mod header;
mod man;
mod members;
mod mirror;
pub mod names;
mod sources;

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::output::Output;
use abi::Abi;

const MIRROR: &str = "bindings/c/src/mirror.rs";
const ABI: &str = "bindings/c/abi.txt";
const HEADER: &str = "include/subflows.h";
const MAP: &str = "bindings/c/libsubflows.map";
const CHECK: &str = "bindings/c/tests/abi.c";

/// Everything that C needs.
pub fn all(root: &Path) -> Result<Vec<Output>> {
    let mut abi = Abi::parse(&fs::read_to_string(root.join(ABI)).unwrap_or_default())?;
    let structs = members::all();
    for described in &structs {
        abi.extend(described)?;
    }
    let mirror = mirror::rust(&structs, &abi)?;
    let sources = sources::sources(root, &abi)?;
    let header = header::header(&sources, &mirror)?;
    abi.add_symbols(header::symbols(&header))?;
    abi.add_constants(constants::all(&abi))?;
    let mut outputs = man::pages(&sources, &header);
    outputs.extend([
        Output::new(MIRROR, mirror),
        Output::new(HEADER, header),
        Output::new(MAP, abi.map()),
        Output::new(CHECK, abi.check()),
        Output::new(ABI, abi.to_string()),
    ]);
    outputs.extend(driver::outputs());
    Ok(outputs)
}
