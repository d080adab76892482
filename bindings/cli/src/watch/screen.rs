//! Drawing what `watch` knows.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Cell, Row, Table, TableState};
use subflows::{Connection, Details, SubflowState, address_text};

use super::model::{Model, by_age, counters, total};
use super::rates::{Flow, chart};
use crate::row::{end, state_of};
use crate::table::NOTHING;
use crate::token::Token;
use crate::units;

const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const FAINT: Style = Style::new().add_modifier(Modifier::DIM);
const KEYS: &str = "q quit  ↑↓ select  PgUp/PgDn page  s sort  r reverse";

/// A line of the table: a connection, or one of its subflows.
struct Shown<'a> {
    connection: &'a Connection,
    subflow: Option<&'a Details>,
    flow: Option<&'a Flow>,
    is_narrow: bool,
}

/// A column, and from which width of the terminal on it is shown.
struct Column {
    title: &'static str,
    from: u16,
    is_right: bool,
    text: fn(&Shown<'_>) -> String,
}

/// From this width on, both ends of a subflow are shown. Below, its local address is shown, which names its path.
const WIDE: u16 = 120;
/// From this width on, the byte counts are shown as well.
const WIDEST: u16 = 140;
/// The longest address on a narrow terminal.
const SHORT: usize = 22;

const COLUMNS: &[Column] = &[
    Column { title: "TOKEN", from: 0, is_right: false, text: token },
    Column { title: "LOCAL", from: WIDE, is_right: false, text: local },
    Column { title: "REMOTE", from: 0, is_right: false, text: remote },
    Column { title: "RTT", from: 0, is_right: true, text: rtt },
    Column { title: "SENDS", from: 0, is_right: true, text: |row| rate(row, 0) },
    Column { title: "RECEIVES", from: 0, is_right: true, text: |row| rate(row, 1) },
    Column { title: "SENT", from: WIDEST, is_right: true, text: |row| units::bytes(bytes(row, 0)) },
    Column {
        title: "RECEIVED",
        from: WIDEST,
        is_right: true,
        text: |row| units::bytes(bytes(row, 1)),
    },
    Column { title: "STATE", from: 0, is_right: false, text: state },
];

fn token(row: &Shown<'_>) -> String {
    match row.subflow {
        None => Token(row.connection.token).to_string(),
        Some(subflow) if row.is_narrow => {
            format!(" {}", cut(subflow.local.ip().to_canonical().to_string()))
        }
        Some(_) => " subflow".to_owned(),
    }
}

fn local(row: &Shown<'_>) -> String {
    match row.subflow {
        None => address_text::written(row.connection.local),
        Some(subflow) => end(subflow.local, subflow.interface.as_deref()),
    }
}

fn remote(row: &Shown<'_>) -> String {
    let remote = row.subflow.map_or(row.connection.remote, |subflow| subflow.remote);
    let written = address_text::written(remote);
    if row.is_narrow { cut(written) } else { written }
}

/// The end of a long address, which distinguishes it from others.
fn cut(text: String) -> String {
    match text.len().checked_sub(SHORT) {
        Some(over @ 1..) => format!("…{}", &text[over + 1..]),
        _ => text,
    }
}

fn rtt(row: &Shown<'_>) -> String {
    row.subflow.map_or(String::new(), |subflow| units::microseconds(subflow.rtt_us.into()))
}

fn rate(row: &Shown<'_>, direction: usize) -> String {
    let rate = row.flow.and_then(Flow::rate);
    rate.map_or(NOTHING.to_owned(), |rate| units::rate(rate[direction] * 8.0))
}

fn bytes(row: &Shown<'_>, direction: usize) -> u64 {
    row.subflow.map_or_else(|| total(row.connection), counters)[direction]
}

fn state(row: &Shown<'_>) -> String {
    let connection = row.connection;
    match row.subflow {
        Some(subflow) => state_of(subflow.state, Some(subflow)).text().to_owned(),
        None if connection.is_fallen_back => "plain TCP".to_owned(),
        None if connection.state == SubflowState::Established => String::new(),
        None => connection.state.name().to_owned(),
    }
}

pub(super) fn draw(
    frame: &mut Frame<'_>,
    model: &Model,
    remark: Option<&str>,
    state: &mut TableState,
) {
    let [top, middle, bottom] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)])
            .areas(frame.area());
    frame.render_widget(Line::styled(headline(model), BOLD), top);
    let last = match remark {
        Some(remark) => Line::styled(remark, Style::new().fg(Color::Yellow)),
        None => Line::styled(KEYS, FAINT),
    };
    frame.render_widget(last, bottom);
    if model.connections.is_empty() {
        let none = "no Multipath TCP connections in this network namespace";
        return frame.render_widget(Line::raw(none), middle);
    }
    table(frame, model, middle, state);
}

