//! Without these, a wrong argument crashes the program that passes it, or writes where it must not.

mod common;
#[path = "common/echo.rs"]
mod echo;

use common::{program, run};
use echo::{ends, network};
use subflows_lab::skip_unless_ready;

/// The seed or the number of seconds of a longer run.
fn asked(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().expect("a number"))
}

/// Calls for some seconds, half of them over IPv4 and half over IPv6.
fn survives(flags: &[&str]) {
    skip_unless_ready!();
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path(), "fuzz", flags);
    let (seed, seconds) = (asked("FUZZ_SEED", 1), asked("FUZZ_SECONDS", 4));
    let net = network();
    for (family, words) in (0..).zip(ends(&net)) {
        let mut fuzz = net.client.command(&program);
        fuzz.arg((2 * seed + family).to_string()).arg(seconds.div_ceil(2).to_string()).args(words);
        print!("{}", String::from_utf8_lossy(&run(&mut fuzz).stdout));
    }
}

#[test]
fn nothing_that_is_passed_crashes_it() {
    survives(&["-O1"]);
}

#[test]
fn nothing_that_is_passed_makes_it_write_out_of_bounds() {
    survives(&["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
}

/// The data of a thread is destroyed in stages when it ends; the test calls the library between
/// them.
#[test]
fn a_thread_that_ends_still_gets_answers() {
    let folder = tempfile::tempdir().unwrap();
    run(&mut std::process::Command::new(program(folder.path(), "ending", &[])));
}
