//! Without these, a child that closes the handles it inherited withdraws its parent's address,
//! closes its parent's subflow, or takes its parent's answers.

mod common;
#[path = "common/echo.rs"]
mod echo;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use common::{program, root, run};
use echo::{echo, network};
use subflows_lab::ready;

/// An address in the same subnet that no host has.
fn neighbour(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() ^ 0x50).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() ^ 0x50).into(),
    }
}

#[test]
fn a_child_undoes_nothing_of_its_parents() {
    if !ready() {
        return;
    }
    let net = network();
    let folder = tempfile::tempdir().unwrap();
    let source = root().join("bindings/c/tests/fork.c");
    let program = program("gcc", "gnu11", &source, &folder.path().join("fork"));
    let [first, second] = &net.paths[..] else { panic!("two paths") };
    let ends: [(IpAddr, IpAddr, IpAddr); 2] = [
        (first.server_v4.into(), second.client_v4.into(), second.server_v4.into()),
        (first.server_v6.into(), second.client_v6.into(), second.server_v6.into()),
    ];
    for (server, local, beside) in ends {
        let address = echo(&net.server, server);
        let words = [server.to_string(), address.port().to_string(), local.to_string()];
        let nobody = neighbour(beside).to_string();
        run(net.client.command(&program).args(words).arg(nobody));
    }
}
