//! Cables without any address but the link-local ones of IPv6.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Net, subnets};

/// On link `n` the client is at `fe80::n:1` and the server at `fe80::n:2`.
fn at(link: usize, host: u16) -> Ipv6Addr {
    let link = u16::try_from(link + 1).expect("fewer than 255 paths");
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, link, host)
}

/// Builds two cables. Two further ones, `twin0` and `twin1` on either side, have the same addresses
/// as the first: VLANs of one card have the same link-local address, because they share its number.
pub(super) fn build() -> io::Result<Net> {
    let mut net = subnets::build(2)?;
    for path in &mut net.paths {
        path.client_v4 = Ipv4Addr::UNSPECIFIED;
        path.server_v4 = Ipv4Addr::UNSPECIFIED;
    }
    for index in 0..net.paths.len() {
        let path = &mut net.paths[index];
        (path.client_v6, path.server_v6) = (at(index, 1), at(index, 2));
        let ends = [
            (&net.client, &path.client_interface, path.client_v6),
            (&net.server, &path.server_interface, path.server_v6),
        ];
        for (namespace, device, ip) in ends {
            namespace.ip(&["address", "flush", "dev", device])?;
            namespace.ip_batch(&format!("address add {ip}/64 dev {device} nodad\n"))?;
        }
    }
    for twin in ["twin0", "twin1"] {
        net.server.ip_batch(&format!(
            "link add {twin} type veth peer name {twin} netns {}\n\
             address add {}/64 dev {twin} nodad\n\
             link set {twin} addrgenmode none\n\
             link set {twin} up\n",
            net.client.path(),
            at(0, 2),
        ))?;
        net.client.ip_batch(&format!(
            "address add {}/64 dev {twin} nodad\n\
             link set {twin} addrgenmode none\n\
             link set {twin} up\n",
            at(0, 1),
        ))?;
    }
    Ok(net)
}
