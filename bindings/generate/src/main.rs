//! Writes everything that can be derived from the tables in which core describes itself.
//!
//! `cargo regen` writes; `cargo regen --check` names what is stale and fails.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Write what is derived from core's tables
#[derive(Parser)]
struct Arguments {
    /// Write nothing; name what is stale, and fail where something is
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
