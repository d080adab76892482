//! A laptop: two uplinks, two routers that check source addresses, one server address.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::path::{Interface, Parts, Path};
use super::{Net, default_routes, up};
use crate::kernel::ignores_interfaces;
use crate::namespace::Namespace;

const SERVER_V4: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x113, 0, 0, 0, 0, 0x10);

/// One uplink.
struct Uplink {
    client_interface: &'static str,
    server_interface: &'static str,
    metric: usize,
    /// The client's network, without the last number: the router has 1, the client has 5.
    client_v4: [u8; 3],
    client_v6: u16,
    /// The network between router and server: the router has 1, the server has 2.
    transit_v4: [u8; 3],
    transit_v6: u16,
}

const UPLINKS: [Uplink; 2] = [
    Uplink {
        client_interface: "wlan0",
        server_interface: "net0",
        metric: 600,
        client_v4: [192, 168, 1],
        client_v6: 0x1,
        transit_v4: [198, 51, 100],
        transit_v6: 0x100,
    },
    Uplink {
        client_interface: "wwan0",
        server_interface: "net1",
        metric: 700,
        client_v4: [10, 64, 0],
        client_v6: 0x64,
        transit_v4: [198, 51, 101],
        transit_v6: 0x101,
    },
];

fn v4([a, b, c]: [u8; 3], host: u8) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, host)
}

fn v6(network: u16, host: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, network, 0, 0, 0, 0, host)
}

/// Builds the laptop, its routers and the server.
///
/// A strict client drops what arrives by another interface than the one by which it would answer. So
/// that the second uplink works at all, its rules choose the uplink by the source address, as a
/// careful administrator or NetworkManager writes them.
pub(super) fn build(is_strict: bool) -> io::Result<Net> {
    let (client, server) = (Namespace::new()?, Namespace::new()?);
    let mut routers = Vec::new();
    for uplink in &UPLINKS {
        routers.push(uplink.router(&client, &server)?);
    }
    let mut commands = format!("address add {SERVER_V4}/32 dev lo\n");
    commands.push_str(&format!("address add {SERVER_V6}/128 dev lo nodad\n"));
    commands.extend(UPLINKS.iter().map(Uplink::server_commands));
    server.ip_batch(&commands)?;
    client.ip_batch(&UPLINKS.iter().map(Uplink::client_commands).collect::<String>())?;
    if is_strict || ignores_interfaces() {
        for family in [4, 6] {
            let rules: String = UPLINKS.iter().map(|uplink| uplink.rule_commands(family)).collect();
            if family == 4 { client.ip_batch(&rules)? } else { client.ip6_batch(&rules)? }
        }
    }
    if is_strict {
        for uplink in &UPLINKS {
            let device = uplink.client_interface;
            client.set_sysctl(&format!("net/ipv4/conf/{device}/rp_filter"), "1")?;
        }
    }
    let paths = UPLINKS.iter().zip(&routers).map(|(uplink, router)| uplink.path(&client, router));
    let paths = paths.collect();
    Ok(Net { client, server, routers, paths })
}

impl Uplink {
    /// A router between the client (its interface `c`) and the server (`s`) that drops packets if
    /// the answer would leave by another interface.
    fn router(&self, client: &Namespace, server: &Namespace) -> io::Result<Namespace> {
        let router = Namespace::new()?;
        router.ip_batch(&format!(
            "link add c type veth peer name {} netns {}\n\
             link add s type veth peer name {} netns {}\n\
             {}{}route add {SERVER_V4}/32 via {} dev s\n\
             route add {SERVER_V6}/128 via {} dev s\n",
            self.client_interface,
            client.path(),
            self.server_interface,
            server.path(),
            up("c", v4(self.client_v4, 1), v6(self.client_v6, 1)),
            up("s", v4(self.transit_v4, 1), v6(self.transit_v6, 1)),
            v4(self.transit_v4, 2),
            v6(self.transit_v6, 2),
        ))?;
        router.set_sysctl("net.ipv4.ip_forward", "1")?;
        router.set_sysctl("net.ipv4.conf.all.rp_filter", "1")?;
        router.set_sysctl("net.ipv6.conf.all.forwarding", "1")?;
        // IPv6 has no such setting. Rules are evaluated after the table of local addresses, so that
        // they apply to forwarded packets only; a blackhole sends no error to the sender.
        let network = v6(self.client_v6, 0);
        router.ip6_batch(&format!(
            "rule add pref 100 iif c from {network}/64 lookup main\n\
             rule add pref 101 iif c blackhole\n"
        ))?;
        Ok(router)
    }

    fn server_commands(&self) -> String {
        let device = self.server_interface;
        format!(
            "{}route add {}/24 via {} dev {device}\n\
             route add {}/64 via {} dev {device}\n",
            up(device, v4(self.transit_v4, 2), v6(self.transit_v6, 2)),
            v4(self.client_v4, 0),
            v4(self.transit_v4, 1),
            v6(self.client_v6, 0),
            v6(self.transit_v6, 1),
        )
    }

    fn client_commands(&self) -> String {
        let end = |host: u8| (v4(self.client_v4, host), v6(self.client_v6, host.into()));
        let ((v4, v6), (via_v4, via_v6)) = (end(5), end(1));
        up(self.client_interface, v4, v6)
            + &default_routes(self.client_interface, via_v4, via_v6, self.metric)
    }

    /// A table for each uplink, which its source address leads to.
    fn rule_commands(&self, family: u8) -> String {
        let (device, table) = (self.client_interface, self.metric);
        let (client, router, network) = if family == 4 {
            let v4 = |host| v4(self.client_v4, host).to_string();
            (v4(5), v4(1), v4(0) + "/24")
        } else {
            let v6 = |host| v6(self.client_v6, host).to_string();
            (v6(5), v6(1), v6(0) + "/64")
        };
        format!(
            "route add {network} dev {device} table {table}\n\
             route add default via {router} dev {device} table {table}\n\
             rule add pref {table} from {client} lookup {table}\n"
        )
    }

    fn path(&self, client: &Namespace, router: &Namespace) -> Path {
        let end = |name: &str| Interface { namespace: router.clone(), name: name.to_owned() };
        Path {
            client_interface: self.client_interface.to_owned(),
            client_v4: v4(self.client_v4, 5),
            client_v6: v6(self.client_v6, 5),
            server_interface: self.server_interface.to_owned(),
            server_v4: SERVER_V4,
            server_v6: SERVER_V6,
            parts: Parts {
                client: client.clone(),
                carrier: end("c"),
                sinks: vec![end("c"), end("s")],
                wire: None,
            },
        }
    }
}
