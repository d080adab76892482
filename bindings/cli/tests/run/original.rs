//! Transparent proxies: where a connection went before it was redirected to them.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::process::Stdio;

use subflows_lab::{Net, skip_unless_ready};

use crate::{Server, run};

/// Accepts connections by both families, and prints what each has of them: an address, or the name of the error.
const PROXY: &str = "
import errno, os, sys
from socket import *
def original(sock, level, size):
    try:
        raw = sock.getsockopt(level, 80, size)
    except OSError as error:
        return errno.errorcode[error.errno]
    ip = raw[4:8] if level == SOL_IP else raw[8:24]
    family = AF_INET if level == SOL_IP else AF_INET6
    assert int.from_bytes(raw[:2], sys.byteorder) == family
    return f'{inet_ntop(family, ip)}|{int.from_bytes(raw[2:4], \"big\")}'
listener = create_server(('::', 0), family=AF_INET6, dualstack_ipv6=True)
print(listener.getsockname()[1], flush=True)
for connection in range(4):
    if connection == 3:
        os.setuid(65534)
    sock, _ = listener.accept()
    print(sock.getsockopt(SOL_SOCKET, 38), original(sock, SOL_IP, 16), original(sock, IPPROTO_IPV6, 28),
          original(sock, SOL_IP, 15), original(sock, SOL_IP, 128), flush=True)
";

#[test]
fn a_transparent_proxy_gets_the_original_destination() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    // With --only, the proxy listens by TCP, and the answers are the kernel's.
    for options in [&["--only", "203.0.113.9"][..], &[]] {
        let mut proxy = run(&net.server, &[options, &["--", "python3", "-c", PROXY]].concat());
        let mut proxy = Server(proxy.stdout(Stdio::piped()).spawn().unwrap());
        let mut lines = BufReader::new(proxy.0.stdout.take().unwrap()).lines();
        let mut line = || lines.next().unwrap().unwrap();
        let port = line();
        let rules = format!(
            "add table inet nat; delete table inet nat; add table inet nat; \
             add chain inet nat in {{ type nat hook prerouting priority -100; }}; \
             add rule inet nat in tcp dport 4444 redirect to :{port}"
        );
        assert!(net.server.command("nft").arg(rules).status().unwrap().success());
        let by_mptcp = options.is_empty();
        let protocol = if by_mptcp { "262" } else { "6" };
        let mut accepted = |ip: IpAddr, port: u16| {
            let to = SocketAddr::new(ip, port);
            let connected = subflows::Connect::new();
            let _client = net.client.run(|| subflows::connect(to, &connected)).unwrap();
            let line = line();
            line.strip_prefix(protocol).expect(&line).trim().to_owned()
        };
        let [v4, v6] = [net.paths[0].server_v4.into(), net.paths[0].server_v6.into()];
        let found = format!("{v4}|4444");
        assert_eq!(accepted(v4, 4444), format!("{found} ENOENT EINVAL {found}"));
        assert_eq!(accepted(v6, 4444), format!("ENOENT {v6}|4444 EINVAL ENOENT"));
        let direct = format!("{v4}|{port}");
        assert_eq!(accepted(v4, port.parse().unwrap()), format!("{direct} ENOENT EINVAL {direct}"));
        // The kernel shows its table to CAP_NET_ADMIN only.
        let unprivileged = if by_mptcp {
            ["ENOTSUP"; 4].join(" ")
        } else {
            format!("{found} ENOENT EINVAL {found}")
        };
        assert_eq!(accepted(v4, 4444), unprivileged);
    }
}
