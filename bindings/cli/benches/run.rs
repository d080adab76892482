//! What `subflows run` adds to a short connection, over a program that uses Multipath TCP by itself.
//!
//! `cargo bench --package subflows-cli --bench run`. The table goes to `target/benchmarks-run.md`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use common::{can_run, median, verdict};
use subflows::Listen;
use subflows_lab::Namespace;

#[path = "../../../core/benches/ratios/common.rs"]
#[allow(dead_code, unreachable_pub)]
mod common;

/// Connects and closes so many times, and prints how many nanoseconds one took: PORT COUNT PROTOCOL.
const PROGRAM: &str = "
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e9 + time.tv_nsec;
}
int main(int argc, char **argv) {
    (void)argc;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int count = atoi(argv[2]), on = 1;
    double start = now();
    for (int i = 0; i < count; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, atoi(argv[3]));
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
            return 1;
        close(fd);
    }
    printf(\"%f\\n\", (now() - start) / count);
}
";
const CONNECTIONS: &str = "3000";
const TURNS: usize = 15;
/// More of this is a miss, in microseconds.
const BAR: f64 = 5.0;

fn main() {
    if !can_run() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (source, program) = (folder.path().join("short.c"), folder.path().join("short"));
    fs::write(&source, PROGRAM).expect("the source is written");
    let compiled = Command::new("cc").arg("-O2").arg("-o").arg(&program).arg(&source).status();
    assert!(compiled.expect("cc").success());
    let cargo = ["build", "--locked", "--quiet", "--release", "--package", "subflows-preload"];
    assert!(Command::new(env!("CARGO")).args(cargo).status().expect("cargo").success());
    let library = common::target().join("release/libsubflows_preload.so");

    let namespace = Namespace::new().expect("a namespace");
    let listener = namespace.run(|| subflows::listen("127.0.0.1:0", &Listen::new().backlog(4096)));
    let listener = listener.expect("listen");
    let port = listener.local_addr().expect("an address").port().to_string();
    thread::spawn(move || while listener.accept().is_ok() {});
    let time = |protocol: &str, preload: Option<&Path>| {
        let mut command = namespace.command(&program);
        command.args([port.as_str(), CONNECTIONS, protocol]);
        command.envs(preload.map(|library| ("LD_PRELOAD", library)));
        let output = command.output().expect("the program");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.trim().parse::<f64>().expect("a number") / 1000.0
    };
    // In turns, so that all meet the same noise.
    let turns: Vec<[f64; 3]> = (0..TURNS)
        .map(|_| [time("0", None), time("262", None), time("0", Some(&library))])
        .collect();
    let [tcp, plain, run] = [0, 1, 2].map(|of| median(turns.iter().map(|turn| turn[of])));
    let more = median(turns.iter().map(|turn| turn[2] - turn[1]));
    let verdict = verdict(more <= BAR);
    let table = format!(
        "\n| a short connection | by TCP | by Multipath TCP | by TCP under `subflows run` | difference | bar | |\n\
         |---|---|---|---|---|---|---|\n\
         | socket, setsockopt, connect, close | {tcp:.2} µs | {plain:.2} µs | {run:.2} µs | {more:.2} µs more \
         | ≤ {BAR} µs more | {verdict} |\n"
    );
    print!("{table}");
    common::write("benchmarks-run.md", &table);
}
