//! Printing results: tables for people or JSON for programs, on standard output.

use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use serde::Serialize;
use serde_json::Value;

use crate::failure::Failure;
use crate::table::Table;

/// Standard output, and the form of the results.
pub(crate) struct Output {
    stdout: AutoStream<io::Stdout>,
    is_json: bool,
}

impl Output {
    pub(crate) fn new(is_json: bool) -> Output {
        // Colours only for a terminal, and not if NO_COLOR is set or TERM is dumb.
        Output { stdout: AutoStream::auto(io::stdout()), is_json }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.is_json
    }

    /// Prints a table.
    pub(crate) fn table(&mut self, table: &Table) -> io::Result<()> {
        // At once: a stream that removes colours is slow in small pieces, and one without has none to remove.
        let mut text = Vec::new();
        table.print(&mut text, self.stdout.current_choice() != ColorChoice::Never)?;
        self.write(&text)
    }

    /// Prints text without colours, or with those that standard output takes.
    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        let stdout = self.stdout.as_inner();
        stdout.lock().write_all(text)?;
        stdout.lock().flush()
    }

    /// Prints a line for people.
    pub(crate) fn line(&mut self, text: impl std::fmt::Display) -> io::Result<()> {
        writeln!(self.stdout, "{text}")?;
        self.stdout.flush()
    }

    /// Reports that a verb without a result has succeeded: by a line for people, `null` for
    /// programs.
    pub(crate) fn done(&mut self, text: impl std::fmt::Display) -> Result<(), Failure> {
        if self.is_json {
            return Ok(self.json(&Value::Null)?);
        }
        Ok(self.line(text)?)
    }

    /// Prints a JSON document: indented on a terminal, else on one line, for tools that read lines.
    pub(crate) fn json(&mut self, json: &impl Serialize) -> io::Result<()> {
        let mut text = match io::stdout().is_terminal() {
            true => serde_json::to_vec_pretty(json)?,
            false => serde_json::to_vec(json)?,
        };
        text.push(b'\n');
        self.write(&text)
    }
}

/// Prints a remark on standard error.
pub(crate) fn note(text: impl std::fmt::Display) {
    // The result is more important than a failure to print this.
    let _ = writeln!(anstream::stderr(), "subflows: {text}");
}

/// Prints a JSON document on standard error.
pub(crate) fn print_error(json: &Value) {
    let _ = writeln!(io::stderr(), "{json}");
}
