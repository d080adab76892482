//! The table of ratios, from the medians that criterion has just written.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::common::{self, verdict};
use crate::options;

/// What is compared, and how far apart the two may be.
struct Bar {
    what: &'static str,
    group: &'static str,
    ours: &'static str,
    other: &'static str,
    /// Ours must be at most this many times the other.
    limit: f64,
}

const BARS: [Bar; 9] = [
    Bar { what: "info / raw MPTCP_INFO", group: "info", ours: "ours", other: "raw", limit: 1.2 },
    Bar {
        what: "info of a controlled connection / raw MPTCP_INFO",
        group: "info of a controlled one",
        ours: "ours",
        other: "raw",
        limit: 1.2,
    },
    Bar {
        what: "list of two / raw MPTCP_FULL_INFO",
        group: "list",
        ours: "ours",
        other: "raw",
        limit: 1.3,
    },
    Bar {
        what: "connection(token) / raw diag look-up",
        group: "connection",
        ours: "ours",
        other: "raw",
        limit: 1.5,
    },
    Bar {
        what: "connections() at 5000 / raw dumps",
        group: "connections",
        ours: "ours",
        other: "raw",
        limit: 1.5,
    },
    Bar {
        what: "connections() at 5000 / `ss -Mni`",
        group: "connections",
        ours: "ours",
        other: "ss",
        limit: 0.2,
    },
    Bar {
        what: "open to usable, held back for 50 ms / raw create to established",
        group: "open",
        ours: "ours",
        other: "raw",
        limit: 2.0,
    },
    // The answer takes one round trip; becoming usable takes two.
    Bar {
        what: "the same with a round trip of 2 ms, not held back",
        group: "open far away",
        ours: "ours",
        other: "raw",
        limit: 2.5,
    },
    Bar {
        what: "set_option with 10 connections / an empty iterator",
        group: "options of 20",
        ours: "ours",
        other: "raw",
        limit: 1.2,
    },
];
/// How much longer `set_option` may take among 1000 sockets.
const AMONG_MANY_NS: f64 = 1e6;
/// Taking control has no raw call to compare with: its limit is a time.
const TAKE_CONTROL_NS: f64 = 80_000.0;

/// The median in nanoseconds.
fn median(folder: &Path, group: &str, function: &str) -> Option<f64> {
    let path = folder.join(group).join(function).join("new/estimates.json");
    let json: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
    json["median"]["point_estimate"].as_f64()
}

fn time(ns: f64) -> String {
    match ns {
        ns if ns >= 1e6 => format!("{:.2} ms", ns / 1e6),
        ns if ns >= 1e3 => format!("{:.2} µs", ns / 1e3),
        ns => format!("{ns:.0} ns"),
    }
}

fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let kernel = read("/proc/sys/kernel/osrelease");
    let (model, kernel) = (model.unwrap_or("unknown processor"), kernel.trim());
    format!("Linux {kernel}, {cores} processors ({model}), medians of one run.")
}

pub fn write() {
    let folder = common::target().join("criterion");
    let mut table = String::from(
        "| what | ours | compared with | ratio | bar | |\n|---|---|---|---|---|---|\n",
    );
    for bar in &BARS {
        let ours = median(&folder, bar.group, bar.ours);
        let other = median(&folder, bar.group, bar.other);
        let (Some(ours), Some(other)) = (ours, other) else { continue };
        let ratio = ours / other;
        let verdict = verdict(ratio <= bar.limit);
        let _ = writeln!(
            table,
            "| {} | {} | {} | {ratio:.2} | ≤ {} | {verdict} |",
            bar.what,
            time(ours),
            time(other),
            bar.limit
        );
    }
    let walks = options::GROUPS
        .map(|(group, sockets)| median(&folder, group, "ours").map(|ours| (ours, sockets as f64)));
    if let [Some((few, fewer)), Some((many, more))] = walks {
        let verdict = verdict(many - few <= AMONG_MANY_NS);
        let _ = writeln!(
            table,
            "| set_option among 1000 TCP sockets, {} for each | {} | {} | {:.2} | ≤ {} more | {verdict} |",
            time((many - few) / (more - fewer)),
            time(many),
            time(few),
            many / few,
            time(AMONG_MANY_NS)
        );
    }
    for (what, group) in [
        ("take_control, crash-safe / an empty child", "take_control"),
        ("the same on one processor", "take_control on one processor"),
    ] {
        let (ours, child) = (median(&folder, group, "ours"), median(&folder, group, "raw"));
        let (Some(ours), Some(child)) = (ours, child) else { continue };
        let verdict = verdict(ours <= TAKE_CONTROL_NS);
        let _ = writeln!(
            table,
            "| {what} | {} | {} | {:.2} | ≤ {} | {verdict} |",
            time(ours),
            time(child),
            ours / child,
            time(TAKE_CONTROL_NS)
        );
    }
    let text = format!("{}\n\n{table}", machine());
    println!("\n{text}");
    common::write("benchmarks.md", &text);
}
