//! A connection that has fallen back, whose socket is used again.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;

use subflows::{Connect, PathManager, State};
use subflows_lab::{Net, skip_unless_ready};

use crate::common::raw;

#[test]
fn what_fell_back_can_be_taken_up_again() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    for to in net.paths[0].server_ips() {
        let plain = net.server.run(|| TcpListener::bind((to, 0))).unwrap();
        let plain_to = plain.local_addr().unwrap();
        let client = net.client.run(|| subflows::connect(plain_to, &Connect::new())).unwrap();
        let (mut server, _) = plain.accept().unwrap();
        assert_eq!(subflows::status(&client).unwrap().state, State::FellBack);
        (&client).write_all(b"?").unwrap();
        server.read_exact(&mut [0]).unwrap();
        // Whether a disconnected socket becomes Multipath TCP again depends on the kernel.
        let sock = OwnedFd::from(client);
        net.client.run(|| raw::disconnect(&sock)).unwrap();
        let status = net.client.run(|| subflows::status(&sock)).unwrap();
        let is_mptcp = raw::is_mptcp(&sock);
        let expected = if is_mptcp { State::Unconnected } else { State::FellBack };
        assert_eq!(status.state, expected, "{status:?}");
        let manager = if is_mptcp { PathManager::Kernel } else { PathManager::Unknown };
        assert_eq!(status.path_manager, crate::shown(manager, false), "{status:?}");
    }
}
