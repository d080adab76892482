//! How long the command takes as a whole, and with ten thousand connections, over `ss`.
//!
//! `cargo bench --package subflows-cli --bench command`. The table goes to `target/benchmarks-command.md`.

use std::env;
use std::fs;
use std::hint::black_box;
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Instant;

use subflows::{Connect, Listen};
use subflows_lab::Namespace;

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
    // `cargo test --benches` only shows that it starts.
    if !env::args().any(|argument| argument == "--bench") {
        return;
    }
    if let Err(why) = subflows_lab::can_make_namespaces() {
        eprintln!("skip: {why}");
        return;
    }
    let namespace = Namespace::new().expect("a namespace");
    let mut table = "\n| the command as a whole | takes | compared with | ratio | bar | |\n\
                     |---|---|---|---|---|---|\n"
        .to_owned();
    ONE.iter().for_each(|row| table += &measured(&namespace, row, ""));
    let _crowd = namespace.run(crowd);
    let among = format!(", {CONNECTIONS} connections");
    MANY.iter().for_each(|row| table += &measured(&namespace, row, &among));
    table += &format!(
        "| the kernel's dumps of these connections and their subflows alone{among} | {:.1} ms | | | | |\n",
        namespace.run(floor)
    );
    print!("{table}");
    let program = env::current_exe().expect("the program's path");
    let target = program.ancestors().nth(3).expect("a target folder");
    let path = target.join("benchmarks-command.md");
    fs::write(&path, table).expect("the table is written");
    println!("written to {}", path.display());
}

/// Both ends are in this namespace: half as many pairs.
fn crowd() -> Vec<TcpStream> {
    let listener = subflows::listen("127.0.0.1:0", &Listen::new()).expect("listen");
    let address = listener.local_addr().expect("an address");
    let pair = |_| {
        let client = subflows::connect(address, &Connect::new()).expect("connect");
        [client, listener.accept().expect("accept").0]
    };
    (0..CONNECTIONS / 2).flat_map(pair).collect()
}

/// How many milliseconds the kernel takes to dump the connections and all TCP sockets: the least that any program
/// needs that reads both from `sock_diag`.
fn floor() -> f64 {
    let mut netlink = raw::Netlink::open(libc::NETLINK_SOCK_DIAG);
    let both = [libc::AF_INET, libc::AF_INET6];
    let requests = [true, false].map(|mptcp| both.map(|family| raw::diag(family, mptcp, None)));
    let mut times = [0; TURNS].map(|_| {
        let start = Instant::now();
        requests.iter().flatten().for_each(|request| _ = black_box(netlink.dump(request)));
        start.elapsed().as_secs_f64() * 1000.0
    });
    times.sort_by(f64::total_cmp);
    times[TURNS / 2]
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
    let median = |of: usize| {
        let mut values: Vec<f64> = turns.iter().map(|turn| turn[of]).collect();
        values.sort_by(f64::total_cmp);
        values[TURNS / 2]
    };
    let (ours, theirs, bar) = (median(0), median(1), row.bar);
    let (compared, ratio, limit, holds) = match row.theirs {
        None => (String::new(), String::new(), format!("≤ {bar} ms"), ours <= bar),
        Some(_) => {
            let ratio = ours / theirs;
            (format!("{theirs:.1} ms"), format!("{ratio:.2}"), format!("≤ {bar}"), ratio <= bar)
        }
    };
    let verdict = if holds { "holds" } else { "**missed**" };
    format!("| {}{among} | {ours:.1} ms | {compared} | {ratio} | {limit} | {verdict} |\n", row.name)
}
