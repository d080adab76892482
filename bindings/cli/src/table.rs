//! Tables for people: a header, aligned columns, two spaces between them.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

const HEADER: Style = Style::new().bold();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
pub(crate) const NOTE: Style = AnsiColor::Yellow.on_default();
pub(crate) const FAINT: Style = Style::new().dimmed();

/// What is printed for an unknown value.
pub(crate) const NOTHING: &str = "-";

/// One cell: text and how it is drawn on a terminal.
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    #[cfg(test)]
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn styled(text: impl Into<String>, style: Style) -> Cell {
        Cell { text: text.into(), style }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Cell {
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
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(crate) fn new(columns: impl IntoIterator<Item = Column>) -> Table {
        Table { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row; cells that are missing at its end stay empty.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Prints the table, with or without colours.
    pub(crate) fn print(&self, out: &mut impl Write, is_coloured: bool) -> io::Result<()> {
        let width = |index: usize, title: &str| {
            let cells = self.rows.iter().filter_map(|row| row.get(index));
            cells.map(|cell| columns(&cell.text)).max().unwrap_or(0).max(columns(title))
        };
        let widths: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(index, (title, _))| width(index, title))
            .collect();
        let header: Vec<_> =
            self.columns.iter().map(|(title, _)| Cell::styled(*title, HEADER)).collect();
        self.print_row(out, &header, &widths, is_coloured)?;
        self.rows.iter().try_for_each(|row| self.print_row(out, row, &widths, is_coloured))
    }

    fn print_row(
        &self,
        out: &mut impl Write,
        row: &[Cell],
        widths: &[usize],
        is_coloured: bool,
    ) -> io::Result<()> {
        let mut pending = 0;
        for (index, cell) in row.iter().enumerate() {
            let space = widths[index].saturating_sub(columns(&cell.text));
            let (before, after) = match self.columns[index].1 {
                Align::Left => (0, space),
                Align::Right => (space, 0),
            };
            // Spaces are printed only if a cell follows, so that no line ends in spaces.
            if !cell.text.is_empty() {
                let Cell { text, style } = cell;
                write!(out, "{:1$}", "", pending + before)?;
                match is_coloured {
                    true => write!(out, "{style}{text}{style:#}")?,
                    false => out.write_all(text.as_bytes())?,
                }
                pending = 0;
            } else {
                pending += before;
            }
            pending += after + 2;
        }
        writeln!(out)
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
