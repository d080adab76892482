//! Writes every file that is generated from the tables in which core describes itself.
//!
//! `cargo regen` writes; `cargo regen --check` names the stale files and fails if there are any.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Write the files that are generated from core's tables
#[derive(Parser)]
struct Arguments {
    /// Write nothing; name the stale files, and fail if there are any
    #[arg(long)]
    check: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let outputs = subflows_generate::all(&root)?;
    if !arguments.check {
        outputs.iter().try_for_each(|output| output.write(&root))?;
        return Ok(ExitCode::SUCCESS);
    }
    let stale: Vec<_> = outputs.iter().filter(|output| output.is_stale(&root)).collect();
    for output in &stale {
        eprintln!("stale: {} (run `cargo regen`)", output.path().display());
    }
    Ok(if stale.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
