//! Connections with one closed direction.

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};

use subflows::{Connect, Listen, Open};
use subflows_lab::{Namespace, Net, skip_unless_ready, wait_until};

use crate::common::ways::ways;
use crate::common::{self, Pair, SOON, judge, open_handed, userspace};
use crate::{Cell, Column};

/// Which path manager is responsible, at both ends.
const MANAGERS: [bool; 2] = [false, true];

/// IPv4, IPv6, and IPv4 by a socket of IPv6.
const FAMILIES: [usize; 3] = [0, 1, 2];

/// Two namespaces, in which either the kernel or programs decide.
fn net(is_controlled: bool) -> Net {
    let net = open_handed(Net::three_paths().unwrap());
    if is_controlled {
        userspace(&net.client);
        userspace(&net.server);
    }
    net
}

/// A connection, and a listener of the client's by which the server can open subflows as well.
struct Scene {
    pair: Pair,
    _door: TcpListener,
    open: [Open; 2],
    /// Addresses that no subflow uses: withdrawing an address closes its subflows.
    idle: [IpAddr; 2],
}

fn scene(net: &Net, family: usize) -> Scene {
    let (listen, to) = ways(net)[family];
    let pair = common::connect_from_to(&net.client, &net.server, listen, to, &Connect::new());
    let to = to.to_canonical();
    let local = net.paths[1].client_ip(to);
    let of_server = |path: usize| {
        let mut ips = net.paths[path].server_ips().into_iter();
        ips.find(|ip| ip.is_ipv4() == to.is_ipv4()).unwrap()
    };
    // A subflow to this address and the connection's own port is accepted for the connection.
    let address = SocketAddr::new(local, pair.client.local_addr().unwrap().port());
    let door = net.client.run(|| subflows::listen(address, &Listen::new())).unwrap();
    let back = Open::new().local(of_server(1)).remote(address);
    let open = [Open::new().local(local), back];
    Scene { pair, _door: door, open, idle: [net.paths[2].client_ip(to), of_server(2)] }
}

impl Scene {
    /// Both ends, each with its cell of the table.
    fn ends<'a>(&'a self, net: &'a Net) -> [(&'a TcpStream, Cell<'a>); 2] {
        let ends = [
            ("client", &net.client, &self.pair.client),
            ("server", &net.server, &self.pair.server),
        ];
        [0, 1].map(|i| {
            let (what, namespace, sock): (_, &Namespace, _) = ends[i];
            let mut cell = Cell::new(what, namespace, sock, self.idle[i]);
            cell.open = self.open[i].clone();
            (sock, cell)
        })
    }

    /// Waits until both ends have this many subflows, and none that is being opened or closed.
    fn settle(&self, net: &Net, count: usize) {
        for (sock, cell) in self.ends(net) {
            wait_until(SOON, "as many joined subflows", || {
                let shown = judge::ss_of(cell.namespace, judge::token(sock));
                shown.len() == count && shown.iter().all(|subflow| subflow.flags.contains('e'))
            });
        }
    }
}

/// Closes the initial subflow. Neither end lists it after that.
fn closes((sock, cell): &(&TcpStream, Cell<'_>)) {
    let _entered = cell.namespace.enter().unwrap();
    let [initial, other] = &subflows::list(sock).unwrap()[..] else {
        panic!("{}: not two: {:?}", cell.what, subflows::list(sock))
    };
    subflows::close(sock, initial.id).unwrap();
    let left = subflows::list(sock).unwrap();
    assert_eq!(left.iter().map(|s| s.id).collect::<Vec<_>>(), [other.id], "{}", cell.what);
    assert_eq!(judge::ss_of(cell.namespace, judge::token(sock)).len(), 1, "{}", cell.what);
}

#[test]
fn half_closed_under_the_kernels_path_manager() {
    skip_unless_ready!();
    for shut in [0, 1] {
        for family in FAMILIES {
            let net = net(false);
            let scene = scene(&net, family);
            scene.pair.make_ready();
            let local = net.paths[1].client_ip(scene.idle[0]).to_string();
            net.client.ip(&["mptcp", "endpoint", "add", &local, "subflow"]).unwrap();
            scene.settle(&net, 2);
            half_close(&net, &scene, shut);
        }
    }
}

fn half_close(net: &Net, scene: &Scene, shut: usize) {
    let ends = scene.ends(net);
    let (mut shutter, mut other) = (ends[shut].0, ends[1 - shut].0);
    shutter.shutdown(Shutdown::Write).unwrap();
    assert_eq!(other.read(&mut [0]).unwrap(), 0);
    for (_, cell) in &ends {
        cell.is(&Column::half_closed(2).of_the_kernel());
    }
    // The other direction is open, even without the initial subflow.
    closes(&ends[shut]);
    other.write_all(b"!").unwrap();
    let mut byte = [0];
    shutter.read_exact(&mut byte).unwrap();
    assert_eq!(byte, *b"!");
}

#[test]
fn shut_for_reading_it_is_open() {
    skip_unless_ready!();
    for is_controlled in MANAGERS {
        let net = net(is_controlled);
        for family in FAMILIES {
            let scene = scene(&net, family);
            scene.pair.make_ready();
            scene.pair.client.shutdown(Shutdown::Read).unwrap();
            // The peer is not informed: the connection is unchanged.
            for (_, cell) in scene.ends(&net) {
                let column = Column::ready(1);
                cell.is(&if is_controlled { column } else { column.of_the_kernel() });
                scene.settle(&net, 1);
            }
        }
    }
}
