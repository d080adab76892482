//! Measures the options on the running kernel and writes OPTIONS.md. Requires root.

use std::path::Path;

fn main() -> std::io::Result<()> {
    subflows_lab::Namespace::new()?.enter_for_good()?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../OPTIONS.md");
    std::fs::write(path, subflows_options::page::page()?)
}
