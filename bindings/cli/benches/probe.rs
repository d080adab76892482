//! How long `subflows probe` takes for a thousand servers on the loopback interface.
//!
//! `cargo bench --package subflows-cli --bench probe`. The table goes to `target/benchmarks-probe.md`.
#![allow(missing_docs)]

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use subflows::Listen;
use subflows_lab::Namespace;

const SERVERS: u32 = 1000;
const TURNS: usize = 5;
const BAR: Duration = Duration::from_secs(3);

fn main() {
    // `cargo test --benches` only shows that it starts.
    if !env::args().any(|argument| argument == "--bench") {
        return;
    }
    if let Err(why) = subflows_lab::can_make_namespaces() {
        eprintln!("skip: {why}");
        return;
    }
    let namespace = Namespace::new().expect("a network namespace");
    let folder = tempfile::tempdir().expect("a folder");
    let list = folder.path().join("hosts.txt");
    let mut table = "\n| `subflows probe` | takes | bar | |\n|---|---|---|---|\n".to_owned();
    for parallel in [10, 100] {
        let mut times: Vec<_> = (0..TURNS).map(|_| turn(&namespace, &list, parallel)).collect();
        times.sort_unstable();
        let median = times[TURNS / 2];
        let _ = writeln!(
            table,
            "| {SERVERS} loopback servers, {parallel} at a time | {:.2} s | ≤ {} s | {} |",
            median.as_secs_f64(),
            BAR.as_secs(),
            if median <= BAR { "holds" } else { "**missed**" }
        );
    }
    print!("{table}");
    let program = env::current_exe().expect("the program's path");
    let path = program.ancestors().nth(3).expect("a target folder").join("benchmarks-probe.md");
    fs::write(&path, table).expect("the table is written");
    println!("written to {}", path.display());
}

/// One run, with a server that has no connections from before.
fn turn(namespace: &Namespace, list: &Path, parallel: u32) -> Duration {
    let options = Listen::new().backlog(4096);
    let listener = namespace.run(|| subflows::listen("0.0.0.0:0", &options)).expect("a listener");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || while listener.accept().is_ok() {});
    let address = |index| format!("{}:{port}\n", Ipv4Addr::from(0x7f01_0000 + index));
    fs::write(list, (0..SERVERS).map(address).collect::<String>()).expect("the list is written");
    let mut command = namespace.command(env!("CARGO_BIN_EXE_subflows"));
    command.args(["probe", "--json", "--parallel", &parallel.to_string(), "--from"]).arg(list);
    let start = Instant::now();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("it runs");
    assert!(status.success(), "every server has Multipath TCP");
    start.elapsed()
}
