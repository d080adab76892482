//! Tables for people: a header, aligned columns, two spaces between them.

use std::borrow::Cow;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

const HEADER: Style = Style::new().bold();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
pub(crate) const NOTE: Style = AnsiColor::Yellow.on_default();
pub(crate) const FAINT: Style = Style::new().dimmed();

/// What is printed for an unknown value.
pub(crate) const NOTHING: &str = "-";

const SPACES: [u8; 64] = [b' '; 64];

/// One cell: text and how it is drawn on a terminal.
pub(crate) struct Cell<'a> {
    text: Cow<'a, str>,
    style: Style,
}

impl<'a> Cell<'a> {
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn styled(text: impl Into<Cow<'a, str>>, style: Style) -> Cell<'a> {
        Cell { text: text.into(), style }
    }
}

impl<'a, T: Into<Cow<'a, str>>> From<T> for Cell<'a> {
    fn from(text: T) -> Cell<'a> {
        Cell::styled(text, Style::new())
    }
}

/// Numbers with their units are aligned to the right, so that they can be compared; words to the
/// left.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// The heading of a column and how its cells are aligned.
pub(crate) type Column = (&'static str, Align);

/// Columns that several tables have.
pub(crate) mod column {
    use super::{Align, Column};

    pub(crate) const ID: Column = ("ID", Align::Right);
    pub(crate) const LOCAL: Column = ("LOCAL", Align::Left);
    pub(crate) const REMOTE: Column = ("REMOTE", Align::Left);
    pub(crate) const RTT: Column = ("RTT", Align::Right);
    pub(crate) const SENT: Column = ("SENT", Align::Right);
    pub(crate) const RECEIVED: Column = ("RECEIVED", Align::Right);
    pub(crate) const STATE: Column = ("STATE", Align::Left);
}

/// A table that grows row by row and is printed at the end, when all widths are known.
pub(crate) struct Table {
    columns: Vec<Column>,
    widths: Vec<usize>,
    /// The texts of all cells: one piece of memory for thousands of rows.
    text: String,
    /// The length of each cell's text in bytes and the place of its style, row by row: small, because fresh
    /// memory takes longer than writing it.
    cells: Vec<(u32, u8)>,
    /// The few styles that cells have.
    styles: Vec<Style>,
}

impl Table {
    pub(crate) fn new(columns: impl IntoIterator<Item = Column>) -> Table {
        let columns: Vec<Column> = columns.into_iter().collect();
        let widths = vec![0; columns.len()];
        let titles = columns.clone();
        let mut table =
            Table { columns, widths, text: String::new(), cells: Vec::new(), styles: Vec::new() };
        table.row(titles.into_iter().map(|(title, _)| Cell::styled(title, HEADER)));
        table
    }

    /// Adds a row; cells that are missing at its end stay empty.
    pub(crate) fn row<'a>(&mut self, cells: impl IntoIterator<Item = Cell<'a>>) {
        let mut cells = cells.into_iter();
        for width in &mut self.widths {
            let Cell { text, style } = cells.next().unwrap_or_else(|| "".into());
            *width = columns(&text).max(*width);
            self.text.push_str(&text);
            let known = self.styles.iter().position(|known| *known == style);
            let place = known.unwrap_or_else(|| {
                self.styles.push(style);
                self.styles.len() - 1
            });
            // No cell has gigabytes, and no table hundreds of styles.
            self.cells.push((text.len() as u32, place as u8));
        }
    }

    /// Prints the table, with or without colours.
    pub(crate) fn print(&self, out: &mut impl Write, is_coloured: bool) -> io::Result<()> {
        let mut rest = &*self.text;
        for row in self.cells.chunks_exact(self.columns.len()) {
            let mut pending = 0;
            for (index, (length, style)) in row.iter().enumerate() {
                let (text, others) = rest.split_at(*length as usize);
                rest = others;
                let space = self.widths[index] - columns(text);
                let (before, after) = match self.columns[index].1 {
                    Align::Left => (0, space),
                    Align::Right => (space, 0),
                };
                pending += before;
                // Spaces are printed only if a cell follows, so that no line ends in spaces.
                if !text.is_empty() {
                    while pending > 0 {
                        let part = pending.min(SPACES.len());
                        out.write_all(&SPACES[..part])?;
                        pending -= part;
                    }
                    if is_coloured {
                        let style = self.styles[usize::from(*style)];
                        write!(out, "{style}{text}{style:#}")?;
                    } else {
                        out.write_all(text.as_bytes())?;
                    }
                }
                pending += after + 2;
            }
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}

/// How wide a text is. Names, numbers and addresses contain no wide characters.
fn columns(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_do_not_end_in_spaces() {
        let mut table =
            Table::new([("ID", Align::Right), ("NAME", Align::Left), ("", Align::Left)]);
        table.row(["1".into(), "wifi".into(), "".into()]);
        table.row(["12".into(), "µ".into(), "backup".into()]);
        table.row(["3".into()]);
        let mut text = Vec::new();
        table.print(&mut text, false).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text, "ID  NAME\n 1  wifi\n12  µ     backup\n 3\n");
    }
}
