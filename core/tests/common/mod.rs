//! What the tests share: networks from the lab, connected pairs inside them.
#![allow(dead_code, missing_docs, unreachable_pub, unused_imports, unused_macros)]

pub mod child;
pub mod deny;
pub mod judge;
pub mod raw;
pub mod transfer;
pub mod trap;
pub mod ways;

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use subflows::{Capability, Connect, Error, ErrorKind, Listen};
use subflows_lab::{Namespace, Net, is_before, path_manager_setting, wait_until};

/// The loopback address of each family.
pub const LOOPBACK: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// Long enough, on a busy machine, for everything that should be immediate.
pub const SOON: Duration = Duration::from_secs(10);

/// Listens until the port is one that no other server had: a middlebox acts on its port in both families.
pub fn on_new_port<T>(
    ports: &mut HashSet<u16>,
    listen: impl Fn() -> T,
    port: impl Fn(&T) -> u16,
) -> T {
    let mut others = Vec::new();
    loop {
        let listener = listen();
        if ports.insert(port(&listener)) {
            return listener;
        }
        // Kept open, so that the next one gets another port.
        others.push(listener);
    }
}

/// Whether this kernel lacks something, or the library is made to behave as if it did
/// (`SUBFLOWS_WITHOUT`).
pub fn is_without(name: &str) -> bool {
    let without = std::env::var("SUBFLOWS_WITHOUT").unwrap_or_default();
    without.split(',').any(|lacking| lacking == name)
        || match name {
            "full_info" => is_before(6, 5),
            "addresses_by_token" => is_before(6, 10),
            _ => panic!("an unknown capability: {name}"),
        }
}

/// Whether this machine has one processor only, on which nothing happens at the same time.
pub fn has_one_processor() -> bool {
    std::thread::available_parallelism().is_ok_and(|processors| processors.get() == 1)
}

/// Whether qemu emulates the processors, which then run one at a time.
pub fn is_emulated() -> bool {
    std::fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains("QEMU TCG"))
}

/// Raises the limits of both ends to the maximum number of subflows.
pub fn open_handed(net: Net) -> Net {
    net.raise_limits().unwrap();
    net
}

/// Networks in which waits differ: cables, routers, and long ways.
pub fn networks() -> [Net; 3] {
    [Net::two_subnets(), Net::laptop(), Net::far()].map(|net| open_handed(net.unwrap()))
}

/// Makes programs manage the paths of every connection that begins in this namespace.
pub fn userspace(namespace: &Namespace) {
    let setting = path_manager_setting();
    namespace.run(|| std::fs::write(setting.file, setting.userspace)).unwrap();
}

/// Checks that a call has failed with an error of this kind.
#[track_caller]
pub fn expect_error<T>(result: subflows::Result<T>, kind: ErrorKind) -> Error {
    let Err(error) = result else { panic!("it succeeded instead of failing with {kind:?}") };
    assert_eq!(error.kind(), kind, "{error}");
    error
}

/// What the library reports about this capability.
pub fn capability(name: &str) -> Capability {
    let all = subflows::capabilities().unwrap();
    all.into_iter().find(|capability| capability.name == name).unwrap()
}

/// A connection from the client's namespace to an address in the server's.
pub struct Pair {
    pub client: TcpStream,
    pub server: TcpStream,
    pub listener: TcpListener,
}

/// Connects through the first path, to the server's address of that family.
pub fn connect(net: &Net, to: IpAddr, options: &Connect) -> Pair {
    connect_between(&net.client, &net.server, to, options)
}

/// As [`connect`], under control and ready for more subflows.
pub fn controlled(net: &Net, to: IpAddr) -> Pair {
    let pair = connect(net, to, &Connect::new().control(true));
    pair.make_ready();
    pair
}

pub const NO_RESETS: &str =
    "this kernel does not reset a connection that is closed with SO_LINGER 0";

/// Whether closing a socket with SO_LINGER 0 resets the connection. Some kernels close it gracefully: see
/// tests/upstream/linger.
pub fn closing_resets() -> bool {
    let net = Net::two_subnets().unwrap();
    let pair = connect(&net, net.paths[0].server_v4.into(), &Connect::new());
    pair.make_ready();
    raw::reset_when_closed(&pair.client);
    let Pair { client, mut server, .. } = pair;
    drop(client);
    std::io::Read::read(&mut server, &mut [0]).is_err()
}

/// Closes a listener, and waits until nothing listens at its port. A child that another test starts has a
/// copy of the listener until it becomes another program.
pub fn close_listener(namespace: &Namespace, listener: TcpListener) {
    let port = format!(":{}", listener.local_addr().unwrap().port());
    drop(listener);
    let listening = || namespace.output("ss", &["-Hltn", "sport", "=", &port]).unwrap();
    wait_until(SOON, "the listener to be gone", || listening().is_empty());
}

/// An address with a port on which nothing listens. A dropped listener alone goes on for as long as
/// another thread's child has a copy of its descriptor, between fork and exec.
pub fn without_listener(namespace: &Namespace, ip: IpAddr) -> SocketAddr {
    let listener = namespace.run(|| TcpListener::bind((ip, 0)).unwrap());
    let address = listener.local_addr().unwrap();
    close_listener(namespace, listener);
    address
}

pub fn connect_between(
    client: &Namespace,
    server: &Namespace,
    to: IpAddr,
    options: &Connect,
) -> Pair {
    connect_from_to(client, server, to, to, options)
}

/// As [`connect_between`], for a server that listens on another address than the client names.
pub fn connect_from_to(
    client: &Namespace,
    server: &Namespace,
    listen: IpAddr,
    to: IpAddr,
    options: &Connect,
) -> Pair {
    let listener =
        server.run(|| subflows::listen(SocketAddr::new(listen, 0), &Listen::new())).unwrap();
    let address = SocketAddr::new(to, listener.local_addr().unwrap().port());
    Pair::accept(client.run(|| subflows::connect(address, options)).unwrap(), listener)
}

impl Pair {
    /// Accepts the connection that a client has made.
    pub fn accept(client: impl Into<TcpStream>, listener: TcpListener) -> Pair {
        let (client, (server, _)) = (client.into(), listener.accept().unwrap());
        for stream in [&client, &server] {
            stream.set_read_timeout(Some(SOON)).unwrap();
            stream.set_write_timeout(Some(SOON)).unwrap();
        }
        Pair { client, server, listener }
    }

    /// One byte each way: both ends are ready for more subflows then.
    pub fn make_ready(&self) {
        assert!(self.moves_data(), "the connection does not move data");
    }

    /// Whether a byte still arrives in both directions.
    pub fn moves_data(&self) -> bool {
        let mut byte = [0u8; 1];
        let (mut client, mut server) = (&self.client, &self.server);
        client.write_all(b"?").is_ok()
            && server.read_exact(&mut byte).is_ok()
            && byte == *b"?"
            && server.write_all(b"!").is_ok()
            && client.read_exact(&mut byte).is_ok()
            && byte == *b"!"
    }
}
