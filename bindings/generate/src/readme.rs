//! The table of operations in `README.md`, between two comments. The rest is written by hand.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use subflows::OPERATIONS;
use subflows::table::Operation;

use crate::output::Output;
use crate::words;

const PATH: &str = "README.md";
const BEGIN: &str = "<!-- written by `cargo regen` from here -->\n";
const END: &str = "<!-- to here -->\n";

/// `README.md`.
pub fn readme(root: &Path) -> Result<Output> {
    let text = fs::read_to_string(root.join(PATH))?;
    let (before, rest) = text.split_once(BEGIN).context("README.md has no first comment")?;
    let (_, after) = rest.split_once(END).context("README.md has no last comment")?;
    Ok(Output::new(PATH, [before, BEGIN, &table(), END, after].concat()))
}

fn table() -> String {
    let head = "\n| operation | what it does | requires | Linux |\n|---|---|---|---|\n".to_owned();
    let rows = OPERATIONS.iter().map(|operation| {
        let what = words::first_sentence(operation.doc);
        // The reference lists everything else that it requires.
        let (right, _) = words::requirements(&Operation { requires: "", ..*operation });
        let since = if operation.since.is_empty() { "any" } else { operation.since };
        format!("| `{}` | {what} | {right} | {since} |\n", operation.name)
    });
    head + &rows.collect::<String>() + "\n"
}
