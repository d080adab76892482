//! The instructions in the repository are those of the source.

use std::process::Command;

use subflows_lab::skip;

#[test]
fn the_program_is_compiled_from_its_source() {
    let compile = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sys/bpf/compile");
    if !std::path::Path::new(compile).exists() {
        return skip("the sources are not here");
    }
    let output = Command::new(compile).arg("--check").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.code() {
        Some(77) => skip(said.trim().trim_start_matches("skip: ")),
        Some(0) => {}
        _ => panic!(
            "run core/src/sys/bpf/compile:\n{said}{}",
            String::from_utf8_lossy(&output.stderr)
        ),
    }
}
