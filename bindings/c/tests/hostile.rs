//! Without these, a wrong argument crashes the program that passes it, or writes where it must not.

mod common;
#[path = "common/echo.rs"]
mod echo;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use common::{compiler, library, program, root, run};
use echo::{echo, network};
use subflows_lab::ready;

/// The seed or the number of seconds of a longer run.
fn asked(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().expect("a number"))
}

fn compiled(out: &Path, flags: &[&str]) -> PathBuf {
    let mut cc = compiler("gcc", "gnu11");
    cc.args(flags).arg(root().join("bindings/c/tests/fuzz.c")).arg("-o").arg(out);
    cc.arg("-L").arg(library()).args(["-lsubflows", "-pthread"]);
    run(cc.arg(format!("-Wl,-rpath,{}", library().display())));
    out.to_owned()
}

/// Calls for some seconds, half of them over IPv4 and half over IPv6.
fn survives(name: &str, flags: &[&str]) {
    if !ready() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = compiled(&folder.path().join(name), flags);
    let (seed, seconds) = (asked("FUZZ_SEED", 1), asked("FUZZ_SECONDS", 4));
    let net = network();
    let [first, second] = &net.paths[..] else { panic!("two paths") };
    let ends: [(IpAddr, IpAddr); 2] = [
        (first.server_v4.into(), second.client_v4.into()),
        (first.server_v6.into(), second.client_v6.into()),
    ];
    for (family, (server, local)) in ends.into_iter().enumerate() {
        let address = echo(&net.server, server);
        let mut fuzz = net.client.command(&program);
        fuzz.arg((2 * seed + family as u64).to_string()).arg(seconds.div_ceil(2).to_string());
        fuzz.args([server.to_string(), address.port().to_string(), local.to_string()]);
        print!("{}", String::from_utf8_lossy(&run(&mut fuzz).stdout));
    }
}

#[test]
fn nothing_that_is_passed_crashes_it() {
    survives("plain", &["-O1"]);
}

#[test]
fn nothing_that_is_passed_makes_it_write_out_of_bounds() {
    survives("sanitized", &["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
}

/// The data of a thread is destroyed in stages when it ends; the test calls the library between
/// them.
#[test]
fn a_thread_that_ends_still_gets_answers() {
    let folder = tempfile::tempdir().unwrap();
    let source = root().join("bindings/c/tests/ending.c");
    let program = program("gcc", "gnu11", &source, &folder.path().join("ending"));
    run(&mut std::process::Command::new(program));
}
