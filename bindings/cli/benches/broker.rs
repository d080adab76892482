//! What the broker costs: the time of a verb compared with the direct door, memory, idle time, and requests in a
//! second on one processor.
//!
//! `cargo bench -p subflows-cli --bench broker` writes the table to `target/benchmarks-broker.md`; the one kept
//! in the repository is in `BENCHMARKS.md`. Needs root.
#![allow(missing_docs)]

use std::fmt::Write as _;
use std::fs::{self, File, Permissions};
use std::hint::black_box;
use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, process};

use common::{Pair, can_run, median, on_one_processor, pair, raise_descriptor_limit, verdict};
use subflows::{Connect, Family, Listen, Open};
use subflows_lab::{Net, wait_until};
use tempfile::TempDir;

#[path = "../../../core/benches/ratios/common.rs"]
#[allow(dead_code, unreachable_pub)]
mod common;

/// The first of the users that the clients are.
const USER: u32 = 20_000;
const CLIENTS: usize = 200;
const CONNECTIONS: usize = 50;
const SOON: Duration = Duration::from_secs(60);
const VARIABLE: &str = "SUBFLOWS_BROKER";

struct Broker {
    process: Child,
    folder: TempDir,
}

impl Broker {
    fn start(net: &Net, policy: &str) -> Broker {
        let folder = TempDir::new().expect("a folder");
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).expect("permissions");
        let (rules, socket) = (folder.path().join("policy.toml"), folder.path().join("socket"));
        fs::write(&rules, policy).expect("a policy");
        let log = File::create(folder.path().join("log")).expect("a log");
        let mut command = net.client.command(env!("CARGO_BIN_EXE_subflows"));
        command.args(["broker", "--policy"]).arg(rules).arg("--socket").arg(&socket);
        let process = command.stderr(log).spawn().expect("a broker");
        wait_until(SOON, "the broker listens", || {
            let is_open = |file: fs::Metadata| file.permissions().mode() & 0o777 == 0o666;
            fs::metadata(&socket).is_ok_and(is_open)
        });
        Broker { process, folder }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn status(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.process.id());
        number(&fs::read_to_string(path).expect("status"), name)
    }

    /// The processor time of the broker and of its child processes, in ticks of 10 ms.
    fn ticks(&self) -> u64 {
        let path = format!("/proc/{}/stat", self.process.id());
        let stat = fs::read_to_string(path).expect("stat");
        let words = stat.rsplit(')').next().expect("words").split_whitespace();
        words.skip(11).take(4).map(|word| word.parse::<u64>().expect("a number")).sum()
    }

    /// How often its threads have given up the processor.
    fn switches(&self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.process.id())).expect("tasks");
        let status = |task: fs::DirEntry| fs::read_to_string(task.path().join("status"));
        let texts = tasks.flatten().filter_map(|task| status(task).ok());
        texts.map(|text| number(&text, "voluntary_ctxt_switches")).sum()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn number(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
    let digits: String = line.chars().filter(char::is_ascii_digit).collect();
    digits.parse().expect("a number")
}

/// Makes this thread one of an ordinary user.
fn become_user(user: u32) {
    for call in [libc::SYS_setresgid, libc::SYS_setresuid] {
        // SAFETY: takes numbers only, and changes this thread alone.
        assert_eq!(unsafe { libc::syscall(call, user, user, user) }, 0);
    }
}

/// Runs something in a thread of another user.
fn as_user<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    let run = || {
        become_user(USER);
        run()
    };
    thread::scope(|scope| scope.spawn(run).join().expect("a result"))
}

/// The median of the time of a call, in microseconds.
fn timed(rounds: usize, mut call: impl FnMut(usize)) -> f64 {
    let mut time = |round| {
        let start = Instant::now();
        call(round);
        start.elapsed().as_secs_f64() * 1e6
    };
    let _warm: f64 = (0..rounds / 10).map(&mut time).sum();
    median((0..rounds).map(&mut time))
}