fn headline(model: &Model) -> String {
    let rates = model.total_rate().map(|rates| rates.map(|rate| units::rate(rate * 8.0)));
    let rates = rates
        .map_or(String::new(), |[sent, received]| format!("  sends {sent}, receives {received}"));
    let order = if model.is_reversed { ", reversed" } else { "" };
    let count =
        |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    format!(
        "{}, {}{rates}  by {}{order}",
        count(model.connections.len(), "connection"),
        count(model.subflows(), "subflow"),
        model.sort.name(),
    )
}

fn table(frame: &mut Frame<'_>, model: &Model, area: Rect, state: &mut TableState) {
    let columns: Vec<_> = COLUMNS.iter().filter(|column| column.from <= area.width).collect();
    let mut widths: Vec<_> = columns.iter().map(|column| column.title.len()).collect();
    let mut lines = Vec::new();
    let mut selected = 0;
    for (place, connection) in model.connections.iter().enumerate() {
        if place == model.place() {
            selected = lines.len();
        }
        let mut subflows: Vec<_> = connection.subflows.iter().collect();
        subflows.sort_by(|a, b| by_age(a, b));
        for subflow in std::iter::once(None).chain(subflows.into_iter().map(Some)) {
            let flow = model.flow(connection, subflow);
            let shown = Shown { connection, subflow, flow, is_narrow: area.width < WIDE };
            let texts: Vec<_> = columns.iter().map(|column| (column.text)(&shown)).collect();
            for (width, text) in widths.iter_mut().zip(&texts) {
                *width = (*width).max(text.chars().count());
            }
            lines.push((shown, texts));
        }
    }
    // What is left is for the chart.
    let used: usize = widths.iter().map(|width| width + 1).sum();
    let chart_width = usize::from(area.width).saturating_sub(used).min(60);
    let rows = lines.into_iter().map(|(shown, texts)| {
        let most =
            model.flow(shown.connection, None).map_or(Vec::new(), |flow| flow.newest(chart_width));
        let rates = shown.flow.map_or(Vec::new(), |flow| flow.newest(chart_width));
        // A subflow's bars are as high as those of its connection.
        let most = most.into_iter().chain(rates.iter().copied()).fold(0.0, f64::max);
        let cells = columns.iter().zip(texts).map(|(column, text)| cell(text, column.is_right));
        let bars =
            Cell::from(chart(&rates, most, chart_width)).style(Style::new().fg(Color::Green));
        let row = Row::new(cells.chain([bars]));
        if shown.subflow.is_none() { row.style(BOLD) } else { row }
    });
    let header = columns.iter().map(|column| cell(column.title.to_owned(), column.is_right));
    let widths = widths.iter().copied().chain([chart_width]);
    let widths = widths.map(|width| Constraint::Length(u16::try_from(width).unwrap_or(u16::MAX)));
    let table = Table::new(rows.collect::<Vec<_>>(), widths.collect::<Vec<_>>())
        .header(Row::new(header.collect::<Vec<_>>()).style(FAINT))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    state.select(Some(selected));
    frame.render_stateful_widget(table, area, state);
}

fn cell(text: String, is_right: bool) -> Cell<'static> {
    let text = Text::raw(text);
    Cell::from(if is_right { text.right_aligned() } else { text })
}
