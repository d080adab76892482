//! Without these, programs start more slowly, a hardened system rejects the library, or a package
//! depends on libraries that are not installed.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use common::{library, root, run};

/// The C library, the unwinder, and the loader if thread-local storage needs it.
const NEEDED: [&str; 3] = ["libc.so.", "libgcc_s.so.", "ld-linux"];
/// Of these, the enhanced socket API takes 65 kB, with the thread that opens in the background. The operations on
/// endpoints, limits, settings and counters, and the search for processes take 41 kB, the doctor and the probe
/// 70 kB, of which a fifth are the texts of the findings. Core optimized for size would save a tenth, and `list`
/// would take half as long again.
const BYTES_MAX: u64 = 1_150_000;
/// The output of Rust 1.85 (Debian 13) is 55 kB larger than that of 1.95.
const BYTES_MORE_BY_1_85: u64 = 60_000;
const LOAD_MAX: Duration = Duration::from_millis(1);
/// Each in a process of its own; the median is independent of the other load of the machine.
const LOADS: usize = 101;

fn shared() -> PathBuf {
    library().join("libsubflows.so.0").canonicalize().unwrap()
}

/// The lines that readelf prints.
fn readelf(what: &str) -> Vec<String> {
    let output = run(Command::new("readelf").args(["--wide", what]).arg(shared()));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// The names in brackets behind such entries of the dynamic section.
fn dynamic(tag: &str) -> Vec<String> {
    let lines = readelf("--dynamic").into_iter().filter(|line| line.contains(tag));
    let name = |line: String| line.split(['[', ']']).nth(1).unwrap_or("").to_owned();
    lines.map(name).collect()
}

#[test]
fn it_is_small_and_stripped() {
    let size = shared().metadata().unwrap().len();
    println!("{size} bytes");
    let cargo = run(Command::new(env!("CARGO")).arg("--version"));
    let more = if cargo.stdout.starts_with(b"cargo 1.85.") { BYTES_MORE_BY_1_85 } else { 0 };
    assert!(size < BYTES_MAX + more, "{size} bytes");
    let is_table = |line: &String| line.contains(" .symtab ") || line.contains(" .debug");
    assert_eq!(readelf("--sections").iter().find(|line| is_table(line)), None);
}

#[test]
fn it_asks_the_loader_for_nothing_dangerous() {
    let stack = readelf("--program-headers").into_iter().find(|line| line.contains("GNU_STACK"));
    let stack = stack.expect("without it the stack is executable");
    assert!(stack.contains(" RW ") && !stack.contains("RWE"), "{stack}");
    assert_eq!(dynamic("(TEXTREL)"), [""; 0], "relocations in the code");
    let dynamic = readelf("--dynamic");
    assert!(!dynamic.iter().any(|line| line.contains("RPATH") || line.contains("RUNPATH")));
    assert!(!dynamic.iter().any(|line| line.contains("TEXTREL")));
    assert!(dynamic.iter().any(|line| line.contains("BIND_NOW")));
    assert!(readelf("--program-headers").iter().any(|line| line.contains("GNU_RELRO")));
}

#[test]
fn it_needs_what_every_system_has() {
    assert_eq!(dynamic("(SONAME)"), ["libsubflows.so.0"]);
    let needed = dynamic("(NEEDED)");
    let is_expected = |name: &String| NEEDED.iter().any(|start| name.starts_with(start));
    assert!(!needed.is_empty() && needed.iter().all(is_expected), "{needed:?}");
}

fn compiled(name: &str, out: &Path) -> PathBuf {
    let mut cc = Command::new("gcc");
    // Function pointers from dlsym() are not ISO C.
    cc.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-g", "-I"]).arg(root().join("include"));
    cc.arg(root().join("bindings/c/tests").join(name)).arg("-o").arg(out);
    run(cc.args(["-pthread", "-ldl"]));
    out.to_owned()
}

#[test]
fn it_loads_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let program = compiled("load.c", &folder.path().join("load"));
    let mut times: Vec<u64> = (0..LOADS)
        .map(|_| {
            let output = run(Command::new(&program).arg(shared()));
            String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
        })
        .collect();
    times.sort_unstable();
    let median = Duration::from_nanos(times[LOADS / 2]);
    println!("{median:?}, at most {:?}", Duration::from_nanos(times[LOADS - 1]));
    assert!(median < LOAD_MAX, "{median:?}");
}

/// The library frees the data of a thread when the thread ends, which may be after it was unloaded.
#[test]
fn it_can_be_unloaded_by_a_thread_that_used_it() {
    let folder = tempfile::tempdir().unwrap();
    let program = compiled("unload.c", &folder.path().join("unload"));
    run(Command::new(program).arg(shared()));
}