/// The time of a verb through both doors, in turns, so that both meet the same noise. Returns the medians of
/// the direct door, of the broker's, and of the difference.
fn both(rounds: usize, call: impl Fn(usize) + Sync) -> (f64, f64, f64) {
    const TURNS: usize = 9;
    let turns = (0..TURNS).map(|_| {
        let direct = timed(rounds, &call);
        let broker = as_user(|| timed(rounds, &call));
        (direct, broker, broker - direct)
    });
    let turns: Vec<(f64, f64, f64)> = turns.collect();
    let middle = |of: fn(&(f64, f64, f64)) -> f64| median(turns.iter().map(of));
    (middle(|turn| turn.0), middle(|turn| turn.1), middle(|turn| turn.2))
}

fn verbs(net: &Net, table: &mut String) {
    let Pair { client, .. } = &pair(net, true);
    let second = Open::new().local(net.paths[1].client_v4);
    let opened = subflows::open(&client, &second).expect("open");
    let set_backup = both(400, |round| {
        subflows::set_backup(&client, opened.id, round % 2 == 0).expect("set_backup");
    });
    let take_control = both(200, |_| {
        let sock = subflows::socket(Family::V4).expect("socket");
        subflows::take_control(&sock).expect("take_control");
    });
    // The library has made the socket itself, and has nothing to carry over to the controlled one.
    let listener = Listen::new().backlog(4096);
    let to = SocketAddr::new(IpAddr::V4(net.paths[0].server_v4), 0);
    let listener = net.server.run(|| subflows::listen(to, &listener)).expect("listen");
    let address = listener.local_addr().expect("address");
    thread::spawn(move || while listener.accept().is_ok() {});
    let controlled = Connect::new().control(true);
    let connect = both(100, |_| drop(subflows::connect(address, &controlled).expect("connect")));
    let socket = timed(400, |_| drop(black_box(subflows::socket(Family::V4))));
    let events = both(400, |_| drop(black_box(subflows::events(&client).expect("events"))));
    for (verb, (direct, broker, more)) in [
        ("set_backup", set_backup),
        ("take_control", (take_control.0 - socket, take_control.1 - socket, take_control.2)),
        ("connect with control", connect),
        ("events", events),
    ] {
        let verdict = verdict(more <= 40.0);
        let row = format!(
            "| {verb} | {broker:.2} µs | {direct:.2} µs | {more:.2} µs more | ≤ 40 µs more | {verdict} |"
        );
        println!("{row}");
        let _ = writeln!(table, "{row}");
    }
}

/// One client in a process of its own: connections under its control, and a stream of events for each.
fn client(user: u32, to: SocketAddr) {
    become_user(user);
    let connect = |_| {
        let stream = subflows::connect(to, &Connect::new().control(true)).expect("connect");
        let events = subflows::events(&stream).expect("events");
        (stream, events)
    };
    let held: Vec<_> = (0..CONNECTIONS).map(connect).collect();
    println!("ready");
    let _ = std::io::stdin().read(&mut [0]);
    drop(held);
}

fn many(net: &Net, table: &mut String) {
    let broker = Broker::start(net, "[[allow]]\n");
    let to = SocketAddr::new(IpAddr::V4(net.paths[0].server_v4), 0);
    let options = Listen::new().backlog(4096);
    let listener = net.server.run(|| subflows::listen(to, &options)).expect("listen");
    let address = listener.local_addr().expect("address");
    thread::spawn(move || {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept() {
            held.push(stream);
        }
    });
    let start = |number: usize| {
        let mut command = net.client.command(env::current_exe().expect("the program's path"));
        command.args(["client", &(USER + number as u32).to_string(), &address.to_string()]);
        command.env(VARIABLE, broker.socket()).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.spawn().expect("a client")
    };
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let mut process = start(number);
        let mut line = String::new();
        let out = process.stdout.take().expect("its output");
        BufReader::new(out).read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n");
        clients.push(process);
    }
    let resident = broker.status("VmRSS:") as f64 / 1024.0;
    let verdict = verdict(resident <= 64.0);
    let row = format!(
        "| memory at {} connections of {CLIENTS} clients | {resident:.1} MiB | | | ≤ 64 MiB | {verdict} |",
        CLIENTS * CONNECTIONS
    );
    println!("{row}");
    let _ = writeln!(table, "{row}");
    let (ticks, switches) = (broker.ticks(), broker.switches());
    thread::sleep(Duration::from_secs(5));
    let (ticks, switches) = (broker.ticks() - ticks, broker.switches() - switches);
    let verdict = common::verdict(ticks + switches == 0);
    let row = format!(
        "| processor time of the same, idle for 5 s | {} ms, woken {switches} times | | | 0 | {verdict} |",
        ticks * 10
    );
    println!("{row}");
    let _ = writeln!(table, "{row}");
    for mut process in clients {
        drop(process.stdin.take());
        let _ = process.wait();
    }
}

