//! `subflows run`: unchanged programs use Multipath TCP, and work as without it.

#[path = "../common/mod.rs"]
mod common;

mod agent;
mod choice;
mod edges;
mod jail;
mod java_agent;
mod old;
mod original;
mod report;

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use common::*;
use serde_json::Value;
use subflows_lab::oracle::{nstat, ss_subflows};
use subflows_lab::{Namespace, Net, skip_unless_ready, wait_until};
use tempfile::TempDir;

/// The library, in the folder of the command.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let built = concat!(env!("CARGO_MANIFEST_DIR"), "/../built");
        let mut build = Command::new(built);
        build.args(["subflows-preload", "libsubflows_preload.so"]).env("SUBFLOWS_PROFILE", "dev");
        let output = build.stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success());
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end())
    })
}

/// `subflows run ARGUMENTS` in a namespace.
fn run(namespace: &Namespace, arguments: &[&str]) -> Command {
    let mut command = namespace.command(SUBFLOWS);
    command.env("SUBFLOWS_PRELOAD", library()).arg("run").args(arguments);
    command
}

/// A user without privileges, with a copy of the command and of the library.
struct Nobody {
    folder: Folder,
    command: String,
    library: String,
}

impl Nobody {
    /// `None` if the test cannot switch to another user.
    fn new() -> Option<Nobody> {
        if !has_nobody() {
            return None;
        }
        let folder = Folder::new();
        let (command, library) = (folder.command(), folder.file("preload.so"));
        fs::copy(self::library(), &library).unwrap();
        Some(Nobody { folder, command, library })
    }

    /// `subflows run ARGUMENTS` as that user, with the broker at that path.
    fn run(&self, namespace: &Namespace, broker: &str, arguments: &[&str]) -> Command {
        let mut command = namespace.command("setpriv");
        as_nobody(&mut command, &self.command);
        command.env("SUBFLOWS_PRELOAD", &self.library).env("SUBFLOWS_BROKER", broker);
        command.arg("run").args(arguments);
        command
    }
}

/// A program that ends with the value.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Python's web server, unchanged, with a file of a megabyte. Returns its address.
fn web_server(net: &Net, ip: IpAddr, folder: &TempDir) -> (Server, String) {
    let body: Vec<u8> = (0..1 << 20).map(|place: usize| (place % 251) as u8).collect();
    fs::write(folder.path().join("file"), body).unwrap();
    let script = "import http.server, socket, sys\n\
                  class Server(http.server.ThreadingHTTPServer):\n    \
                      address_family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET\n\
                  server = Server((sys.argv[1], 0), http.server.SimpleHTTPRequestHandler)\n\
                  print(server.server_address[1], flush=True)\n\
                  server.serve_forever()";
    let mut command = run(&net.server, &["--", "python3", "-c", script, &ip.to_string()]);
    command.current_dir(folder.path()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = Server(command.spawn().unwrap());
    let mut line = String::new();
    let mut out = std::io::BufReader::new(server.0.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    let port: u16 = line.trim().parse().unwrap();
    (server, std::net::SocketAddr::new(ip, port).to_string())
}

const FETCH: &str = "import hashlib, sys, urllib.request\n\
                     body = urllib.request.urlopen(sys.argv[1]).read()\n\
                     print(len(body), hashlib.sha256(body).hexdigest())";

#[test]
fn both_ends_use_multipath_tcp_and_the_report_has_the_paths() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    net.join_by_kernel().unwrap();
    for ip in net.paths[0].server_ips() {
        let folder = tempfile::tempdir().unwrap();
        let (_server, address) = web_server(&net, ip, &folder);
        let report = folder.path().join("report.json");
        let before = nstat(&net.server, "MPTcpExtMPCapableACKRX");
        let url = format!("http://{address}/file");
        let words = ["--report", report.to_str().unwrap(), "--", "python3", "-c", FETCH, &url];
        let fetched = Run::of(&mut run(&net.client, &words)).ok();
        assert!(fetched.starts_with("1048576 "), "{fetched}");
        assert_eq!(nstat(&net.server, "MPTcpExtMPCapableACKRX"), before + 1);

        let lines = fs::read_to_string(&report).unwrap();
        let line: Value = serde_json::from_str(lines.trim()).expect(&lines);
        assert_eq!((&line["state"], &line["remote"]), (&"Mptcp".into(), &address.into()), "{line}");
        let paths = line["paths"].as_array().unwrap();
        let received: u64 = paths.iter().map(|path| path["bytes_received"].as_u64().unwrap()).sum();
        assert!(received >= 1 << 20, "{line}");
    }
}

#[test]
fn a_peer_without_multipath_tcp_is_reached_by_tcp() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let listener = net.server.run(|| std::net::TcpListener::bind((net.paths[0].server_v4, 0)));
    let listener = listener.unwrap();
    let address = listener.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let script = "import socket, sys\n\
                  sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n\
                  print(sock.recv(5).decode())";
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    let words = ["--report", report.to_str().unwrap(), "--", "python3", "-c", script, &ip, &port];
    let mut client = run(&net.client, &words).stdout(Stdio::piped()).spawn().unwrap();
    let (mut accepted, _) = listener.accept().unwrap();
    std::io::Write::write_all(&mut accepted, b"hello").unwrap();
    assert!(client.wait().unwrap().success());
    let line: Value = serde_json::from_str(fs::read_to_string(&report).unwrap().trim()).unwrap();
    assert_eq!(line["state"], "FellBack", "{line}");
    assert_eq!(line["paths"][0]["bytes_received"], 5, "{line}");
}

