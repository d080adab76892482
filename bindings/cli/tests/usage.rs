//! The command line: usage errors end with 2, and a reader that has gone gets no error.

mod common;

use std::process::{Command, Stdio};

use common::*;

fn run(arguments: &[&str]) -> Run {
    Run::of(Command::new(SUBFLOWS).args(arguments))
}

#[test]
fn what_makes_no_sense_is_refused() {
    for arguments in [
        &["list"][..],
        &["list", "xyz"],
        &["list", "0"],
        &["list", "123456789"],
        &["close", "1f"],
        &["close", "1f", "-1"],
        &["close", "1f", "wifi"],
        &["set-backup", "1f", "1"],
        &["set-backup", "1f", "1", "perhaps"],
        &["open", "1f", "--local", "wifi"],
        &["open", "1f", "--remote", "example.org:443"],
        &["open", "1f", "--timeout", "5"],
        &["open", "1f", "--local-port", "65536"],
        &["option", "1f"],
        &["option", "1f", "1", "frobnication"],
        &["option", "1f", "1", "mark", "1", "2"],
        &["endpoints", "add"],
        &["endpoints", "add", "wifi"],
        &["endpoints", "add", "192.0.2.1", "--id", "256"],
        &["endpoints", "change", "1"],
        &["endpoints", "change", "1", "--backup", "perhaps"],
        &["endpoints", "remove", "wifi"],
        &["settings", "enabled", "yes", "no"],
        &["counters", "MPCapableSYNRX"],
        &["limits", "set"],
        &["doctor", "example.org"],
        &["probe"],
        &["probe", "example.org:https"],
        &["probe", "example.org", "--parallel", "0"],
        &["probe", "example.org", "--trace", "--send", "x"],
        &["doctor", "example.org:https"],
        &["doctor", "example.org:443", "--timeout", "5"],
        &["limits", "set", "--subflows", "many"],
        &["lab"],
        &["lab", "--", "true"],
        &["lab", "wifi:20parsec"],
        &["lab", "wi fi"],
        &["demo", "--size", "many"],
        &["demo", "--size", "1kB"],
        &["subvert"],
        &["--frobnicate"],
    ] {
        let text = run(arguments).fails(2);
        assert!(text.contains("error: ") || text.contains("Usage: "), "{arguments:?}: {text}");
    }
    let text = run(&["close", "1f", "wifi"]).fails(2);
    assert!(text.contains("as `subflows list TOKEN` prints it"), "{text}");
    let text = run(&["set-backup", "1f", "1", "perhaps"]).fails(2);
    assert!(text.contains("possible values: yes, no"), "{text}");
    let text = run(&["lab", "wifi:20parsec"]).fails(2);
    assert!(text.contains("`parsec` in `20parsec` is not a unit"), "{text}");
}

#[test]
fn help_tells_the_codes_and_the_version_is_the_projects() {
    let help = run(&["--help"]).ok();
    assert!(help.contains("Exit status:") && help.contains("not permitted"), "{help}");
    for verb in [
        "capabilities",
        "connections",
        "list",
        "open",
        "close",
        "set-backup",
        "option",
        "endpoints",
        "limits",
        "settings",
        "counters",
        "doctor",
        "probe",
        "lab",
        "demo",
    ] {
        assert!(help.contains(&format!("\n  {verb} ")), "{verb}: {help}");
        assert!(run(&[verb, "--help"]).ok().contains("Usage: subflows"), "{verb}");
    }
    let version = format!("subflows {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(&["--version"]).ok(), version);
}

#[test]
fn a_reader_who_leaves_is_no_error() {
    for arguments in [&["capabilities"][..], &["capabilities", "--json"]] {
        let mut command = Command::new(SUBFLOWS);
        let child = command.args(arguments).stdout(broken_pipe()).stderr(Stdio::piped());
        let output = child.spawn().unwrap().wait_with_output().unwrap();
        assert!(output.status.success(), "{:?}", output.status);
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    }
}

#[test]
fn capabilities_have_the_fields_of_the_table() {
    use subflows::table::Record;
    let json = run(&["capabilities", "--json"]).json();
    let all = json.as_array().unwrap();
    assert!(!all.is_empty());
    for capability in all {
        assert_eq!(names(capability), fields(subflows::Capability::FIELDS));
    }
    let text = run(&["capabilities"]).ok();
    for capability in all {
        assert!(text.contains(capability["name"].as_str().unwrap()), "{text}");
    }
}

#[test]
fn colours_are_for_terminals() {
    let command = format!("'{SUBFLOWS}' capabilities");
    let on_a_terminal = |no_color: &str| {
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command", &command, "/dev/null"]);
        script.env("TERM", "xterm-256color").env("NO_COLOR", no_color);
        script.stdin(Stdio::null()).output()
    };
    let Ok(coloured) = on_a_terminal("") else {
        return subflows_lab::skip("needs script(1), for a terminal");
    };
    assert!(coloured.stdout.contains(&0x1b), "{coloured:?}");
    assert!(!on_a_terminal("1").unwrap().stdout.contains(&0x1b));
    assert!(!run(&["capabilities"]).ok().contains('\x1b'));
}
