//! Without these, programs do not compile with the installed library, or do not run.

mod common;

use std::path::Path;
use std::process::Command;

use common::{root, run};

const PROGRAM: &str = "\
#include <stdio.h>
#include <subflows.h>
int main(void) {
    struct subflows_error error;
    int failed = subflows_close(-1, 1);
    subflows_last_error(&error, sizeof error);
    printf(\"%s %s %d\\n\", subflows_version(), subflows_error_name(failed), error.kind);
    return failed != -SUBFLOWS_E_INVALID_ARGUMENT;
}
";

/// The words that `pkg-config` prints.
fn flags(prefix: &Path, arguments: &[&str]) -> Vec<String> {
    let mut command = Command::new("pkg-config");
    let folder = prefix.join("lib/pkgconfig");
    let output = run(command.env("PKG_CONFIG_PATH", folder).args(arguments).arg("subflows"));
    String::from_utf8(output.stdout).unwrap().split_whitespace().map(str::to_owned).collect()
}

#[test]
fn into_an_empty_folder_and_out_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let prefix = folder.path().join("usr");
    let mut make = Command::new("make");
    run(make.arg("install").arg(format!("PREFIX={}", prefix.display())).current_dir(root()));
    let source = folder.path().join("program.c");
    std::fs::write(&source, PROGRAM).unwrap();

    let shared = folder.path().join("shared");
    let mut cc = Command::new("cc");
    cc.args(["-std=c11", "-Wall", "-Werror"]).arg(&source).arg("-o").arg(&shared);
    run(cc.args(flags(&prefix, &["--cflags", "--libs"])));
    let output = run(Command::new(&shared).env("LD_LIBRARY_PATH", prefix.join("lib")));
    let expected = format!("{} InvalidArgument 7\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);

    // With the archive only, as one file.
    for (name, flag) in [("archive", "-L."), ("wholly", "-static")] {
        let program = folder.path().join(name);
        let mut cc = Command::new("cc");
        cc.args(["-std=c11", "-Wall", flag]).arg(&source).arg("-o").arg(&program);
        let archive = format!("{}", prefix.join("lib/libsubflows.a").display());
        let libs = flags(&prefix, &["--cflags", "--libs", "--static"]);
        run(cc.args(libs.iter().map(|flag| if flag == "-lsubflows" { &archive } else { flag })));
        let output = run(&mut Command::new(&program));
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected, "{name}");
    }

    let output = run(Command::new(prefix.join("bin/subflows")).arg("--version"));
    assert!(String::from_utf8(output.stdout).unwrap().contains(env!("CARGO_PKG_VERSION")));
    for page in ["man1/subflows.1", "man3/subflows_open.3", "man7/subflows.7"] {
        assert!(prefix.join("share/man").join(page).is_file(), "{page}");
    }
    assert!(prefix.join("share/bash-completion/completions/subflows").is_file());
}