/// As the program sees them: an option that was set has that value, and the next socket of the same number has not.
#[test]
fn options_without_consequence_succeed_and_others_fail() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let script = "
import errno, socket
def fails(number, *option):
    try:
        sock.setsockopt(*option)
    except OSError as error:
        assert error.errno == number, (option, error)
    else:
        raise AssertionError(option)
for family in socket.AF_INET, socket.AF_INET6:
    sock = socket.socket(family)
    number = sock.fileno()
    assert sock.getsockopt(socket.SOL_SOCKET, 38) == 262  # SO_PROTOCOL
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 0
    for option, default, value in (18, 0, 5000), (12, 1, 0), (7, 6, 3), (8, 60, 5), (16, 0, 1), (9, 0, 30):
        assert sock.getsockopt(socket.IPPROTO_TCP, option) == default, option
        sock.setsockopt(socket.IPPROTO_TCP, option, value)
        assert sock.getsockopt(socket.IPPROTO_TCP, option) == value, option
    sock.setsockopt(socket.SOL_SOCKET, 47, 125000)  # SO_MAX_PACING_RATE
    assert sock.getsockopt(socket.SOL_SOCKET, 47) == 125000
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 0x20)
        assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS) == 0x20
        sock.setsockopt(socket.IPPROTO_IPV6, 33, 1)  # IPV6_FLOWINFO_SEND
        assert sock.getsockopt(socket.IPPROTO_IPV6, 33) == 1
    # TCP does not accept these values, and what protects is never softened.
    fails(errno.EINVAL, socket.IPPROTO_TCP, 18, -1)
    fails(errno.EINVAL, socket.IPPROTO_TCP, 7, 128)
    fails(errno.EOPNOTSUPP, socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 0)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE) == 0
    fails(errno.EOPNOTSUPP, socket.SOL_SOCKET, 60, 1)  # SO_ZEROCOPY
    fails(errno.ENOPROTOOPT, socket.IPPROTO_TCP, 31, b'tls')  # TCP_ULP
    fails(errno.EOPNOTSUPP, socket.IPPROTO_IP, socket.IP_TTL, 5)
    sock.close()
    sock = socket.socket(family)
    assert sock.fileno() == number
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 0
    sock.close()
for kind in (socket.AF_UNIX, socket.SOCK_STREAM), (socket.AF_INET, socket.SOCK_DGRAM):
    sock = socket.socket(*kind)
    assert sock.getsockopt(socket.SOL_SOCKET, 38) != 262
    sock.close()
";
    Run::of(&mut run(&net.client, &["--", "python3", "-c", script])).ok();
}

#[test]
fn without_multipath_tcp_in_the_kernel_nothing_changes() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    namespace.run(|| fs::write("/proc/sys/net/mptcp/enabled", "0")).unwrap();
    let script = "import socket; print(socket.socket().getsockopt(socket.SOL_SOCKET, 38))";
    assert_eq!(Run::of(&mut run(&namespace, &["--", "python3", "-c", script])).ok(), "6\n");
}

#[test]
fn children_are_run_the_same_way_and_nothing_is_printed() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let script = "import socket; print(socket.socket().getsockopt(socket.SOL_SOCKET, 38))";
    let child = format!("python3 -c '{script}'; exit 7");
    let ended = Run::of(&mut run(&namespace, &["--", "sh", "-c", &child]));
    assert_eq!((ended.code, &*ended.stdout, &*ended.stderr), (Some(7), "262\n", ""));
    // Both variables keep their former content.
    let mut command = run(&namespace, &["--", "sh", "-c", "echo $GODEBUG; echo $LD_PRELOAD"]);
    let printed = Run::of(command.env("GODEBUG", "madvdontneed=1")).ok();
    let expected = format!("multipathtcp=1,madvdontneed=1\n{}\n", library().display());
    assert_eq!(printed, expected);
}

