//! Without these, a child that closes the handles it inherited withdraws its parent's address,
//! closes its parent's subflow, or takes its parent's answers.

mod common;
#[path = "common/echo.rs"]
mod echo;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use common::{program, run};
use echo::{ends, network};
use subflows_lab::skip_unless_ready;

/// An address in the same subnet that no host has.
fn neighbour(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() ^ 0x50).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() ^ 0x50).into(),
    }
}

#[test]
fn a_child_undoes_nothing_of_its_parents() {
    skip_unless_ready!();
    let net = network();
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path(), "fork", &[]);
    for (words, beside) in ends(&net).into_iter().zip(net.paths[1].server_ips()) {
        run(net.client.command(&program).args(words).arg(neighbour(beside).to_string()));
    }
}
