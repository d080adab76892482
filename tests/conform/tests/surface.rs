//! Without these tests, a driver could lack an operation of core, and a misspelled step would fail only
//! after all steps before it have succeeded.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use subflows::OPERATIONS;
use subflows_conform::language::{LANGUAGES, Language};
use subflows_conform::scenario::Scenario;
use subflows_conform::steps;

/// The verbs that a driver offers.
fn offered(language: &Language) -> BTreeSet<String> {
    let mut command = language.command();
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"hello\nquit\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let answer = String::from_utf8(output.stdout).unwrap();
    let verbs = answer.split_whitespace().find_map(|word| word.strip_prefix("verbs=")).unwrap();
    verbs.split(',').map(str::to_owned).collect()
}

#[test]
fn every_driver_offers_every_operation() {
    for (name, _) in LANGUAGES {
        let offered = offered(&Language::build(name).unwrap());
        let names = OPERATIONS.iter().map(|operation| operation.name);
        let missing: Vec<_> = names.filter(|name| !offered.contains(*name)).collect();
        assert!(missing.is_empty(), "{name}: {missing:?}");
    }
}

#[test]
fn every_step_matches_a_sentence() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let scenarios = Scenario::all(&folder, "").unwrap();
    assert!(!scenarios.is_empty());
    let mut unknown = BTreeSet::new();
    for scenario in scenarios {
        for step in scenario.variants().iter().flat_map(|variant| &variant.steps) {
            if !steps::is_known(step) {
                unknown.insert(format!("{}:{}: {}", scenario.path.display(), step.line, step.text));
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}
