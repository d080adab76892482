//! Cables directly from the client to the server, each a subnet.

use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::path::{Interface, Parts, Path};
use super::{Net, add_rule, default_routes, up};
use crate::namespace::Namespace;

/// The numbers of one subnet.
pub(super) struct Subnet {
    index: usize,
    pub(super) client_interface: String,
    pub(super) server_interface: String,
    client_v4: Ipv4Addr,
    client_v6: Ipv6Addr,
    server_v4: Ipv4Addr,
    server_v6: Ipv6Addr,
}

impl Subnet {
    /// Subnet 0 is 10.0.1.0/24 and 2001:db8:1::/64; the client has 1 and the server 2.
    pub(super) fn new(index: usize, client_interface: &str) -> Subnet {
        let third = u8::try_from(index + 1).expect("fewer than 255 paths");
        let v6 = |host| Ipv6Addr::new(0x2001, 0xdb8, third.into(), 0, 0, 0, 0, host);
        Subnet {
            index,
            client_interface: client_interface.to_owned(),
            server_interface: format!("net{index}"),
            client_v4: Ipv4Addr::new(10, 0, third, 1),
            client_v6: v6(1),
            server_v4: Ipv4Addr::new(10, 0, third, 2),
            server_v6: v6(2),
        }
    }

    /// `ip` commands for the client. Default routes with rising metrics let a socket that is bound
    /// to an interface reach every address of the server.
    pub(super) fn client_commands(&self) -> String {
        let device = &self.client_interface;
        up(device, self.client_v4, self.client_v6)
            + &default_routes(device, self.server_v4, self.server_v6, 100 + self.index)
    }

    /// Makes the source address decide the interface, on kernels that need this.
    pub(super) fn add_rules(&self, client: &Namespace) -> io::Result<()> {
        let device = &self.client_interface;
        add_rule(client, self.client_v4.into(), self.server_v4.into(), device)?;
        add_rule(client, self.client_v6.into(), self.server_v6.into(), device)
    }

    /// `ip` commands for the server.
    pub(super) fn server_commands(&self) -> String {
        up(&self.server_interface, self.server_v4, self.server_v6)
    }

    pub(super) fn into_path(self, parts: Parts) -> Path {
        Path {
            client_interface: self.client_interface,
            client_v4: self.client_v4,
            client_v6: self.client_v6,
            server_interface: self.server_interface,
            server_v4: self.server_v4,
            server_v6: self.server_v6,
            parts,
        }
    }
}

/// Builds client and server with this many cables.
pub(super) fn build(count: usize) -> io::Result<Net> {
    build_from((0..count).map(|i| Subnet::new(i, &format!("eth{i}"))).collect())
}

/// Builds client and server with a cable for each subnet.
pub(super) fn build_from(subnets: Vec<Subnet>) -> io::Result<Net> {
    let (client, server) = (Namespace::new()?, Namespace::new()?);
    let mut commands = String::new();
    for subnet in &subnets {
        let (near, far) = (&subnet.server_interface, &subnet.client_interface);
        let client = client.path();
        let _ = writeln!(commands, "link add {near} type veth peer name {far} netns {client}");
        commands.push_str(&subnet.server_commands());
    }
    server.ip_batch(&commands)?;
    client.ip_batch(&subnets.iter().map(Subnet::client_commands).collect::<String>())?;
    subnets.iter().try_for_each(|subnet| subnet.add_rules(&client))?;
    let path = |subnet: Subnet| {
        let interface = |namespace: &Namespace, name: &str| Interface {
            namespace: namespace.clone(),
            name: name.to_owned(),
        };
        let near = interface(&client, &subnet.client_interface);
        let far = interface(&server, &subnet.server_interface);
        let (carrier, sinks) = (far.clone(), vec![near, far]);
        subnet.into_path(Parts { client: client.clone(), carrier, sinks, wire: None })
    };
    let paths = subnets.into_iter().map(path).collect();
    Ok(Net { client, server, routers: Vec::new(), paths })
}
