//! The output while it runs: the steps line by line and, on a terminal, the subflows below them.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use anstyle::{Ansi256Color, AnsiColor, Style};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::termios::tcgetwinsize;

use super::history::{History, Track};
use super::story::Step;
use super::{COLOURS, FIRST};
use crate::units;

const FAINT: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();
const ALERT: Style = AnsiColor::Yellow.on_default();

const BAR: &str = "  {bar:30.green/238}  {percent:>3} %  {wide_msg}";
/// A row is drawn as it is, and cut at the width of the terminal.
const ROW: &str = "{wide_msg}";

/// The bars of a chart of one line.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const SPARKS: u32 = 16;
/// The width of rows with addresses, in columns.
const WIDE: u16 = 112;
/// The rate of the highest bar, in bits per second: that of the faster wire.
const HIGH: f64 = 200e6;

/// Where the steps are printed.
pub(super) struct Screen {
    out: Out,
    has_colours: bool,
}

enum Out {
    /// Lines only.
    Plain(Box<dyn Write>),
    /// Lines that scroll, and below them rows that change.
    Live { all: MultiProgress, rows: Vec<ProgressBar>, bar: ProgressBar },
}

impl Screen {
    /// On standard output, or on standard error if the output is for programs.
    pub(super) fn new(is_for_programs: bool) -> Screen {
        let (choice, is_terminal) = if is_for_programs {
            (AutoStream::choice(&io::stderr()), io::stderr().is_terminal())
        } else {
            (AutoStream::choice(&io::stdout()), io::stdout().is_terminal())
        };
        let has_colours = choice != ColorChoice::Never;
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let out = match (is_terminal && !is_dumb, is_for_programs) {
            (true, true) => live(ProgressDrawTarget::stderr()),
            (true, false) => live(ProgressDrawTarget::stdout()),
            (false, true) => Out::Plain(Box::new(io::stderr())),
            (false, false) => Out::Plain(Box::new(io::stdout())),
        };
        Screen { out, has_colours }
    }

    /// Prints a line that stays.
    pub(super) fn say(&mut self, text: &str) -> io::Result<()> {
        match &mut self.out {
            Out::Plain(out) => {
                writeln!(out, "{text}")?;
                out.flush()
            }
            Out::Live { all, .. } => all.println(text),
        }
    }

    /// Prints the headline.
    pub(super) fn title(&mut self, text: &str) -> io::Result<()> {
        let text = self.paint(BOLD, text);
        self.say(&text)
    }

    /// Prints a step.
    pub(super) fn step(&mut self, step: &Step) -> io::Result<()> {
        let at = self.paint(FAINT, &format!("{:5.1} s", step.at.as_secs_f64()));
        let call = self.paint(BOLD, &format!("{:<18}", step.call));
        self.say(&format!("{at}  {call}  {}", step.text))
    }

    /// Updates the rows, on a terminal.
    pub(super) fn update(&mut self, history: &History, received: u64, size: u64, is_pulled: bool) {
        let (has_colours, is_wide) = (self.has_colours, is_wide());
        let Out::Live { all, rows, bar } = &mut self.out else { return };
        while rows.len() < history.tracks.len() + 1 {
            let row = all.insert_before(bar, ProgressBar::no_length().with_style(style(ROW)));
            if rows.is_empty() {
                row.set_message(painted(has_colours, FAINT, &header(is_wide)));
            }
            rows.push(row);
        }
        let mut rate = 0.0;
        for (track, row) in history.tracks.iter().zip(&rows[1..]) {
            rate += track.rate_now();
            row.set_message(line(track, is_pulled && track.path == FIRST, is_wide, has_colours));
        }
        bar.set_position(received * 1000 / size);
        bar.set_message(format!(
            "{} of {}  {}",
            units::bytes(received),
            units::bytes(size),
            painted(has_colours, BOLD, &units::rate(rate))
        ));
    }

    /// Removes the rows; the steps stay.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        match &mut self.out {
            Out::Plain(_) => Ok(()),
            Out::Live { all, .. } => all.clear(),
        }
    }

    fn paint(&self, style: Style, text: &str) -> String {
        painted(self.has_colours, style, text)
    }
}

fn live(target: ProgressDrawTarget) -> Out {
    let all = MultiProgress::with_draw_target(target);
    let bar = all.add(ProgressBar::new(1000).with_style(style(BAR).progress_chars("━╸─")));
    Out::Live { all, rows: Vec::new(), bar }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants, and a test checks them.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn header(is_wide: bool) -> String {
    let mut text = format!(
        "\n  ID  {:<5} {:<12} {:>10}  {:>7}  {:>8}",
        "PATH", "NOW", "RATE", "RTT", "RECEIVED"
    );
    if is_wide {
        let _ = write!(text, "  {:<1$}  LOCAL → REMOTE", "", SPARKS as usize);
    }
    text
}

fn line(track: &Track, is_pulled: bool, is_wide: bool, has_colours: bool) -> String {
    let paint = |style, text: &str| painted(has_colours, style, text);
    let (word, word_style) = match &track.details {
        _ if track.closed.is_some() => ("closed", FAINT),
        _ if is_pulled => ("cable pulled", ALERT),
        Some(details) if details.is_backup => ("backup", ALERT),
        _ => ("in use", Style::new()),
    };
    let subflow = &track.subflow;
    let colour = Style::new().fg_color(Some(Ansi256Color(COLOURS[track.path].0).into()));
    let mut text = format!(
        "  {:>2}  {} {} {:>10}  {:>7}  {:>8}  {}",
        subflow.id,
        paint(colour.bold(), &format!("{:<5}", track.name())),
        paint(word_style, &format!("{word:<12}")),
        units::rate(track.rate_now()),
        units::microseconds(subflow.rtt_us.into()),
        units::bytes(subflow.bytes_received),
        paint(colour, &sparks(track)),
    );
    if is_wide {
        let ends = format!("  {} → {}", subflow.local, subflow.remote);
        text.push_str(&paint(FAINT, &ends));
    }
    text
}

/// Whether the rows have room for the addresses.
fn is_wide() -> bool {
    // If neither is a terminal, nothing is drawn.
    let size = tcgetwinsize(io::stdout()).or_else(|_| tcgetwinsize(io::stderr()));
    size.is_ok_and(|size| size.ws_col >= WIDE)
}

/// The rates of the last seconds as a row of bars.
fn sparks(track: &Track) -> String {
    const EACH: Duration = Duration::from_millis(250);
    let end = track.points.last().map_or(Duration::ZERO, |point| point.at);
    let mut text = String::new();
    for back in (0..SPARKS).rev() {
        let to = end.saturating_sub(EACH * back);
        let rate = track.rate(to.saturating_sub(EACH), to);
        let step = (rate / HIGH * HEIGHTS.len() as f64) as usize;
        let spark = if rate < HIGH / 100.0 { ' ' } else { HEIGHTS[step.min(HEIGHTS.len() - 1)] };
        let _ = write!(text, "{spark}");
    }
    text
}

fn painted(has_colours: bool, style: Style, text: &str) -> String {
    if has_colours { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_valid() {
        for template in [BAR, ROW] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
