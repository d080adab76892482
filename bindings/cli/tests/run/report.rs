//! Which connections have a line in the report.

use std::fs;
use std::io::{Read, Write};

use serde_json::Value;
use subflows_lab::{Net, skip_unless_ready};

use crate::common::*;
use crate::edges::listening;
use crate::run;

#[test]
fn a_report_has_connections_that_were_shut_down_and_goes_to_a_file_only() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let listener = listening(&net);
    let address = listener.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let script = "import ctypes, os, socket, sys\n\
                  sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n\
                  sock.sendall(b'question')\n\
                  sock.shutdown(socket.SHUT_WR)\n\
                  assert sock.recv(100) == b'answer' and sock.recv(1) == b''\n\
                  number = 3 if os.uname().machine == 'x86_64' else 57\n\
                  close = lambda fd: ctypes.CDLL(None).syscall(number, fd)\n\
                  {'close': os.close, 'syscall': close}[sys.argv[3]](sock.detach())\n\
                  os._exit(0)";
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    // libuv closes by syscall(2).
    for (lines, close) in ["close", "syscall"].into_iter().enumerate() {
        let report = ["--report", report.to_str().unwrap(), "--"];
        let words = [&report[..], &["python3", "-c", script, &ip, &port, close]].concat();
        let mut program = run(&net.client, &words).spawn().unwrap();
        let (mut accepted, _) = listener.accept().unwrap();
        accepted.read_to_end(&mut Vec::new()).unwrap();
        accepted.write_all(b"answer").unwrap();
        drop(accepted);
        assert!(program.wait().unwrap().success());
        let reported = fs::read_to_string(report[1]).unwrap();
        let line: Value = serde_json::from_str(reported.lines().nth(lines).unwrap()).unwrap();
        assert_eq!(line["remote"], address.to_string(), "{line}");
    }

    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let told = Run::of(&mut run(&net.client, &["--report", pipe.to_str().unwrap(), "--", "true"]));
    assert!(told.fails(2).contains("not a regular file"));
}

/// Connections that end in each way, some before the program closes them, and then attempts that fail. Prints how many of
/// the former there were, ends counted.
const ENDS: &str = "
import select, socket, time
def until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(.001)
def is_over(sock):
    try:
        sock.getpeername()
    except OSError:
        return True
def pair(address, family):
    client = socket.socket(family)
    client.connect(address)
    client.sendall(b'?')
    server, _ = listener.accept()
    assert server.recv(1) == b'?'
    return client, server
def arrives(sock):
    assert select.select([sock], [], [], 30)[0]
count = 0
for family, ip in (socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::1'):
    listener = socket.create_server((ip, 0), family=family)
    address = listener.getsockname()[:2]
    for first in range(2):
        ends = pair(address, family)
        # The one that closes first, and the one that closes a connection that is over.
        active, passive = ends[first], ends[1 - first]
        active.shutdown(socket.SHUT_WR)
        assert passive.recv(1) == b''
        passive.shutdown(socket.SHUT_WR)
        until(lambda: is_over(passive))
        passive.close()
        active.close()
        ends = pair(address, family)
        active, passive = ends[first], ends[1 - first]
        # With unread data, closing resets the connection.
        passive.sendall(b'!')
        arrives(active)
        active.close()
        until(lambda: is_over(passive))
        passive.close()
        count += 4
    listener.close()
    for is_blocking in True, False:
        sock = socket.socket(family)
        sock.setblocking(is_blocking)
        assert sock.connect_ex(address) in (111, 115)
        until(lambda: is_over(sock))
        sock.close()
    socket.socket(family).close()
print(count)
";

#[test]
fn every_connection_has_a_line_however_it_ended() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (number, options) in [&[][..], &["--not", "0.0.0.0/0", "--not", "::/0"]].iter().enumerate()
    {
        let report = folder.path().join(number.to_string());
        let reported = ["--report", report.to_str().unwrap(), "--", "python3", "-c", ENDS];
        let printed = Run::of(&mut run(&net.client, &[options, &reported[..]].concat())).ok();
        let lines = fs::read_to_string(&report).unwrap();
        assert_eq!(lines.lines().count(), printed.trim().parse::<usize>().unwrap(), "{lines}");
        for line in lines.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let has_port = |end: &str| !line[end].as_str().unwrap().ends_with(":0");
            assert!(has_port("local") && has_port("remote"), "{line}");
            assert_eq!(line["paths"].as_array().unwrap().len() as u64, line["subflows"], "{line}");
        }
    }
}
