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
    let make = make.arg("install").arg(format!("PREFIX={}", prefix.display()));
    // The library is the one that is shipped. The command would take as long to build as all tests.
    let output = run(make.current_dir(root()).env("SUBFLOWS_PROFILE", "dev"));
    // A program that was linked in the usual way would not start from there.
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains(&format!("LD_LIBRARY_PATH={}/lib", prefix.display())), "{told}");
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
    for header in ["subflows_ffi.h", "subflows/enhanced.h"] {
        assert!(prefix.join("include").join(header).is_file(), "{header}");
    }
    let words = ["run", "--", "sh", "-c", "echo $LD_PRELOAD"];
    let output = run(Command::new(prefix.join("bin/subflows")).args(words));
    let library = prefix.join("lib/subflows/libsubflows_preload.so").canonicalize().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), library.to_str().unwrap());
    has_the_broker(&prefix);

    is_usable_elsewhere(&prefix, &folder.path().join("moved"), &source, &expected);
}

/// The units start the command that was installed with them.
fn has_the_broker(prefix: &Path) {
    let units = prefix.join("lib/systemd/system");
    let service = std::fs::read_to_string(units.join("subflows-broker.service")).unwrap();
    let start = format!("ExecStart={}/bin/subflows broker\n", prefix.display());
    assert!(service.contains(&start) && !service.contains('@'), "{service}");
    for file in ["sysusers.d/subflows.conf", "tmpfiles.d/subflows.conf"] {
        assert!(prefix.join("lib").join(file).is_file(), "{file}");
    }
    let units = ["service", "socket"].map(|kind| units.join(format!("subflows-broker.{kind}")));
    let verified =
        Command::new("systemd-analyze").args(["verify", "--man=no"]).args(&units).output();
    match verified {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            // It also reports what is wrong with the units of the system.
            let ours: Vec<&str> = text.lines().filter(|line| line.contains("subflows")).collect();
            assert!(ours.is_empty(), "{text}");
        }
        Err(error) => eprintln!("skip: systemd-analyze verify: {error}"),
    }
}

/// A tree that was moved as a whole, as a package for another place is.
fn is_usable_elsewhere(prefix: &Path, moved: &Path, source: &Path, expected: &str) {
    std::fs::rename(prefix, moved).unwrap();
    let words = flags(moved, &["--define-prefix", "--cflags", "--libs"]);
    let old = prefix.display().to_string();
    assert!(!words.iter().any(|word| word.contains(&old)), "{words:?}");
    let program = moved.with_extension("program");
    let mut cc = Command::new("cc");
    run(cc.args(["-std=c11", "-Wall", "-Werror"]).arg(source).arg("-o").arg(&program).args(words));
    let output = run(Command::new(&program).env("LD_LIBRARY_PATH", moved.join("lib")));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected, "moved");
}

/// Installs over the system's folders, in a mount namespace where what is written is lost.
const INTO_THE_SYSTEM: &str = r#"
mkdir "$1"
mount -t tmpfs none "$1"
for folder in /usr/local /etc /var/cache; do
    mkdir -p "$1$folder" "$1/work$folder"
    mount -t overlay overlay \
        -o "lowerdir=$folder,upperdir=$1$folder,workdir=$1/work$folder" "$folder" || exit 77
done
make --silent install
cc -std=c11 -Wall -Werror "$2" -o "$1/program" $(pkg-config --cflags --libs subflows)
exec "$1/program"
"#;

/// What README shows: the program is built and started, and nothing else is needed.
#[test]
fn a_program_starts_after_the_usual_installation() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("program.c");
    std::fs::write(&source, PROGRAM).unwrap();
    let mut unshare = Command::new("unshare");
    // The system's folders and the repository belong to root, or to the user who is root here.
    unshare.args(["--mount", "sh", "-euc", INTO_THE_SYSTEM, "sh"]);
    unshare.arg(folder.path().join("layers")).arg(&source).current_dir(root());
    unshare.env("SUBFLOWS_PROFILE", "dev");
    let output =
        unshare.env_remove("PKG_CONFIG_PATH").env_remove("LD_LIBRARY_PATH").output().unwrap();
    if output.status.code() == Some(77) {
        subflows_lab::skip("this kernel or user may not mount an overlay");
        return;
    }
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let expected = format!("{} InvalidArgument 7\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}
