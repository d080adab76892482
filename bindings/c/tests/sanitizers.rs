//! Without these, a leak, a read of uninitialized memory or an access beyond a buffer goes
//! unnoticed.

mod common;
#[path = "common/echo.rs"]
mod echo;

use std::process::Command;

use common::{program, root, run};
use echo::{ends, network, userspace};
use subflows_lab::{Namespace, Net, ready, skip_unless_ready};

/// With it, the program calls the second form of each function that can fail.
const SECOND_FORMS: &str = "bindings/c/tests/second_forms.h";

/// The flags of the compiler for the two forms.
fn forms() -> [Vec<String>; 2] {
    let header = root().join(SECOND_FORMS).display().to_string();
    [Vec::new(), vec!["-include".to_owned(), header]]
}

/// Runs the program by `command`, over IPv4 and IPv6.
fn over_both_families(net: &Net, words: &[&str], command: impl Fn(&Namespace) -> Command) {
    for ends in ends(net) {
        run(command(&net.client).args(ends).args(words));
    }
}

/// The sanitizers check only the functions that are called.
#[test]
fn the_program_uses_everything() {
    let text = std::fs::read_to_string(root().join("bindings/c/tests/everything.c")).unwrap();
    let text = text + &std::fs::read_to_string(root().join("bindings/c/tests/check.h")).unwrap();
    let second_forms = std::fs::read_to_string(root().join(SECOND_FORMS)).unwrap();
    let abi = std::fs::read_to_string(root().join("bindings/c/abi.txt")).unwrap();
    let symbols = abi.lines().filter_map(|line| line.strip_prefix("symbol ")?.split(' ').next());
    let is_used = |name: &&str| match name.strip_suffix("_e") {
        Some(first) => {
            second_forms.contains(&format!("{name}(")) && text.contains(&format!("{first}("))
        }
        None => text.contains(&format!("{name}(")),
    };
    let unused: Vec<_> = symbols.filter(|name| !is_used(name)).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

/// Valgrind does not support the kind of child process that `take_control` makes, so that the
/// namespace controls all connections here. Memory that is still reachable at the end is the data
/// of the threads.
fn by_valgrind(flags: &[&str], environment: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    let net = network();
    userspace(&net.client);
    for form in forms() {
        let form: Vec<&str> = form.iter().map(String::as_str).collect();
        let program = program(folder.path(), "everything", &form);
        over_both_families(&net, &["controlled"], |namespace| {
            let mut valgrind = namespace.command("valgrind");
            valgrind.args(["--quiet", "--error-exitcode=9", "--leak-check=full"]).args(flags);
            valgrind.arg("--errors-for-leak-kinds=definite,indirect,possible").arg(&program);
            valgrind.envs(environment.iter().copied());
            valgrind
        });
    }
}

/// Valgrind does not see what MPTCP_FULL_INFO writes through pointers, so it is not used here.
#[test]
fn valgrind_finds_no_use_of_what_was_never_written() {
    if ready() {
        by_valgrind(&[], &[("SUBFLOWS_WITHOUT", "full_info")]);
    }
}

#[test]
fn valgrind_finds_no_leak_and_no_byte_out_of_bounds() {
    if ready() {
        by_valgrind(&["--undef-value-errors=no"], &[]);
    }
}

#[test]
fn the_address_sanitizer_finds_nothing() {
    skip_unless_ready!();
    let folder = tempfile::tempdir().unwrap();
    let net = network();
    for form in forms() {
        let mut flags = vec!["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
        flags.extend(form.iter().map(String::as_str));
        let program = program(folder.path(), "everything", &flags);
        over_both_families(&net, &[], |namespace| namespace.command(&program));
    }
}
