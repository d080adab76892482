//! Where results go: tables for people or JSON for programs, on standard output.

use std::io::{self, IsTerminal, Write};

use anstream::AutoStream;
use serde_json::Value;

use crate::table::Table;

/// Standard output, and in which form results are wanted there.
pub(crate) struct Output {
    stdout: AutoStream<io::Stdout>,
    is_json: bool,
}

impl Output {
    pub(crate) fn new(is_json: bool) -> Output {
        // Colours only for a terminal, and not where NO_COLOR or TERM=dumb forbid them.
        Output { stdout: AutoStream::auto(io::stdout()), is_json }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.is_json
    }

    /// Prints a table.
    pub(crate) fn table(&mut self, table: &Table) -> io::Result<()> {
        table.print(&mut self.stdout)?;
        self.stdout.flush()
    }

    /// Prints a line for people.
    pub(crate) fn line(&mut self, text: impl std::fmt::Display) -> io::Result<()> {
        writeln!(self.stdout, "{text}")?;
        self.stdout.flush()
    }

    /// Prints a JSON document: indented on a terminal, else on one line, for tools that go by
    /// lines.
    pub(crate) fn json(&mut self, json: &Value) -> io::Result<()> {
        match io::stdout().is_terminal() {
            true => writeln!(self.stdout, "{json:#}")?,
            false => writeln!(self.stdout, "{json}")?,
        }
        self.stdout.flush()
    }
}

/// Says something beside the result, on standard error.
pub(crate) fn note(text: impl std::fmt::Display) {
    // Where nobody listens, nobody misses it.
    let _ = writeln!(anstream::stderr(), "subflows: {text}");
}

/// Prints a JSON document on standard error.
pub(crate) fn complain(json: &Value) {
    let _ = writeln!(io::stderr(), "{json}");
}
