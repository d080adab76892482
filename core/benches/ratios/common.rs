//! What the benchmarks share.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::{env, fs, iter};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;
use subflows::{Connect, Listen};
use subflows_lab::Net;

/// Reports whether to measure: `cargo test --benches` only shows that a benchmark starts.
pub fn is_bench() -> bool {
    env::args().any(|argument| argument == "--bench") && can_run()
}

/// Reports whether this process may make namespaces.
pub fn can_run() -> bool {
    subflows_lab::can_make_namespaces().inspect_err(|why| eprintln!("skip: {why}")).is_ok()
}

/// A connection that is ready for further subflows.
pub struct Pair {
    pub client: TcpStream,
    pub server: TcpStream,
    _listener: TcpListener,
}

pub fn pair(net: &Net, control: bool) -> Pair {
    let to = SocketAddr::new(IpAddr::V4(net.paths[0].server_v4), 0);
    let listener = net.server.run(|| subflows::listen(to, &Listen::new())).expect("listen");
    let address = listener.local_addr().expect("address");
    let options = Connect::new().control(control);
    let mut client = net.client.run(|| subflows::connect(address, &options)).expect("connect");
    let (mut server, _) = listener.accept().expect("accept");
    client.write_all(b"?").expect("write");
    server.read_exact(&mut [0]).expect("read");
    server.write_all(b"!").expect("write");
    client.read_exact(&mut [0]).expect("read");
    Pair { client, server, _listener: listener }
}

/// As many connections as that, to several listeners in this namespace: connections between the same ends are
/// neighbours in the kernel's table, so that all of them would be found early, or late. No interface owns the
/// address of the listeners, of which `connections` has to find out whether this host still has it.
pub fn crowd(count: usize) -> Vec<(TcpStream, TcpStream)> {
    let listen = || subflows::listen("127.0.0.2:0", &Listen::new()).expect("listen");
    let listeners: Vec<TcpListener> = iter::repeat_with(listen).take(50).collect();
    let connect = |listener: &TcpListener| {
        let address = listener.local_addr().expect("address");
        let client = subflows::connect(address, &Connect::new()).expect("connect");
        let (server, _) = listener.accept().expect("accept");
        (client, server)
    };
    listeners.iter().cycle().take(count).map(connect).collect()
}

/// The median of an odd number of values.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub fn verdict(holds: bool) -> &'static str {
    if holds { "holds" } else { "**missed**" }
}

/// The folder `target`. Benchmarks run from `target/release/deps`.
pub fn target() -> PathBuf {
    let program = env::current_exe().expect("the program's path");
    program.ancestors().nth(3).expect("a target folder").to_owned()
}

/// Writes a table to the folder `target`.
pub fn write(name: &str, table: &str) {
    let path = target().join(name);
    fs::write(&path, table).expect("the table is written");
    println!("written to {}", path.display());
}

/// Makes the calling thread and those that it starts run on the first processor that it may use.
pub fn on_one_processor<T>(run: impl FnOnce() -> T) -> T {
    let everywhere = sched_getaffinity(Pid::from_raw(0)).expect("affinity");
    let one = (0..CpuSet::count()).find(|cpu| everywhere.is_set(*cpu).expect("a processor"));
    let mut here = CpuSet::new();
    here.set(one.expect("one")).expect("a processor");
    sched_setaffinity(Pid::from_raw(0), &here).expect("affinity");
    let result = run();
    sched_setaffinity(Pid::from_raw(0), &everywhere).expect("affinity");
    result
}

pub fn raise_descriptor_limit() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("getrlimit");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("setrlimit");
}
