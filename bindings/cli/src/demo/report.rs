//! The demonstration in figures.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use subflows::ErrorKind;

use super::history::History;
use super::story::Step;
use super::{DELAYS, NAMES, RATES};
use crate::failure::Failure;
use crate::output::Output;
use crate::table::column::{ID, LOCAL, RECEIVED, REMOTE};
use crate::table::{Align, Cell, GOOD, NOTHING, Table};
use crate::units;

/// The result of the demonstration.
pub(crate) struct Report {
    pub(super) size: u64,
    pub(super) received: u64,
    pub(super) checksum_sent: String,
    pub(super) checksum_received: String,
    pub(super) history: History,
    pub(super) steps: Vec<Step>,
    /// What each wire has carried to the client, Ethernet headers included.
    pub(super) wires: Vec<u64>,
    pub(super) chart: PathBuf,
}

/// The time between two steps, with a rate of its own in the report.
struct Phase {
    name: String,
    from: Duration,
    to: Duration,
}

impl Report {
    fn is_intact(&self) -> bool {
        self.received == self.size && self.checksum_sent == self.checksum_received
    }

    /// The whole time, from before the connection to the last byte.
    fn duration(&self) -> Duration {
        self.steps.last().map_or(Duration::ZERO, |step| step.at)
    }

    /// Fails if the received data differs from the data that was sent.
    pub(crate) fn verdict(&self) -> Result<(), Failure> {
        if self.is_intact() {
            return Ok(());
        }
        let text = format!(
            "{} of {} bytes arrived, with checksum {} instead of {}",
            self.received, self.size, self.checksum_received, self.checksum_sent
        );
        Err(Failure::new(ErrorKind::Os, text)
            .remedy("This is a bug: report it together with the output of `uname -r`."))
    }

    fn phases(&self) -> Vec<Phase> {
        let mut phases: Vec<Phase> = Vec::new();
        let end = self.duration();
        for (step, name) in self.steps.iter().filter_map(|step| Some((step, step.act.phase()?))) {
            if let Some(last) = phases.last_mut() {
                last.to = step.at;
            }
            phases.push(Phase { name, from: step.at, to: end });
        }
        phases
    }

    /// For people.
    pub(crate) fn print(&self, out: &mut Output) -> Result<(), Failure> {
        out.line("")?;
        out.table(&self.table_of_phases())?;
        out.line("")?;
        out.table(&self.table_of_paths())?;
        out.line("")?;
        let mean = self.size as f64 * 8.0 / self.duration().as_secs_f64();
        out.line(format_args!(
            "{} in {}, {} on average",
            units::bytes(self.received),
            units::duration(self.duration()),
            units::rate(mean)
        ))?;
        if self.is_intact() {
            let sum = &self.checksum_received;
            out.line(format_args!("{GOOD}intact{GOOD:#}: both ends have the sha256\n  {sum}"))?;
        }
        out.line(format_args!("chart: {}", self.chart.display()))?;
        Ok(())
    }

    fn table_of_phases(&self) -> Table {
        let mut table = Table::new([
            ("PHASE", Align::Left),
            ("FROM", Align::Right),
            ("TO", Align::Right),
            ("WIFI", Align::Right),
            ("LTE", Align::Right),
            ("TOGETHER", Align::Right),
        ]);
        for Phase { name, from, to } in self.phases() {
            let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
            let on_path = |path| match self.history.on_path(path) {
                Some(track) if track.is_seen_between(from, to) => units::rate(track.rate(from, to)),
                _ => NOTHING.to_owned(),
            };
            let rates = [on_path(0), on_path(1), units::rate(self.history.rate(from, to))];
            let cells = [name, seconds(from), seconds(to)].into_iter().chain(rates);
            table.row(cells.map(Cell::from));
        }
        table
    }

    fn table_of_paths(&self) -> Table {
        let mut table = Table::new([
            ("PATH", Align::Left),
            ID,
            LOCAL,
            REMOTE,
            RECEIVED,
            ("SHARE", Align::Right),
            ("ON THE WIRE", Align::Right),
        ]);
        for track in &self.history.tracks {
            let subflow = &track.subflow;
            table.row([
                track.name().into(),
                subflow.id.to_string().into(),
                subflow.local.to_string().into(),
                subflow.remote.to_string().into(),
                units::bytes(subflow.bytes_received).into(),
                format!("{:.1} %", self.share(subflow.bytes_received) * 100.0).into(),
                units::bytes(self.wires[track.path]).into(),
            ]);
        }
        table
    }

    /// The part of the bytes that all subflows received; a few of these bytes arrived twice.
    fn share(&self, bytes: u64) -> f64 {
        let all: u64 = self.history.tracks.iter().map(|track| track.subflow.bytes_received).sum();
        if all == 0 { 0.0 } else { bytes as f64 / all as f64 }
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let ms = |time: Duration| time.as_millis() as u64;
        let path = |track: &super::history::Track| {
            let subflow = &track.subflow;
            json!({
                "name": track.name(),
                "id": subflow.id,
                "local": subflow.local.to_string(),
                "remote": subflow.remote.to_string(),
                "rate_bits_per_second": RATES[track.path],
                "delay_us": DELAYS[track.path].as_micros() as u64,
                "bytes_received": subflow.bytes_received,
                "share": self.share(subflow.bytes_received),
                "wire_bytes": self.wires[track.path],
            })
        };
        let phase = |phase: Phase| {
            let rates = NAMES.iter().enumerate().map(|(path, name)| {
                let track = self.history.on_path(path);
                let rate = track.map_or(0.0, |track| track.rate(phase.from, phase.to));
                ((*name).to_owned(), Value::from(rate as u64))
            });
            json!({
                "name": phase.name,
                "from_ms": ms(phase.from),
                "to_ms": ms(phase.to),
                "bits_per_second": Value::Object(rates.collect()),
            })
        };
        let step = |step: &Step| {
            let act = step.act.to_string();
            json!({ "act": act, "at_ms": ms(step.at), "text": step.text })
        };
        json!({
            "bytes": self.size,
            "bytes_received": self.received,
            "duration_ms": ms(self.duration()),
            "is_intact": self.is_intact(),
            "sha256_sent": self.checksum_sent,
            "sha256_received": self.checksum_received,
            "chart": self.chart.display().to_string(),
            "paths": self.history.tracks.iter().map(path).collect::<Value>(),
            "phases": self.phases().into_iter().map(phase).collect::<Value>(),
            "steps": self.steps.iter().map(step).collect::<Value>(),
        })
    }
}