#[test]
fn what_is_out_of_reach_is_named() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let folder = Folder::new();
    let source = folder.file("static.c");
    fs::write(&source, "int main(void) { return 0; }").unwrap();
    let program = folder.file("static");
    let compiled = Command::new("gcc").args(["-static", "-o", &program, &source]).status();
    assert!(compiled.unwrap().success());
    let told = Run::of(&mut run(&namespace, &["--", &program])).fails(125);
    assert!(told.contains("static program") && told.contains("dynamically linked"), "{told}");
    // By its interpreter.
    let script = folder.file("script");
    fs::write(&script, format!("#!{program} word\n")).unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let told = Run::of(&mut run(&namespace, &["--", &script])).fails(125);
    assert!(told.contains(&program), "{told}");

    // By the dynamic linker and the processor that its file names.
    let linker = "-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1";
    let program = folder.file("musl");
    assert!(
        Command::new("gcc").args([linker, "-o", &program, &source]).status().unwrap().success()
    );
    let told = Run::of(&mut run(&namespace, &["--", &program])).fails(125);
    assert!(told.contains("musl") && told.contains("C library"), "{told}");
    let other = folder.file("other");
    assert!(Command::new("gcc").args(["-o", &other, &source]).status().unwrap().success());
    let mut elf = fs::read(&other).unwrap();
    elf[18] ^= 0xff;
    fs::write(&other, elf).unwrap();
    let told = Run::of(&mut run(&namespace, &["--", &other])).fails(125);
    assert!(told.contains("processor"), "{told}");

    assert!(Run::of(&mut run(&namespace, &["--", "no-such-program"])).fails(127).contains("PATH"));
    assert!(Run::of(&mut run(&namespace, &["--", "/"])).fails(126).contains("cannot run `/`"));
    Run::of(&mut run(&namespace, &[])).fails(2);
    let nowhere = ["--report", "/no/such/folder/file", "--", "true"];
    assert!(Run::of(&mut run(&namespace, &nowhere)).fails(1).contains("cannot write"));
    let mut without = run(&namespace, &["--", "true"]);
    let told = Run::of(without.env("SUBFLOWS_PRELOAD", folder.file("nothing"))).fails(1);
    assert!(told.contains("make install"), "{told}");

    if let Some(nobody) = Nobody::new() {
        let words = ["--", "/usr/bin/su", "--version"];
        let told = Run::of(&mut nobody.run(&namespace, "none", &words)).fails(125);
        assert!(told.contains("set-user-ID") && told.contains("sudo"), "{told}");
    }
}

/// The hooks are in libc's place when a program ends a process by a signal, forks in threads, or runs out of
/// descriptors.
#[test]
fn programs_that_use_all_of_the_system_work() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let script = "
import concurrent.futures, os, resource, socket, subprocess
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
def work(number):
    for _ in range(20):
        a, b = socket.socketpair()
        sock = socket.socket()
        copy = os.dup(sock.fileno())
        os.close(copy)
        assert subprocess.run(['true']).returncode == 0
        child = os.fork()
        if child == 0:
            sock.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        sock.close(); a.close(); b.close()
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    list(pool.map(work, range(4)))
kept = []
try:
    while True:
        kept.append(socket.socket())
except OSError as error:
    assert error.errno == 24, error
print(len(kept))
";
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let words = ["--report", report.to_str().unwrap(), "--", "python3", "-c", script];
    let printed = Run::of(&mut run(&namespace, &words)).ok();
    assert!(printed.trim().parse::<u32>().unwrap() > 40, "{printed}");
    // No connection was made.
    assert_eq!(fs::read_to_string(&report).unwrap(), "");
}

