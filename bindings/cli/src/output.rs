//! Printing results on standard output: tables for people or, for programs, JSON with an object on each line.

use std::io::{self, BufWriter, Write};

use anstream::{AutoStream, ColorChoice};
use serde_json::Value;
use subflows::table::Reflect;

use crate::failure::Failure;
use crate::json;
use crate::shown;
use crate::table::Table;

/// How much is written at once.
const CHUNK: usize = 64 << 10;

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
        // The stream that removes colours is slow, and without colours has none to remove.
        let is_coloured = self.stdout.current_choice() != ColorChoice::Never;
        let mut out = BufWriter::with_capacity(CHUNK, self.stdout.as_inner().lock());
        table.print(&mut out, is_coloured)?;
        out.flush()
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

    /// Reports that a verb without a result has succeeded: by a line for people, and not at all for programs,
    /// which read the exit status.
    pub(crate) fn done(&mut self, text: impl std::fmt::Display) -> Result<(), Failure> {
        if self.is_json {
            return Ok(());
        }
        Ok(self.line(text)?)
    }

    /// Prints a record: its fields one below the other for people, an object for programs.
    pub(crate) fn record(&mut self, record: &dyn Reflect) -> Result<(), Failure> {
        if self.is_json {
            self.objects([record], json::write)?
        } else {
            self.table(&shown::record(record))?
        }
        Ok(())
    }

    /// Prints the records of a list for programs, each on a line of its own.
    pub(crate) fn records<T: Reflect>(&mut self, records: &[T]) -> io::Result<()> {
        let mut writer = json::Writer::default();
        self.objects(records, |text, record| writer.write(text, record))
    }

    /// Prints an object for programs, on a line of its own.
    pub(crate) fn object(&mut self, object: &Value) -> io::Result<()> {
        self.objects([object], |text, object| text.extend_from_slice(object.to_string().as_bytes()))
    }

    /// Prints objects for programs, each on a line of its own; nothing if there are none.
    pub(crate) fn objects<T>(
        &mut self,
        objects: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Vec<u8>, T),
    ) -> io::Result<()> {
        // A system call for each line would take longer than the line, and memory for all of them as well.
        let mut text = Vec::with_capacity(2 * CHUNK);
        for object in objects {
            write(&mut text, object);
            text.push(b'\n');
            if text.len() >= CHUNK {
                self.stdout.as_inner().lock().write_all(&text)?;
                text.clear();
            }
        }
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
