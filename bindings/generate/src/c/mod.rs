//! C: the mirror structs in Rust, the functions that are not written by hand, the list of the
//! interface, the headers, the linker's map, the manual.

mod abi;
mod comments;
mod constants;
mod converted;
mod driver;
mod entries;
mod ffi;
mod header;
mod man;
mod members;
mod mirror;
pub mod names;
mod reporting;

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::output::Output;
use abi::Abi;
use entries::Entries;

const MIRROR: &str = "bindings/c/src/mirror.rs";
const CONVERTED: &str = "bindings/c/src/converted.rs";
const REPORTING: &str = "bindings/c/src/reporting.rs";
const ABI: &str = "bindings/c/abi.txt";
const HEADER: &str = "include/subflows.h";
const FFI_HEADER: &str = "include/subflows_ffi.h";
const MAP: &str = "bindings/c/libsubflows.map";
const CHECK: &str = "bindings/c/tests/abi.c";
const SECOND_FORMS: &str = "bindings/c/tests/second_forms.h";

/// Everything that C needs.
pub fn all(root: &Path) -> Result<Vec<Output>> {
    let mut abi = Abi::parse(&fs::read_to_string(root.join(ABI)).unwrap_or_default())?;
    let structs = members::all();
    for described in &structs {
        abi.extend(described)?;
    }
    let mirror = mirror::rust(&structs, &abi)?;
    let mut entries = Entries::read(root)?;
    let converted = converted::rust(|name| entries.list.iter().any(|entry| entry.name == name))?;
    let page = |name: &str| converted::note(name).map_or(name, |(page, _)| page).to_owned();
    entries.add(&converted, "converted", page);
    entries.sort(&abi);
    let reporting = reporting::rust(&entries.list)?;
    let second_forms = reporting::macros(&entries.list);
    entries.add(&reporting, "reporting", |_| reporting::PAGE.to_owned());
    entries.sort(&abi);
    let header = header::header(&entries, &mirror)?;
    let symbols = entries.list.iter().map(|entry| format!("subflows_{}", entry.name));
    abi.add_symbols(symbols.collect())?;
    abi.add_constants(constants::all(&abi))?;
    let ffi_header = ffi::header(&header, &abi)?;
    let mut outputs = man::pages(&entries.list, &header);
    outputs.extend([
        Output::new(MIRROR, mirror),
        Output::new(CONVERTED, converted),
        Output::new(REPORTING, reporting),
        Output::new(HEADER, header),
        Output::new(FFI_HEADER, ffi_header),
        Output::new(MAP, abi.map()),
        Output::new(CHECK, abi.check()),
        Output::new(SECOND_FORMS, second_forms),
        Output::new(ABI, abi.to_string()),
    ]);
    let cursor = |name: &str| format!("{name}_next");
    outputs.extend(driver::outputs(|name| {
        entries.list.iter().any(|entry| entry.name == cursor(name))
    }));
    Ok(outputs)
}
