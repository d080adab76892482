//! How long the command takes as a whole, and with ten thousand connections, over `ss`.
//!
//! `cargo bench --package subflows-cli --bench command`. The table goes to `target/benchmarks-command.md`.

use std::hint::black_box;
use std::process::{Command, Stdio};
use std::time::Instant;

use common::{crowd, is_bench, median, verdict};
use subflows_lab::Namespace;

#[path = "../../../core/benches/ratios/common.rs"]
#[allow(dead_code, unreachable_pub)]
mod common;
#[path = "../../../core/benches/ratios/raw.rs"]
#[allow(dead_code, unreachable_pub)]
mod raw;

const SUBFLOWS: &str = env!("CARGO_BIN_EXE_subflows");
const CONNECTIONS: usize = 10_000;
const TURNS: usize = 31;

/// A row: its name, the command, the one that it is compared with, and how many milliseconds, or which part of
/// the other's time, it may take.
struct Row {
    name: &'static str,
    ours: &'static [&'static str],
    theirs: Option<&'static [&'static str]>,
    bar: f64,
}

const ONE: &[Row] = &[
    Row { name: "subflows capabilities", ours: &["capabilities"], theirs: None, bar: 20.0 },
    Row { name: "subflows endpoints", ours: &["endpoints"], theirs: None, bar: 20.0 },
    Row { name: "subflows --help", ours: &["--help"], theirs: None, bar: 20.0 },
];

const MANY: &[Row] = &[
    Row { name: "subflows capabilities", ours: &["capabilities"], theirs: None, bar: 20.0 },
    Row { name: "subflows connections", ours: &["connections"], theirs: None, bar: 40.0 },
    Row {
        name: "subflows connections --json",
        ours: &["connections", "--json"],
        theirs: None,
        bar: 40.0,
    },
    Row {
        name: "the same / `ss -tni`",
        ours: &["connections", "--json"],
        theirs: Some(&["-tni"]),
        bar: 0.1,
    },
    Row {
        name: "the same / `ss -Mni`, which shows no subflows",
        ours: &["connections", "--json"],
        theirs: Some(&["-Mni"]),
        bar: 0.25,
    },
];

fn main() {
    if !is_bench() {
        return;
    }
    let namespace = Namespace::new().expect("a namespace");
    let mut table = "\n| the command as a whole | takes | compared with | ratio | bar | |\n\
                     |---|---|---|---|---|---|\n"
        .to_owned();
    ONE.iter().for_each(|row| table += &measured(&namespace, row, ""));
    // Both ends are in this namespace: half as many pairs.
    let _crowd = namespace.run(|| crowd(CONNECTIONS / 2));
    let among = format!(", {CONNECTIONS} connections");
    MANY.iter().for_each(|row| table += &measured(&namespace, row, &among));
    table += &format!(
        "| the kernel's dumps of these connections and their subflows alone{among} | {:.1} ms | | | | |\n",
        namespace.run(floor)
    );
    print!("{table}");
    common::write("benchmarks-command.md", &table);
}

/// How many milliseconds the kernel takes to dump the connections and all TCP sockets: the least that any program
/// needs that reads both from `sock_diag`.
fn floor() -> f64 {
    let mut netlink = raw::Netlink::open(libc::NETLINK_SOCK_DIAG);
    let both = [libc::AF_INET, libc::AF_INET6];
    let requests = [true, false].map(|mptcp| both.map(|family| raw::diag(family, mptcp, None)));
    median([(); TURNS].map(|()| {
        let start = Instant::now();
        requests.iter().flatten().for_each(|request| _ = black_box(netlink.dump(request)));
        start.elapsed().as_secs_f64() * 1000.0
    }))
}

fn measured(namespace: &Namespace, row: &Row, among: &str) -> String {
    let time = |program: &str, arguments: &[&str]| {
        let mut command: Command = namespace.command(program);
        let start = Instant::now();
        let status = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(status.expect("it starts").success());
        start.elapsed().as_secs_f64() * 1000.0
    };
    // In turns, so that both meet the same noise.
    let turns: Vec<[f64; 2]> = (0..TURNS)
        .map(|_| [time(SUBFLOWS, row.ours), row.theirs.map_or(0.0, |theirs| time("ss", theirs))])
        .collect();
    let [ours, theirs] = [0, 1].map(|of| median(turns.iter().map(|turn| turn[of])));
    let bar = row.bar;
    let (compared, ratio, limit, holds) = match row.theirs {
        None => (String::new(), String::new(), format!("≤ {bar} ms"), ours <= bar),
        Some(_) => {
            let ratio = ours / theirs;
            (format!("{theirs:.1} ms"), format!("{ratio:.2}"), format!("≤ {bar}"), ratio <= bar)
        }
    };
    let verdict = verdict(holds);
    format!("| {}{among} | {ours:.1} ms | {compared} | {ratio} | {limit} | {verdict} |\n", row.name)
}
