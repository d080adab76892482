//! Rust that is written by a program.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

/// As rustfmt writes it, so that the file passes the same check as those written by hand.
pub(crate) fn formatted(text: &str) -> Result<String> {
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--config", "max_width=100,use_small_heuristics=Max"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("rustfmt is needed: rustup component add rustfmt")?;
    rustfmt.stdin.take().context("piped")?.write_all(text.as_bytes())?;
    let output = rustfmt.wait_with_output()?;
    anyhow::ensure!(output.status.success(), "rustfmt refused what was written");
    Ok(String::from_utf8(output.stdout)?)
}
