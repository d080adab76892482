//! A server in the lab that returns the data that it receives.
#![allow(dead_code, unreachable_pub)]

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::Duration;

use subflows::Listen;
use subflows_lab::{Namespace, Net, path_manager_setting};

/// Two paths to a server that accepts as many subflows as possible.
pub fn network() -> Net {
    let net = Net::two_subnets().unwrap();
    net.raise_limits().unwrap();
    net
}

/// Lets programs control all connections of this namespace.
pub fn userspace(namespace: &Namespace) {
    let setting = path_manager_setting();
    namespace.run(|| std::fs::write(setting.file, setting.userspace)).unwrap();
}

/// For each family the arguments of a program: the host and the port of an echo, and the address of
/// the client's second path.
pub fn ends(net: &Net) -> [[String; 3]; 2] {
    net.paths[0].server_ips().map(|server| {
        let port = echo(&net.server, server).port();
        [server.to_string(), port.to_string(), net.paths[1].client_ip(server).to_string()]
    })
}

/// Serves until the process ends.
pub fn echo(namespace: &Namespace, ip: IpAddr) -> SocketAddr {
    let listen = || subflows::listen(SocketAddr::new(ip, 0), &Listen::new());
    let listener = namespace.run(listen).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        // A connection that was closed before it was accepted is not an error.
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                // A connection without subflows does not end. Under valgrind, a program takes minutes on a busy
                // machine.
                let _ = stream.set_read_timeout(Some(Duration::from_secs(600)));
                let mut buffer = [0; 4096];
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    if stream.write_all(&buffer[..length]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}
