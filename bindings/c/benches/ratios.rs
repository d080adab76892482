//! What the operations cost through C, compared with Rust, measured in the same run.
//!
//! `cargo bench -p subflows-c` writes the table to `target/benchmarks-c.md`. Requires root, or
//! `unshare -Urn`.
#![allow(missing_docs)]

use std::ffi::c_int;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::{env, fs};

use criterion::Criterion;
use libloading::{Library, Symbol};
use subflows::{Connect, Listen, Open};
use subflows_lab::Net;

/// Sizes of the structs, at least as large as in `abi.txt`; the library fills the rest with zero.
const INFO: usize = 512;
const SUBFLOW: usize = 512;

type Info = unsafe extern "C" fn(c_int, *mut u8, usize) -> c_int;
type List = unsafe extern "C" fn(c_int, *mut u8, usize, usize) -> c_int;

fn size_of_struct(name: &str) -> usize {
    let abi = include_str!("../abi.txt");
    let mut lines = abi.lines().skip_while(|line| *line != format!("struct {name}")).skip(1);
    let members = lines.by_ref().take_while(|line| line.starts_with("  "));
    let last = members.last().expect("a struct has members");
    let mut words = last.split_whitespace().map(|word| word.parse::<usize>().unwrap_or(0));
    words.next().expect("an offset") + words.next().expect("a size")
}

fn measure(c: &mut Criterion, library: &Library) {
    let net = Net::two_subnets().expect("a network");
    let to = SocketAddr::new(IpAddr::V4(net.paths[0].server_v4), 0);
    let listener = net.server.run(|| subflows::listen(to, &Listen::new())).expect("listen");
    let _inside = net.client.enter().expect("enter");
    let address = listener.local_addr().expect("address");
    let mut client = subflows::connect(address, &Connect::new().control(true)).expect("connect");
    let (mut server, _) = listener.accept().expect("accept");
    client.write_all(b"?").expect("write");
    server.read_exact(&mut [0]).expect("read");
    let second = Open::new().local(net.paths[1].client_v4);
    subflows::open(&client, &second).expect("open");
    let fd = client.as_raw_fd();

    // SAFETY: the function has this type in the header of the library.
    let info: Symbol<'_, Info> = unsafe { library.get(b"subflows_info") }.expect("a symbol");
    let (mut out, size) = ([0u8; INFO], size_of_struct("subflows_info"));
    assert!(size <= INFO);
    let mut group = c.benchmark_group("C info");
    group.bench_function("Rust", |b| b.iter(|| subflows::info(&client)));
    group.bench_function("C", |b| {
        // SAFETY: `out` has room for `size` bytes.
        b.iter(|| assert_eq!(unsafe { info(fd, out.as_mut_ptr(), size) }, 0));
    });
    group.finish();

    // SAFETY: as above.
    let list: Symbol<'_, List> = unsafe { library.get(b"subflows_list") }.expect("a symbol");
    let (mut out, size) = ([0u8; 8 * SUBFLOW], size_of_struct("subflows_subflow"));
    assert!(size <= SUBFLOW);
    let mut group = c.benchmark_group("C list");
    group.bench_function("Rust", |b| b.iter(|| subflows::list(&client)));
    group.bench_function("C", |b| {
        // SAFETY: `out` has room for eight elements of `size` bytes.
        b.iter(|| assert_eq!(unsafe { list(fd, out.as_mut_ptr(), 8, size) }, 2));
    });
    group.finish();
}

fn median(group: &str, function: &str) -> f64 {
    let program = env::current_exe().expect("the program's path");
    let target = program.ancestors().nth(3).expect("a target folder").to_owned();
    let path = target.join("criterion").join(group).join(function).join("new/estimates.json");
    let text = fs::read_to_string(path).expect("criterion has measured");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    json["median"]["point_estimate"].as_f64().expect("a number")
}

fn report() {
    let mut table = String::from(
        "\n| through C | in C | in Rust | ratio | bar | |\n|---|---|---|---|---|---|\n",
    );
    for (name, group) in [("info", "C info"), ("list of two", "C list")] {
        let (c, rust) = (median(group, "C"), median(group, "Rust"));
        let ratio = c / rust;
        let verdict = if ratio <= 1.1 { "holds" } else { "**missed**" };
        table +=
            &format!("| {name} | {c:.0} ns | {rust:.0} ns | {ratio:.2} | ≤ 1.1 | {verdict} |\n");
    }
    print!("{table}");
    let program = env::current_exe().expect("the program's path");
    let target = program.ancestors().nth(3).expect("a target folder");
    fs::write(target.join("benchmarks-c.md"), table).expect("the table is written");
}

fn main() {
    if let Err(why) = subflows_lab::can_make_namespaces() {
        eprintln!("skip: {why}");
        return;
    }
    let here = env!("CARGO_MANIFEST_DIR");
    let folder = env!("CARGO_TARGET_TMPDIR");
    let built = Command::new(format!("{here}/link")).arg(folder).status().expect("link");
    assert!(built.success());
    // SAFETY: loading this library runs only the initialization of Rust's runtime.
    let library = unsafe { Library::new(format!("{folder}/libsubflows.so.0")) }.expect("loads");
    let mut criterion = Criterion::default().configure_from_args().without_plots();
    measure(&mut criterion, &library);
    criterion.final_summary();
    report();
}
