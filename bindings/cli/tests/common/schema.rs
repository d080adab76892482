//! Checks what the command prints against the schema that it prints, by Python's jsonschema.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use subflows_lab::skip;

use super::{Run, SUBFLOWS};

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
for key, found in given["wrong"]:
    schema = {"$defs": whole["$defs"], "$ref": "#/$defs/" + key}
    if Draft202012Validator(schema).is_valid(found):
        failed = print("accepted", found) or True
sys.exit(failed)
"##;

/// A Python that has jsonschema: Debian's package is for Debian's interpreter, which need not be the first in `PATH`.
/// `None`, which is a skip, without one.
pub fn python() -> Option<&'static str> {
    let found = ["python3", "/usr/bin/python3"].into_iter().find(|python| {
        let mut import = Command::new(python);
        let found = import.args(["-c", "import jsonschema"]).stderr(Stdio::null()).status();
        found.is_ok_and(|status| status.success())
    });
    if found.is_none() {
        skip("needs Python's jsonschema (Debian: python3-jsonschema)");
    }
    found
}

/// Checks that what a verb has printed matches its schema.
pub fn check(verb: &str, objects: &Value) {
    let Some(python) = python() else { return };
    let schema = Run::of(Command::new(SUBFLOWS).args(["schema", verb, "--json"])).json();
    let printed = json!({ format!("verb-{verb}"): objects });
    // The validator must be able to fail.
    let mut less = objects[0].as_object().unwrap().clone();
    less.shift_remove(&less.keys().next().unwrap().clone());
    let wrong = json!([[format!("verb-{verb}"), less]]);
    validate(python, &json!({ "schema": schema, "printed": printed, "wrong": wrong }));
}

/// Runs the validator: `wrong` are pairs of a definition's name and an object that it must not match.
pub fn validate(python: &str, given: &Value) {
    let mut command = Command::new(python);
    let command = command.args(["-c", VALIDATE]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = command.spawn().unwrap();
    python.stdin.take().unwrap().write_all(given.to_string().as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
