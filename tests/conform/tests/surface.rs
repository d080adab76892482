//! Without these, an operation that core has is never tried in some language, or a step of a
//! scenario is only found out to be nonsense when everything before it went well.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use subflows::OPERATIONS;
use subflows_conform::language::{LANGUAGES, Language};
use subflows_conform::scenario::Scenario;
use subflows_conform::steps;

/// What a driver says that it offers.
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
fn every_step_can_be_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let scenarios = Scenario::all(&folder, "").unwrap();
    assert!(!scenarios.is_empty());
    for scenario in scenarios {
        for step in scenario.variants().iter().flat_map(|variant| &variant.steps) {
            let place = format!("{}:{}", scenario.path.display(), step.line);
            assert!(steps::is_known(step), "{place}: {}", step.text);
        }
    }
}
