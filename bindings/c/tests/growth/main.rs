//! Without these, a new field in core reaches only some of the languages, or breaks programs that
//! were compiled before.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/echo.rs"]
mod echo;
mod grown;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{library, root, run};
use echo::{echo, network};
use grown::{CHANGED, grown};
use subflows::Connect;
use subflows_lab::skip_unless_ready;

/// Every struct with its lines, and the lines outside of structs.
fn sections(abi: &str) -> Vec<(&str, Vec<&str>)> {
    let mut sections = vec![("", Vec::new())];
    for line in abi.lines().filter(|line| !line.is_empty()) {
        match (line.strip_prefix("struct "), line.starts_with("  ")) {
            (Some(name), _) => sections.push((name, Vec::new())),
            (None, true) => sections.last_mut().unwrap().1.push(line),
            (None, false) => sections[0].1.push(line),
        }
    }
    sections
}

#[test]
fn a_new_field_is_everywhere_and_moves_nothing() {
    let grown = grown();
    let today = root();
    let read = |path: &str| fs::read_to_string(grown.root.join(path)).unwrap();

    let header = read("include/subflows.h");
    for line in
        ["uint64_t receiver_limited_us;", "uint64_t sender_limited_us;", "uint32_t urgency;"]
    {
        assert_eq!(header.matches(line).count(), 1, "{line} in the header");
    }
    assert!(header.contains("SUBFLOWS_SUBFLOW_HAS_SENDER_LIMITED_US (UINT64_C(1) << 2)"));
    assert!(!header.contains("SUBFLOWS_SUBFLOW_HAS_RECEIVER_LIMITED_US"));
    let reference = read("REFERENCE.md");
    for row in ["| `receiver_limited_us` |", "| `sender_limited_us` |", "| `urgency` |"] {
        assert_eq!(reference.matches(row).count(), 1, "{row} in the reference");
    }

    let (old, new) = (fs::read_to_string(today.join(grown::ABI)).unwrap(), read(grown::ABI));
    let (old, new) = (sections(&old), sections(&new));
    assert_eq!(old.len(), new.len());
    for ((name, old), (_, new)) in old.iter().zip(&new) {
        let is_open = name.is_empty();
        let is_kept = old.iter().filter(|line| !new.contains(line)).count() == 0;
        // The lists of symbols and constants grow at their own ends.
        assert!(if is_open { is_kept } else { new.starts_with(old) }, "{name} was not appended to");
    }
    let added = |name: &str| {
        let of = |sections: &[(&str, Vec<&str>)]| {
            sections.iter().find(|(known, _)| *known == name).unwrap().1.len()
        };
        of(&new) - of(&old)
    };
    assert_eq!(added("subflows_subflow"), 2);
    // Together with its reserved members.
    assert_eq!(added("subflows_open_options"), 2);
    assert_eq!(added("subflows_info"), 0);
}

#[test]
fn nothing_but_core_was_written_by_hand() {
    let grown = grown();
    let derived = subflows_generate::all(&root()).unwrap();
    let derived: BTreeSet<&Path> = derived.iter().map(|output| output.path()).collect();
    let changed = grown.changed();
    let by_hand: Vec<_> = changed.iter().filter(|path| !derived.contains(path.as_path())).collect();
    assert_eq!(by_hand, CHANGED.map(Path::new).iter().collect::<Vec<_>>());
    assert!(changed.len() > by_hand.len());
}

#[test]
fn the_command_reports_it_too() {
    skip_unless_ready!();
    let command = grown().program("subflows");
    let net = network();
    let address = echo(&net.server, net.paths[0].server_v4.into());
    let options = Connect::new();
    let mut client = net.client.run(|| subflows::connect(address, &options)).unwrap();
    client.write_all(b"?").unwrap();
    client.read_exact(&mut [0]).unwrap();
    let token = format!("{:08x}", subflows::status(&client).unwrap().token.unwrap());
    let output = run(net.client.command(command).args(["--json", "list", &token]));
    let listed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(listed["receiver_limited_us"].is_u64(), "{listed}");
    assert!(listed["sender_limited_us"].is_u64(), "{listed}");
}

/// Compiles the program with a header.
fn compiled(name: &str, header: &Path) -> PathBuf {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("growth").join(name);
    let mut cc = Command::new("gcc");
    cc.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-g", "-I"]).arg(header);
    cc.arg(root().join("bindings/c/tests/growth/growth.c")).arg("-o").arg(&out);
    run(cc.arg("-L").arg(library()).arg("-lsubflows"));
    out
}

#[test]
fn programs_and_libraries_of_other_ages_understand_each_other() {
    skip_unless_ready!();
    let grown = grown();
    let old = compiled("compiled-today", &root().join("include"));
    let new = compiled("compiled-later", &grown.root.join("include"));
    let net = network();
    let server = net.paths[0].server_v4;
    let address = echo(&net.server, server.into());
    let local = net.paths[1].client_v4.to_string();
    for (program, folder, age) in [
        (&old, library(), "today"),
        (&old, &*grown.library(), "later"),
        (&new, &*grown.library(), "later"),
        (&new, library(), "today"),
    ] {
        let mut command = net.client.command(program);
        command.args([&server.to_string(), &address.port().to_string(), &local, age]);
        run(command.env("LD_LIBRARY_PATH", folder));
    }
}

/// The message of the generator if the list promises something that core does not have.
fn regenerated(edit: impl Fn(String) -> String) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let sources = folder.path().join("bindings/c/src");
    fs::create_dir_all(&sources).unwrap();
    for source in fs::read_dir(root().join("bindings/c/src")).unwrap() {
        let source = source.unwrap();
        fs::copy(source.path(), sources.join(source.file_name())).unwrap();
    }
    let abi = fs::read_to_string(root().join(grown::ABI)).unwrap();
    let edited = edit(abi.clone());
    assert_ne!(abi, edited);
    fs::write(folder.path().join(grown::ABI), edited).unwrap();
    subflows_generate::c::all(folder.path()).map(drop).map_err(|error| format!("{error:#}"))
}

#[test]
fn what_programs_rely_on_cannot_be_taken_away() {
    let replaced = |from: &'static str, to: &'static str| {
        regenerated(|abi| abi.replacen(from, to, 1)).expect_err(from)
    };
    let gone = replaced("uint32_t rtt_us\n", "uint32_t rtt_that_core_has_no_more_us\n");
    assert!(gone.contains("subflows_subflow") && gone.contains("rtt_that_core"), "{gone}");
    let retyped = replaced("8 uint64_t delivery_rate", "8 int32_t delivery_rate");
    assert!(retyped.contains("subflows_subflow.delivery_rate"), "{retyped}");
    let optional = replaced("uint64_t pacing_rate 0", "uint64_t pacing_rate");
    assert!(optional.contains("subflows_subflow.pacing_rate"), "{optional}");
    for why in [gone, retyped, optional] {
        assert!(why.contains("the interface only grows"), "{why}");
    }
    let symbol = replaced("symbol subflows_close ", "symbol subflows_shut ");
    assert!(symbol.contains("subflows_shut has been removed"), "{symbol}");
    let constant = replaced("SUBFLOWS_E_BUSY 16", "SUBFLOWS_E_BUSY 160");
    assert!(constant.contains("SUBFLOWS_E_BUSY"), "{constant}");
}
