//! Without these, the examples in C and C++, which people copy, do not compile with the command in
//! their first comment, leak memory, or do not do what that comment says.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use common::{library, root, run};
use subflows_lab::{Namespace, Net, StripMptcp, WireOptions, oracle, wait_until};

/// Long enough for valgrind.
const SOON: Duration = Duration::from_secs(60);

/// How an example is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Plain,
    Valgrind,
    AddressSanitizer,
}

const WAYS: [How; 3] = [How::Plain, How::Valgrind, How::AddressSanitizer];
/// Valgrind ends a program that makes the kind of child that takes control.
const WAYS_IN_CONTROL: [How; 2] = [How::Plain, How::AddressSanitizer];

/// The examples, each compiled with the command in its first comment, with and without the
/// sanitizer.
fn built() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("examples");
        let _ = fs::remove_dir_all(&folder);
        let template = fs::read_to_string(root().join("bindings/c/subflows.pc.in")).unwrap();
        let description = template
            .replace("@PREFIX@", root().canonicalize().unwrap().to_str().unwrap())
            .replace("@LIBDIR@", library().to_str().unwrap())
            .replace("@VERSION@", env!("CARGO_PKG_VERSION"));
        for (how, flags) in [(How::Plain, "-g"), (How::AddressSanitizer, "-g -fsanitize=address")] {
            let folder = folder.join(format!("{how:?}"));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("subflows.pc"), &description).unwrap();
            for source in sources() {
                compile(&source, &folder, flags);
            }
        }
        folder
    })
}

fn sources() -> Vec<PathBuf> {
    let folder = fs::read_dir(root().join("examples/c")).unwrap();
    let mut sources: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    sources.sort();
    sources
}

/// Runs the command in the first comment of the source, as its reader would.
fn compile(source: &Path, folder: &Path, flags: &str) {
    let name = source.file_name().unwrap().to_str().unwrap();
    let text = fs::read_to_string(source).unwrap();
    fs::write(folder.join(name), &text).unwrap();
    let line = text.lines().find(|line| line.contains("pkg-config")).unwrap_or_default();
    let line = line.trim_start_matches([' ', '*', '/']);
    assert!(line.contains(&format!(" {name} ")), "{name} does not say how it is compiled");
    // Two have the same stem: one is the other in C++.
    let line = line.replace(&format!("{name} -o paths "), &format!("{name} -o {name}.out "));
    let stem = source.file_stem().unwrap().to_str().unwrap();
    let line = line.replace(&format!("-o {stem} "), &format!("-o {name}.out "));
    let strict = format!("{line} -Wall -Wextra -Werror -pedantic {flags}");
    let mut shell = Command::new("sh");
    shell.args(["-c", &strict]).current_dir(folder).env("PKG_CONFIG_PATH", folder);
    run(&mut shell);
}

/// A command that runs an example in a namespace. It ends with 9 if valgrind or the sanitizer finds
/// an error.
fn example(namespace: &Namespace, name: &str, how: How) -> Command {
    let folder = if how == How::AddressSanitizer { how } else { How::Plain };
    let program = built().join(format!("{folder:?}")).join(format!("{name}.out"));
    let mut command = match how {
        How::Valgrind => {
            let mut valgrind = namespace.command("valgrind");
            valgrind.args(["--quiet", "--error-exitcode=9", "--leak-check=full"]).arg(program);
            // Valgrind does not see what MPTCP_FULL_INFO writes through pointers.
            valgrind.env("SUBFLOWS_WITHOUT", "full_info");
            valgrind
        }
        How::Plain | How::AddressSanitizer => namespace.command(program),
    };
    command.env("LD_LIBRARY_PATH", library()).env("ASAN_OPTIONS", "exitcode=9");
    command.stdout(Stdio::piped());
    command
}

/// A running example, and its output.
struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(mut command: Command) -> Running {
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Running { child, lines }
    }

    #[track_caller]
    fn line(&mut self) -> String {
        self.lines.next().expect("another line").unwrap()
    }

    /// The next line that contains `words`.
    #[track_caller]
    fn line_with(&mut self, words: &str) -> String {
        let mut before = Vec::new();
        for line in self.lines.by_ref().map(Result::unwrap) {
            if line.contains(words) {
                return line;
            }
            before.push(line);
        }
        panic!("no line with {words:?} in {before:?}");
    }

    /// The remaining lines of a program that succeeds.
    #[track_caller]
    fn end(mut self) -> Vec<String> {
        let lines = self.lines.by_ref().map(Result::unwrap).collect();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {lines:?}");
        lines
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The connection of the example, or its output instead.
fn accept(listener: &TcpListener, running: &mut Running) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let mut stream = None;
    wait_until(SOON, "the example connects", || {
        stream = listener.accept().ok();
        let ended = running.child.try_wait().unwrap();
        assert!(stream.is_some() || ended.is_none(), "{ended:?}");
        stream.is_some()
    });
    let (stream, _) = stream.unwrap();
    stream.set_nonblocking(false).unwrap();
    stream
}

