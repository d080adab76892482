//! Which connections use Multipath TCP, and why the others do not.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::process::Stdio;

use serde_json::Value;
use subflows_lab::{Namespace, Net, skip_unless_ready};

use crate::common::*;
use crate::run;

/// Connects to each of the ports with everything set that a socket can have, and checks that it still has that.
const CLIENT: &str = "
import fcntl, select, socket, sys
from socket import *
names = 'SOCK', 'TCP'
def protocol(sock): return {262: 'Mptcp', 6: 'Tcp'}[sock.getsockopt(SOL_SOCKET, 38)]
ip, *ports = sys.argv[1:]
family = AF_INET6 if ':' in ip else AF_INET
for port in map(int, ports):
    sock = socket(family)
    number = sock.fileno()
    fcntl.fcntl(number, fcntl.F_SETFD, 0)
    sock.setblocking(False)
    sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
    sock.setsockopt(IPPROTO_TCP, TCP_KEEPIDLE, 77)
    sock.setsockopt(IPPROTO_TCP, TCP_USER_TIMEOUT, 4321)
    sock.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1)
    sock.setsockopt(SOL_SOCKET, SO_RCVBUF, 100000)
    sock.bind((ip if ip in ('127.0.0.1', '::1') else '', 0))
    bound = sock.getsockname()[1]
    # Watched before it connects, as nginx does it.
    watch = select.epoll()
    watch.register(sock, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
    assert sock.connect_ex((ip, port)) == 115
    assert watch.poll(30) == [(number, select.EPOLLOUT)]
    assert sock.getsockopt(SOL_SOCKET, SO_ERROR) == 0
    assert sock.getsockname()[1] == bound
    assert fcntl.fcntl(number, fcntl.F_GETFD) == 0 and not sock.getblocking()
    for option, value in (TCP_NODELAY, 1), (TCP_KEEPIDLE, 77), (TCP_USER_TIMEOUT, 4321):
        assert sock.getsockopt(IPPROTO_TCP, option) == value, option
    assert sock.getsockopt(SOL_SOCKET, SO_KEEPALIVE) == 1
    assert sock.getsockopt(SOL_SOCKET, SO_RCVBUF) == 200000
    assert sock.getsockopt(SOL_SOCKET, SO_REUSEADDR) == 0
    assert sock.getsockopt(SOL_SOCKET, 72) == 2  # SO_BUF_LOCK
    print(protocol(sock))
    sock.close()
";

fn listener(net: &Net, ip: IpAddr) -> TcpListener {
    net.server.run(|| subflows::listen((ip, 0), &subflows::Listen::new())).unwrap()
}

/// The lines of a report.
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[test]
fn destinations_are_chosen_by_address_and_port() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    for ip in net.paths[0].server_ips() {
        let listeners = [listener(&net, ip), listener(&net, ip)];
        let ports = listeners.each_ref().map(|one| one.local_addr().unwrap().port().to_string());
        let bracketed = match ip {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("[{v6}]"),
        };
        let (first, ip) = (format!("{bracketed}:{}", ports[0]), ip.to_string());
        let network = if ip.contains(':') { "::/0" } else { "0.0.0.0/0" };
        // As the JVM has it: a socket of IPv6, also for IPv4.
        let mapped = if ip.contains(':') { ip.clone() } else { format!("::ffff:{ip}") };
        for (ip, options, expected) in [
            (&ip, &["--not", &first][..], ["Tcp", "Mptcp"]),
            (&mapped, &["--not", &first], ["Tcp", "Mptcp"]),
            (&ip, &["--only", &first], ["Mptcp", "Tcp"]),
            (&ip, &["--only", network, "--not", &first], ["Tcp", "Mptcp"]),
            (&ip, &["--not", &ip], ["Tcp", "Tcp"]),
            (&ip, &["--only", "203.0.113.9", "--not", "2001:db8:9::/48"], ["Tcp", "Tcp"]),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let report = folder.path().join("report.json");
            let reported = ["--report", report.to_str().unwrap()];
            let program = ["--", "python3", "-c", CLIENT, ip, &ports[0], &ports[1]];
            let words = [options, &reported, &program].concat();
            let printed = Run::of(&mut run(&net.client, &words)).ok();
            assert_eq!(printed.lines().collect::<Vec<_>>(), expected, "{options:?}");
            let lines = lines(&fs::read_to_string(&report).unwrap());
            let whys: Vec<_> = lines.iter().map(|line| line["why"].as_str()).collect();
            assert_eq!(whys, expected.map(|one| (one == "Tcp").then_some("Excluded")), "{lines:?}");
        }
    }
}

