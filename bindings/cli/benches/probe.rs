//! How long `subflows probe` takes for a thousand servers on the loopback interface.
//!
//! `cargo bench --package subflows-cli --bench probe`. The table goes to `target/benchmarks-probe.md`.
#![allow(missing_docs)]

use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{is_bench, median, verdict};
use subflows::Listen;
use subflows_lab::Namespace;

#[path = "../../../core/benches/ratios/common.rs"]
#[allow(dead_code, unreachable_pub)]
mod common;

const SERVERS: u32 = 1000;
const TURNS: usize = 5;
/// In seconds.
const BAR: f64 = 3.0;

fn main() {
    if !is_bench() {
        return;
    }
    let namespace = Namespace::new().expect("a network namespace");
    let folder = tempfile::tempdir().expect("a folder");
    let list = folder.path().join("hosts.txt");
    let mut table = "\n| `subflows probe` | takes | bar | |\n|---|---|---|---|\n".to_owned();
    for parallel in [10, 100] {
        let times = (0..TURNS).map(|_| turn(&namespace, &list, parallel).as_secs_f64());
        let median = median(times);
        let _ = writeln!(
            table,
            "| {SERVERS} loopback servers, {parallel} at a time | {median:.2} s | ≤ {BAR} s | {} |",
            verdict(median <= BAR)
        );
    }
    print!("{table}");
    common::write("benchmarks-probe.md", &table);
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
