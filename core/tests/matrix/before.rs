//! A socket that is being connected, without control.

use std::net::SocketAddr;

use subflows::{Family, Listen, PathManager, State};
use subflows_lab::{Net, skip_unless_ready, wait_until};

use crate::common::{SOON, raw};
use crate::{Cell, Column};

#[test]
fn connecting_without_control() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    for to in net.paths[0].server_ips() {
        let listener = net.server.run(|| subflows::listen((to, 0), &Listen::new())).unwrap();
        let address = listener.local_addr().unwrap();
        net.paths[0].pull_cable().unwrap();
        let sock = net.client.run(|| {
            let sock = subflows::socket(Family::from(SocketAddr::new(to, 0))).unwrap();
            raw::set_nonblocking(&sock);
            let error = raw::connect(&sock, address).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EINPROGRESS));
            sock
        });
        let mut cell = Cell::new("connecting", &net.client, &sock, to);
        cell.announce = net.paths[1].client_ip(to);
        cell.open = cell.open.local(net.paths[1].client_ip(to));
        // Before the peer has answered, the library cannot know who manages the paths.
        cell.is(&Column { manager: PathManager::Kernel, ..Column::connecting() });
        // The socket is still connecting.
        net.paths[0].plug_in().unwrap();
        wait_until(SOON, "the connection", || {
            subflows::status(&sock).unwrap().state != State::Connecting
        });
        assert!(raw::is_mptcp(&sock));
        assert_eq!(subflows::status(&sock).unwrap().state, State::Mptcp);
    }
}