fn listen(net: &Net) -> (TcpListener, SocketAddr) {
    let to = SocketAddr::new(IpAddr::V4(net.paths[0].server_v4), 0);
    let options = subflows::Listen::new();
    let listener = net.server.run(|| subflows::listen(to, &options)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// The local addresses of the open subflows of the namespace, as ss reports them.
fn open_locals(namespace: &Namespace) -> Vec<IpAddr> {
    let subflows = oracle::ss_subflows(namespace).into_iter();
    let open = subflows.filter(|subflow| subflow.state == "ESTAB");
    let mut locals: Vec<_> = open.map(|subflow| subflow.local.ip()).collect();
    locals.sort();
    locals
}

fn two_wires() -> Net {
    let rate = WireOptions { rate_bits_per_second: Some(50_000_000), ..WireOptions::default() };
    Net::wires(&[("first", rate), ("second", rate)]).unwrap()
}

/// Dropped, it ends the sending thread, also if a test fails.
struct Tap(Arc<AtomicBool>);

impl Drop for Tap {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends until the tap is dropped, and returns the number of bytes and their checksum.
fn pour(mut stream: TcpStream) -> (Tap, JoinHandle<(u64, u64)>) {
    let is_enough = Arc::new(AtomicBool::new(false));
    let tap = Tap(Arc::clone(&is_enough));
    (tap, thread::spawn(move || send(&mut stream, &is_enough)))
}

fn send(stream: &mut TcpStream, is_enough: &AtomicBool) -> (u64, u64) {
    let (mut sent, mut checksum, mut state) = (0, 0u64, 0u32);
    let mut chunk = vec![0; 16 * 1024];
    while !is_enough.load(Ordering::Relaxed) {
        for byte in &mut chunk {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = (state >> 24) as u8;
            checksum = checksum.rotate_left(5).wrapping_add(u64::from(*byte));
        }
        stream.write_all(&chunk).unwrap();
        sent += chunk.len() as u64;
    }
    (sent, checksum)
}

/// A download over two paths, in C or C++.
fn paths(name: &str, how: How) -> Vec<String> {
    let net = two_wires();
    let (listener, address) = listen(&net);
    let mut command = example(&net.client, name, how);
    command.arg(address.ip().to_string()).arg(address.port().to_string()).arg("second");
    let mut running = Running::start(command);
    let stream = accept(&listener, &mut running);
    let (tap, pouring) = pour(stream);
    wait_until(SOON, "both paths carry data", || {
        net.paths.iter().all(|path| path.bytes().unwrap().to_client > 1 << 20)
    });
    let both = [net.paths[0].client_v4, net.paths[1].client_v4].map(IpAddr::from);
    assert_eq!(open_locals(&net.client), both);
    drop(tap);
    let (sent, _) = pouring.join().unwrap();
    let lines = running.end();
    assert!(lines.contains(&format!("{sent} bytes")), "{sent}: {lines:?}");
    for (path, line) in net.paths.iter().zip(&lines[lines.len() - 2..]) {
        let ends = format!(": {} -> {}, ", path.client_v4, address.ip());
        assert!(line.contains(&ends), "{line}");
        let told: u64 = line.split(' ').nth_back(1).unwrap().parse().unwrap();
        let wire = path.bytes().unwrap().to_client;
        // The wire counts headers as well.
        assert!(told > 1 << 19 && told < wire, "{line}, and {wire} by the wire");
    }
    lines
}

#[test]
fn paths_in_c() {
    if !subflows_lab::ready() {
        return;
    }
    for how in WAYS_IN_CONTROL {
        let lines = paths("paths.c", how);
        assert_eq!(lines[1], "2 paths", "{how:?}");
    }
}

#[test]
fn paths_in_cpp() {
    if !subflows_lab::ready() {
        return;
    }
    for how in WAYS_IN_CONTROL {
        let lines = paths("paths.cpp", how);
        assert!(lines.contains(&"SubflowEstablished".to_owned()), "{how:?}: {lines:?}");
    }
}

#[test]
fn a_download_survives_its_first_cable() {
    if !subflows_lab::ready() {
        return;
    }
    for how in WAYS_IN_CONTROL {
        let net = two_wires();
        let (listener, address) = listen(&net);
        let mut command = example(&net.client, "second_path.c", how);
        command.arg(address.ip().to_string()).arg(address.port().to_string()).arg("second");
        let mut running = Running::start(command);
        let stream = accept(&listener, &mut running);
        let (tap, pouring) = pour(stream);
        assert!(running.line().starts_with("opened path "));
        wait_until(SOON, "the second path carries data", || {
            net.paths[1].bytes().unwrap().to_client > 1 << 20
        });
        net.paths[0].pull_cable().unwrap();
        assert!(running.line().starts_with("dropped path "));
        assert_eq!(open_locals(&net.client), [IpAddr::from(net.paths[1].client_v4)]);
        drop(tap);
        let (sent, checksum) = pouring.join().unwrap();
        assert_eq!(running.end(), [format!("{sent} bytes, checksum {checksum:016x}")], "{how:?}");
    }
}

/// The second path of one client is opened and closed; another client has one path only.
#[test]
fn a_server_watches_its_clients() {
    if !subflows_lab::ready() {
        return;
    }
    for how in WAYS {
        let net = Net::two_subnets().unwrap();
        let address = SocketAddr::new(IpAddr::V4(net.paths[0].server_v4), 443);
        let mut command = example(&net.server, "watch.c", how);
        command.arg(address.ip().to_string()).args(["443", "2"]);
        let mut running = Running::start(command);

        let options = subflows::Connect::new().control(true);
        let mut client = None;
        wait_until(SOON, "the server listens", || {
            client = net.client.run(|| subflows::connect(address, &options)).ok();
            client.is_some()
        });
        let mut client = client.unwrap();
        assert!(running.line().ends_with(": accepted"));
        client.write_all(b"hello").unwrap();
        let second = subflows::Open::new().interface(net.paths[1].client_interface.as_str());
        let extra = net.client.run(|| subflows::open(&client, &second)).unwrap();
        running.line_with(": SubflowEstablished");
        assert_eq!(oracle::ss_connections(&net.server).len(), 1);
        net.client.run(|| subflows::close(&client, extra.id)).unwrap();
        running.line_with(": SubflowClosed");

        let plain = net.client.run(|| TcpStream::connect(address)).unwrap();
        running.line_with(": one path only");
        drop(plain);
        running.line_with(": gone");
        drop(client);
        assert!(running.end().last().unwrap().ends_with(": gone"), "{how:?}");
    }
}

/// The lines of the report, with or without a middlebox on the path; the server sends a byte after
/// the first lines.
fn report(how: How, middlebox: Option<StripMptcp>, switch: &str) -> (String, String, Vec<String>) {
    let net = Net::wires(&[("wire", WireOptions::default())]).unwrap();
    net.client.set_sysctl("net.mptcp.enabled", switch).unwrap();
    if let Some(middlebox) = middlebox {
        net.paths[0].wire().unwrap().add(middlebox);
    }
    let (listener, address) = listen(&net);
    let mut command = example(&net.client, "fallback.c", how);
    command.arg(address.ip().to_string()).arg(address.port().to_string());
    let mut running = Running::start(command);
    let mut stream = accept(&listener, &mut running);
    let first = running.line();
    stream.write_all(b"!").unwrap();
    let second = running.line_with("after the first byte:");
    let mut client = [0];
    let rest = running.end();
    assert_eq!(stream.read(&mut client).unwrap(), 0);
    (first, second, rest)
}

#[test]
fn a_fallback_is_reported() {
    if !subflows_lab::ready() {
        return;
    }
    for how in WAYS {
        let (first, second, rest) = report(how, None, "1");
        assert_eq!(first, "after the handshake: Mptcp");
        assert_eq!(second, "after the first byte: Mptcp");
        assert_eq!(rest, ["  Further paths can be opened now."], "{how:?}");
    }
    let (first, second, _) = report(How::Plain, Some(StripMptcp::from_syn()), "1");
    assert_eq!(first, "after the handshake: FellBack");
    assert_eq!(second, "after the first byte: FellBack");
    let (first, second, rest) = report(How::Plain, Some(StripMptcp::after_handshake()), "1");
    assert_eq!(first, "after the handshake: Mptcp");
    assert_eq!(second, "after the first byte: FellBack");
    assert!(rest.iter().any(|line| line.contains("net.mptcp.enabled")), "{rest:?}");
    for how in WAYS {
        let (first, second, rest) = report(how, None, "0");
        assert_eq!(first, "after the handshake: Tcp");
        assert_eq!(second, "after the first byte: Tcp");
        assert!(rest.iter().any(|line| line.contains("net.mptcp.enabled")), "{rest:?}");
    }
}

/// Without a listener: an error with a remedy, and no leak.
#[test]
fn what_fails_is_told() {
    if !subflows_lab::ready() {
        return;
    }
    let net = Net::two_subnets().unwrap();
    let address = net.paths[0].server_v4.to_string();
    for name in ["paths.c", "paths.cpp", "second_path.c", "fallback.c"] {
        for how in WAYS_IN_CONTROL {
            let mut command = example(&net.client, name, how);
            command.args([&address, "443"]);
            if name != "fallback.c" {
                command.arg("eth1");
            }
            let output = command.output().unwrap();
            assert_eq!(output.status.code(), Some(1), "{name}, {how:?}: {output:?}");
            let text = String::from_utf8(output.stderr).unwrap();
            assert!(text.starts_with("connect: ") && text.lines().count() >= 2, "{text}");
        }
    }
}

/// New users read them as a whole.
#[test]
fn they_are_short() {
    assert_eq!(sources().len(), 5);
    for source in sources() {
        let text = fs::read_to_string(&source).unwrap();
        assert!(text.lines().count() < 100, "{} is too long", source.display());
        assert!(text.lines().all(|line| line.len() <= 100), "{}", source.display());
    }
}