/// Receives two megabytes; when the second path is open, the cable of the first is pulled. `command` makes the command
/// line for the program, with its arguments to come.
fn survives_the_first_cable(net: &Net, ip: IpAddr, command: impl Fn(&[&str]) -> Command) {
    let listener = net.server.run(|| subflows::listen((ip, 0), &subflows::Listen::new()));
    let listener = listener.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let script = "import socket, sys\n\
                  sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n\
                  sock.sendall(b'?')\n\
                  total = 0\n\
                  while data := sock.recv(65536):\n    total += len(data)\n\
                  print(total)";
    let mut command = command(&["--", "python3", "-c", script, &ip.to_string(), &port]);
    let client = command.stdout(Stdio::piped()).spawn().unwrap();
    let (mut accepted, _) = listener.accept().unwrap();
    std::io::Read::read_exact(&mut accepted, &mut [0]).unwrap();
    let block = vec![7; 1 << 20];
    std::io::Write::write_all(&mut accepted, &block).unwrap();
    wait_until(SOON, "the second path", || ss_subflows(&net.client).len() == 2);
    net.paths[0].pull_cable().unwrap();
    std::io::Write::write_all(&mut accepted, &block).unwrap();
    drop(accepted);
    let output = client.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "2097152\n");
    net.paths[0].plug_in().unwrap();
}

#[test]
fn further_paths_carry_on_when_the_first_cable_is_pulled() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    net.raise_limits().unwrap();
    let interface = net.paths[1].client_interface.as_str();
    for (ip, option) in net.paths[0].server_ips().into_iter().zip(["--via", "--backup"]) {
        survives_the_first_cable(&net, ip, |words| {
            run(&net.client, &[&[option, interface], words].concat())
        });
    }
}

#[test]
fn an_unprivileged_user_gets_further_paths_by_a_broker() {
    skip_unless_ready!();
    let Some(nobody) = Nobody::new() else { return };
    let net = Net::two_subnets().unwrap();
    net.raise_limits().unwrap();
    let interface = net.paths[1].client_interface.as_str();
    let (policy, socket) = (nobody.folder.file("policy.toml"), nobody.folder.file("socket"));
    fs::write(&policy, "[[allow]]\n").unwrap();
    let mut broker = net.client.command(SUBFLOWS);
    broker.args(["broker", "--policy", &policy, "--socket", &socket]).stderr(Stdio::null());
    let _broker = Server(broker.spawn().unwrap());
    wait_until(SOON, "the broker", || {
        std::os::unix::net::UnixStream::connect(&socket).is_err_and(
            // It takes sockets of another kind, once it listens.
            |error| error.raw_os_error() == Some(91),
        )
    });
    for ip in net.paths[0].server_ips() {
        survives_the_first_cable(&net, ip, |words| {
            nobody.run(&net.client, &socket, &[&["--via", interface], words].concat())
        });
    }
}

/// A program that sends nothing for a while after a connect(2) that did not wait: the connection is not ready yet.
#[test]
fn a_path_waits_for_a_program_that_connects_without_waiting() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    net.raise_limits().unwrap();
    let ip = IpAddr::from(net.paths[0].server_v4);
    let listener = net.server.run(|| subflows::listen((ip, 0), &subflows::Listen::new()));
    let listener = listener.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let script = "import select, socket, sys\n\
                  sock = socket.socket()\n\
                  sock.setblocking(False)\n\
                  assert sock.connect_ex((sys.argv[1], int(sys.argv[2]))) == 115\n\
                  select.select([], [sock], [])\n\
                  sys.stdin.read(1)\n\
                  sock.sendall(b'?')\n\
                  select.select([sock], [], [])\n\
                  print(len(sock.recv(1)))";
    let interface = &net.paths[1].client_interface;
    let words = ["--via", interface, "--", "python3", "-c", script, &ip.to_string(), &port];
    let mut command = run(&net.client, &words);
    let mut client = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut accepted, _) = listener.accept().unwrap();
    // The agent looks every 10 ms, and must find for a while that there is nothing to do yet.
    let start = std::time::Instant::now();
    wait_until(SOON, "a while", || {
        assert_eq!(ss_subflows(&net.client).len(), 1);
        start.elapsed().as_millis() > 200
    });
    std::io::Write::write_all(client.stdin.as_mut().unwrap(), b"\n").unwrap();
    std::io::Read::read_exact(&mut accepted, &mut [0]).unwrap();
    wait_until(SOON, "the second path", || ss_subflows(&net.client).len() == 2);
    std::io::Write::write_all(&mut accepted, b"!").unwrap();
    assert_eq!(client.wait_with_output().unwrap().stdout, b"1\n");
}

#[test]
fn without_the_right_the_remedy_names_the_broker() {
    skip_unless_ready!();
    let Some(nobody) = Nobody::new() else { return };
    let namespace = Namespace::new().unwrap();
    let words = ["--via", "lo", "--", "true"];
    let told = Run::of(&mut nobody.run(&namespace, "none", &words)).fails(3);
    assert!(told.contains("subflows broker"), "{told}");
}
