//! Every verb's `--json`: an object on each line, as the schema describes it.

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use common::schema::{self, validate};
use common::*;
use serde_json::{Map, Value, json};
use subflows_lab::{Net, skip_unless_ready};

/// A verb that runs until it is asked to end.
struct Running(Child);

impl Running {
    fn start(net: &Net, arguments: &[&str]) -> Running {
        let mut command = net.client.command(SUBFLOWS);
        let command = command.args(arguments).stdin(Stdio::null());
        Running(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Waits for the first line of one of its outputs.
    fn line(output: &mut Option<impl std::io::Read>) -> String {
        let mut line = String::new();
        BufReader::new(output.take().unwrap()).read_line(&mut line).unwrap();
        line
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn every_verb_prints_what_the_schema_describes() {
    skip_unless_ready!();
    let Some(python) = schema::python() else { return };
    let (net, pair, token) = held(|net| net.paths[0].server_v4.into());
    let run = |line: &str| {
        subflows(&net.client, &["--json"].into_iter().chain(line.split(' ')).collect::<Vec<_>>())
    };
    let schema = run("schema").json();

    let mut events = Running::start(&net, &["events", "--json", "--count", "1"]);
    assert!(Running::line(&mut events.0.stderr).contains("following"));
    let opened = run(&format!("open {token} --interface eth1")).json();
    let id = opened["id"].to_string();
    let event: Value = serde_json::from_str(&Running::line(&mut events.0.stdout)).unwrap();
    let mut announce =
        Running::start(&net, &["announce", &token, "10.0.1.1", "--port", "0", "--json"]);
    let announced: Value = serde_json::from_str(&Running::line(&mut announce.0.stdout)).unwrap();

    let mut printed = Map::new();
    let add = |printed: &mut Map<String, Value>, verb: &str, objects: Value| {
        let objects = if objects.is_array() { objects } else { json!([objects]) };
        let all = printed.entry(format!("verb-{verb}")).or_insert(json!([]));
        all.as_array_mut().unwrap().extend(objects.as_array().unwrap().clone());
    };
    add(&mut printed, "open", opened);
    add(&mut printed, "events", event);
    add(&mut printed, "announce", announced);
    for line in [
        "capabilities".to_owned(),
        "connections --processes".to_owned(),
        format!("connection {token}"),
        format!("status {token}"),
        format!("info 0x{token}"),
        format!("list {token}"),
        format!("details {token} {id}"),
        format!("option {token} {id}"),
        format!("addresses {token}"),
        "endpoints add 10.0.2.1 --subflow --id 9".to_owned(),
        "endpoints".to_owned(),
        "limits".to_owned(),
        "settings".to_owned(),
        "settings checksum_enabled".to_owned(),
        "counters".to_owned(),
    ] {
        let objects = run(&line).objects();
        add(&mut printed, line.split(' ').next().unwrap(), objects);
    }
    let server = pair.listener.local_addr().unwrap();
    for line in [format!("probe {server}"), "probe 10.0.1.2:1".to_owned()] {
        let found = run(&line);
        add(&mut printed, "probe", serde_json::from_str(&found.stdout).unwrap());
    }
    add(
        &mut printed,
        "probe",
        serde_json::from_str(&run(&format!("probe --trace {server}")).stdout).unwrap(),
    );
    // Without endpoints, there is a finding.
    let found = subflows(&net.server, &["doctor", "--json"]).stdout;
    let found = found.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect();
    add(&mut printed, "doctor", found);
    // Not every kernel lets a BPF program read options.
    let can = printed["verb-capabilities"].as_array().unwrap();
    let has_options = can.iter().any(|can| can["name"] == "options" && can["is_available"] == true);
    if has_options {
        add(&mut printed, "option", run(&format!("option {token} {id} no_delay")).objects());
        add(&mut printed, "raw-option", run(&format!("raw-option {token} {id} 1 36")).objects());
        assert_eq!(run(&format!("raw-option {token} {id} 1 36 0x2a000000")).ok(), "");
    }
    let error = run("connection 1f").fails(4);
    printed.insert("error".to_owned(), json!([serde_json::from_str::<Value>(&error).unwrap()]));
    for line in ["limits set --subflows 3", "endpoints remove 9"] {
        assert_eq!(run(line).ok(), "", "{line}");
    }

    let known: Vec<_> = schema["$defs"].as_object().unwrap().keys().collect();
    // Each of these is tested with its verb.
    let elsewhere = ["verb-raw-option", "verb-serve-check", "verb-demo"];
    for verb in known.iter().filter(|name| name.starts_with("verb-")) {
        assert!(printed.contains_key(*verb) || elsewhere.contains(&verb.as_str()), "{verb}");
    }
    // The validator must be able to fail.
    let limits = printed["verb-limits"][0].clone();
    let (mut more, mut less) = (limits.clone(), limits);
    more["frobnication"] = 1.into();
    less["subflows"] = "many".into();
    let wrong = [more, less, json!({})].map(|wrong| ("Limits", wrong));
    validate(python, &json!({ "schema": schema, "printed": printed, "wrong": wrong }));
}