/// Four clients ask at the same time, on one processor together with the broker.
fn requests(net: &Net, table: &mut String) {
    use subflows::broker::{Act, Request};
    const ASKING: Duration = Duration::from_secs(4);
    let policy = "[[allow]]\n[limits]\nrequests = 10000000\n";
    let broker = on_one_processor(|| Broker::start(net, policy));
    let Pair { client, .. } = &pair(net, true);
    let token = subflows::info(&client).expect("info").token;
    let request = Request { number: 1, act: Act::PathManager { token } }.encode();
    let count = AtomicUsize::new(0);
    let before = broker.ticks();
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let session = Session::open(&broker.socket());
                while start.elapsed() < ASKING {
                    session.ask(&request, client);
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let (elapsed, ticks) = (start.elapsed().as_secs_f64(), broker.ticks() - before);
    let count = count.load(Ordering::Relaxed) as f64;
    let a_second = count / (ticks as f64 / 100.0);
    let verdict = verdict(a_second >= 20_000.0);
    let row = format!(
        "| requests in a second of one processor | {a_second:.0} ({:.0} in a second of the clock) | | | ≥ 20000 | {verdict} |",
        count / elapsed
    );
    println!("{row}");
    let _ = writeln!(table, "{row}");
}

/// A session with the broker that costs a client as little as possible.
struct Session(std::os::fd::OwnedFd);

impl Session {
    fn open(path: &Path) -> Session {
        use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
        let (family, kind) = (AddressFamily::Unix, SockType::SeqPacket);
        let sock = socket(family, kind, SockFlag::SOCK_CLOEXEC, None).expect("a socket");
        let address = UnixAddr::new(path).expect("a path");
        connect(std::os::fd::AsRawFd::as_raw_fd(&sock), &address).expect("connect");
        Session(sock)
    }

    fn ask(&self, request: &[u8], stream: &TcpStream) {
        use std::os::fd::AsRawFd;

        use nix::sys::socket::{ControlMessage, MsgFlags, recv, sendmsg};
        let fds = [stream.as_raw_fd()];
        let rights = [ControlMessage::ScmRights(&fds)];
        let parts = [std::io::IoSlice::new(request)];
        let none = MsgFlags::empty();
        sendmsg::<()>(self.0.as_raw_fd(), &parts, &rights, none, None).expect("sendmsg");
        let mut answer = [0; 4096];
        let length = recv(self.0.as_raw_fd(), &mut answer, none).expect("recv");
        assert_eq!(subflows::broker::Answer::parse(&answer[..length]).expect("read").result, Ok(2));
    }
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [mode, user, to] = &arguments[..] {
        if mode == "client" {
            return client(user.parse().expect("a user"), to.parse().expect("an address"));
        }
    }
    if !can_run() {
        return;
    }
    raise_descriptor_limit();
    let net = Net::two_subnets().expect("a network");
    let mut table = String::from(
        "\n| through the broker | by the broker | directly | difference | bar | |\n|---|---|---|---|---|---|\n",
    );
    // The library keeps sessions only in the network namespace of the main thread.
    net.client.enter_for_good().expect("enter");
    let broker = Broker::start(&net, "[[allow]]\n[limits]\nrequests = 10000000\n");
    // SAFETY: this process has no other thread yet.
    unsafe { env::set_var(VARIABLE, broker.socket()) };
    // `-- verbs` measures the verbs only.
    let is_asked = |name: &str| {
        let names: Vec<_> = arguments.iter().filter(|name| !name.starts_with('-')).collect();
        names.is_empty() || names.iter().any(|asked| *asked == name)
    };
    if is_asked("verbs") {
        verbs(&net, &mut table);
    }
    drop(broker);
    if is_asked("requests") {
        requests(&net, &mut table);
    }
    if is_asked("memory") {
        many(&net, &mut table);
    }
    common::write("benchmarks-broker.md", &table);
    // The thread that accepts still waits.
    process::exit(0);
}
