//! Generated Rust.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

/// The text as rustfmt formats it, so that the file passes the same check as hand-written ones.
pub(crate) fn formatted(text: &str) -> Result<String> {
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--config", "max_width=100,use_small_heuristics=Max"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("rustfmt is not installed: rustup component add rustfmt")?;
    rustfmt.stdin.take().context("piped")?.write_all(text.as_bytes())?;
    let output = rustfmt.wait_with_output()?;
    anyhow::ensure!(output.status.success(), "rustfmt rejected the generated text");
    Ok(String::from_utf8(output.stdout)?)
}
