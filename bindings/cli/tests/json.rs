//! Every verb's `--json`: an object on each line, as the schema describes it.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use common::*;
use serde_json::{Map, Value, json};
use subflows_lab::{Net, skip, skip_unless_ready};

/// Fails for each object that does not match its verb's schema, or has a member that the schema does not have.
const VALIDATE: &str = r##"
import json, sys
from jsonschema import Draft202012Validator

def close(schema):
    if isinstance(schema, dict):
        if "properties" in schema:
            schema["additionalProperties"] = False
        schema = list(schema.values())
    if isinstance(schema, list):
        for inner in schema:
            close(inner)

given = json.load(sys.stdin)
whole = given["schema"]
Draft202012Validator.check_schema(whole)
close(whole["$defs"])
failed = False
for key, objects in given["printed"].items():
    validator = Draft202012Validator({"$defs": whole["$defs"], "$ref": "#/$defs/" + key})
    if not objects:
        failed = print(key, "printed nothing") or True
    for found in objects:
        for error in validator.iter_errors(found):
            failed = print(key, error.json_path, error.message, found) or True
wrong, schema = given["wrong"], {"$defs": whole["$defs"], "$ref": "#/$defs/Limits"}
for found in wrong:
    if Draft202012Validator(schema).is_valid(found):
        failed = print("accepted", found) or True
sys.exit(failed)
"##;

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

/// A Python that has jsonschema: Debian's package is for Debian's interpreter, which need not be the first in `PATH`.
fn python() -> Option<&'static str> {
    ["python3", "/usr/bin/python3"].into_iter().find(|python| {
        let mut import = Command::new(python);
        let found = import.args(["-c", "import jsonschema"]).stderr(Stdio::null()).status();
        found.is_ok_and(|status| status.success())
    })
}

#[test]
fn every_verb_prints_what_the_schema_describes() {
    skip_unless_ready!();
    let Some(python) = python() else {
        return skip("needs Python's jsonschema (Debian: python3-jsonschema)");
    };
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
    validate(python, &json!({ "schema": schema, "printed": printed, "wrong": [more, less, {}] }));
}

fn validate(python: &str, given: &Value) {
    let mut command = Command::new(python);
    let command = command.args(["-c", VALIDATE]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = command.spawn().unwrap();
    python.stdin.take().unwrap().write_all(given.to_string().as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