/// Prints by what a bound socket listens, and the port, and closes what it accepts.
const SERVER: &str = "
import socket, sys
sock = socket.create_server(('127.0.0.1', 0))
print(sock.getsockopt(socket.SOL_SOCKET, 38), sock.getsockname()[1], flush=True)
accepted, _ = sock.accept()
accepted.recv(1)
accepted.close()
";

#[test]
fn with_only_listening_sockets_are_tcp_unless_server() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    for (options, protocol) in [
        (&["--only", "192.0.2.1"][..], "6"),
        (&["--only", "192.0.2.1", "--server"], "262"),
        (&["--not", "192.0.2.1"], "262"),
        (&[], "262"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let report = folder.path().join("report.json");
        let program = ["--report", report.to_str().unwrap(), "--", "python3", "-c", SERVER];
        let mut command = run(&namespace, &[options, &program].concat());
        let mut server = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut out = std::io::BufReader::new(server.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut out, &mut line).unwrap();
        let (got, port) = line.trim().split_once(' ').unwrap();
        assert_eq!(got, protocol, "{options:?}");
        // A client without Multipath TCP.
        let address = ("127.0.0.1", port.parse::<u16>().unwrap());
        let mut client = namespace.run(|| TcpStream::connect(address)).unwrap();
        client.write_all(b"?").unwrap();
        assert!(matches!(client.read(&mut [0]), Ok(0)));
        assert!(server.wait().unwrap().success());
        let lines = lines(&fs::read_to_string(&report).unwrap());
        let expected = if protocol == "6" { "Excluded" } else { "NotRequestedByPeer" };
        let found = lines.iter().find(|line| line["state"] == "Tcp").unwrap();
        assert_eq!(found["why"], expected, "{options:?} {lines:?}");
    }
}

const CONNECTS: &str = "
import socket, sys
sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))
sock.sendall(b'?')
sock.recv(1)
";

/// The one line of the report of a program that connects there.
fn reported(namespace: &Namespace, ip: &str, listener: &TcpListener) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let port = listener.local_addr().unwrap().port().to_string();
    let words = ["--report", report.to_str().unwrap(), "--", "python3", "-c", CONNECTS, ip, &port];
    let mut client = run(namespace, &words).spawn().unwrap();
    let (mut accepted, _) = listener.accept().unwrap();
    accepted.read_exact(&mut [0]).unwrap();
    accepted.write_all(b"!").unwrap();
    assert!(client.wait().unwrap().success());
    let mut lines = lines(&fs::read_to_string(&report).unwrap());
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.remove(0)
}

#[test]
fn a_report_has_why_a_connection_is_tcp() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let ip = net.paths[0].server_v4;
    let is = |line: &Value, state: &str, why: &str| {
        assert_eq!((&line["state"], &line["why"]), (&state.into(), &why.into()), "{line}");
    };
    let plain = net.server.run(|| TcpListener::bind((ip, 0))).unwrap();
    is(&reported(&net.client, &ip.to_string(), &plain), "FellBack", "NotAnswered");

    // SYNs with Multipath TCP are lost, and the kernel soon sends them without.
    let setting = "/proc/sys/net/mptcp/syn_retrans_before_tcp_fallback";
    let _ = net.client.run(|| fs::write(setting, "0"));
    let rules = "add table inet lost; add chain inet lost in { type filter hook input priority 0; }; \
                 add rule inet lost in tcp flags syn tcp option mptcp subtype 0 drop";
    let nft = net.server.command("nft").arg(rules).status().unwrap();
    assert!(nft.success());
    let able = listener(&net, ip.into());
    is(&reported(&net.client, &ip.to_string(), &able), "FellBack", "NotRequested");

    let without = Namespace::new().unwrap();
    without.run(|| fs::write("/proc/sys/net/mptcp/enabled", "0")).unwrap();
    let plain = without.run(|| TcpListener::bind(("127.0.0.1", 0))).unwrap();
    is(&reported(&without, "127.0.0.1", &plain), "Tcp", "NotAvailable");
}

#[test]
fn what_is_no_destination_is_refused() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let told = |words: &[&str], code| Run::of(&mut run(&namespace, words)).fails(code);
    assert!(told(&["--only", "192.0.2.1/33", "--", "true"], 2).contains("192.0.2.0/24"));
    assert!(told(&["--not", "no.such.host.invalid", "--", "true"], 2).contains("getent"));
    assert!(told(&["--server", "--", "true"], 2).contains("--only"));
    assert!(told(&["--local", "lo", "--", "true"], 2).contains("a local address"));
}
