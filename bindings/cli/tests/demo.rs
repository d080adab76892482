//! `subflows demo`: all steps are taken, and the data arrives.

mod common;

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use common::*;
use serde_json::Value;
use subflows_lab::{skip, skip_unless_ready};

/// Small enough to be quick, large enough to take a second at the rates of the wires.
const SIZE: &str = "24MiB";
const BYTES: u64 = 24 << 20;
const LONGEST: Duration = Duration::from_secs(45);

#[test]
fn the_demonstration_succeeds() {
    skip_unless_ready!();
    let folder = Folder::new();
    let chart = folder.file("chart.svg");
    let start = Instant::now();
    let run = Run::of(Command::new(SUBFLOWS).args(["demo", "--size", SIZE, "--chart", &chart]));
    assert!(start.elapsed() < LONGEST, "{:?}", start.elapsed());
    assert_eq!(run.stderr, "");
    let text = run.ok();
    for word in ["connect(", "list(", "open(", "set_backup(", "close(", "wifi", "lte", "Mbit/s"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(text.contains("intact: both ends have the sha256"), "{text}");
    assert!(text.contains(&chart), "{text}");
    assert!(!text.contains('\x1b') && !text.contains('\r'), "drawn for a terminal: {text:?}");
    let lines = text.lines().filter(|line| !line.starts_with("chart: "));
    let longest = lines.map(|line| line.chars().count()).max();
    assert!(longest <= Some(80), "{longest:?}: {text}");
    let svg = fs::read_to_string(chart).unwrap();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    for word in ["wifi, subflow 1", "lte, subflow 2", "together", "open lte", "close wifi"] {
        assert!(svg.contains(word), "{word}");
    }
}

#[test]
fn programs_get_the_figures() {
    skip_unless_ready!();
    let folder = Folder::new();
    let chart = folder.file("chart.svg");
    let arguments = ["demo", "--json", "--size", SIZE, "--chart", &chart];
    let run = Run::of(Command::new(SUBFLOWS).args(arguments));
    assert!(run.stderr.contains("set_backup("), "the steps are on standard error: {run:?}");
    let json = run.json();
    schema::check("demo", &Value::Array(vec![json.clone()]));
    assert_eq!(json["bytes_received"], BYTES);
    assert_eq!(json["is_intact"], true);
    assert_eq!(json["sha256_sent"], json["sha256_received"]);
    let acts: Vec<_> = json["steps"].as_array().unwrap().iter().map(|step| &step["act"]).collect();
    let expected = ["connect", "list", "open", "set_backup", "pull_cable", "close", "finish"];
    assert_eq!(acts, expected);
    assert_eq!(json["paths"].as_array().unwrap().len(), 2, "{json}");
    for (path, name) in json["paths"].as_array().unwrap().iter().zip(["wifi", "lte"]) {
        assert_eq!(path["name"], name);
        // Each path carried a part of the data, and the counters of its wire agree.
        let received = path["bytes_received"].as_u64().unwrap();
        assert!(received > BYTES / 20, "{json}");
        assert!(path["wire_bytes"].as_u64().unwrap() > received, "{json}");
    }
    // With the cable pulled, only the second path carries data.
    let phases = json["phases"].as_array().unwrap();
    let last = phases.last().unwrap();
    assert_eq!(last["bits_per_second"]["wifi"], 0, "{json}");
    assert!(last["bits_per_second"]["lte"].as_u64().unwrap() > 1_000_000, "{json}");
}

#[test]
fn the_data_is_the_same_in_every_run() {
    skip_unless_ready!();
    let folder = Folder::new();
    let chart = folder.file("chart.svg");
    let arguments = ["demo", "--json", "--size", "1MiB", "--chart", &chart];
    let json = Run::of(Command::new(SUBFLOWS).args(arguments)).json();
    assert_eq!(json["is_intact"], true);
    let expected = "76a2397bdd10b081391f55682038f124388bd00afa08a26936f7f8bec9b46a35";
    assert_eq!(json["sha256_received"], expected);
}

#[test]
fn on_a_terminal_it_is_drawn() {
    skip_unless_ready!();
    let folder = Folder::new();
    let demo = format!("'{SUBFLOWS}' demo --size 8MiB --chart '{}'", folder.file("chart.svg"));
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &demo, "/dev/null"]);
    if command.env("TERM", "xterm-256color").output().is_err() {
        return skip("needs script(1), for a terminal");
    }
    let text = Run::of(&mut command).ok();
    for word in ["\x1b[", "━", "RECEIVED", "in use", "intact"] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn a_chart_that_cannot_be_written_is_reported_at_once() {
    skip_unless_ready!();
    let text = Run::of(Command::new(SUBFLOWS).args(["demo", "--chart", "/no/such/chart.svg"]));
    let text = text.fails(1);
    assert!(text.contains("/no/such/chart.svg") && text.contains("--chart"), "{text}");
}

#[test]
fn an_ordinary_user_sees_it_too() {
    if !has_nobody() {
        return;
    }
    let folder = Folder::new();
    let copy = folder.command();
    let nobody = |program: &str, arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        as_nobody(&mut command, program);
        Run::of(command.current_dir(folder.path()).args(arguments))
    };
    if nobody("unshare", &["-Urn", "true"]).code != Some(0) {
        let text = nobody(&copy, &["demo"]).fails(3);
        assert!(text.contains("root"), "{text}");
        return skip("ordinary users may not make user namespaces here");
    }
    let json = nobody(&copy, &["demo", "--json", "--size", "8MiB"]).json();
    assert_eq!(json["is_intact"], true, "{json}");
    assert!(folder.path().join("subflows-demo.svg").exists(), "the default chart");
}
