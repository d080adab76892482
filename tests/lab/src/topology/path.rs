//! One path from the client to the server, and what can happen to it.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use crate::namespace::Namespace;
use crate::wire::{Direction, Wire};

/// How many bytes of Ethernet frames a path has carried, by the path's own counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    /// From the client.
    pub to_server: u64,
    /// To the client.
    pub to_client: u64,
}

impl Bytes {
    /// What the path has carried since `earlier`.
    pub fn since(self, earlier: Bytes) -> Bytes {
        Bytes {
            to_server: self.to_server - earlier.to_server,
            to_client: self.to_client - earlier.to_client,
        }
    }

    /// Both directions.
    pub fn total(self) -> u64 {
        self.to_server + self.to_client
    }
}

/// An interface somewhere in the network.
#[derive(Clone, Debug)]
pub(super) struct Interface {
    pub(super) namespace: Namespace,
    pub(super) name: String,
}

/// One path from the client to the server.
#[derive(Debug)]
pub struct Path {
    /// The client's interface, such as `wlan0`.
    pub client_interface: String,
    /// The client's addresses on it.
    pub client_v4: Ipv4Addr,
    /// The client's IPv6 address on it.
    pub client_v6: Ipv6Addr,
    /// The server's interface.
    pub server_interface: String,
    /// The server's address for this path. Paths may share one.
    pub server_v4: Ipv4Addr,
    /// The server's IPv6 address for this path. Paths may share one.
    pub server_v6: Ipv6Addr,
    pub(super) parts: Parts,
}

/// What a path is made of.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) client: Namespace,
    /// The other end of the client's cable: the client has a carrier while this interface is up.
    pub(super) carrier: Interface,
    /// Interfaces that drop arriving frames when the cable is pulled. Unused with a wire.
    pub(super) sinks: Vec<Interface>,
    pub(super) wire: Option<Wire>,
}

impl Path {
    /// The client's address of the same family as `other`.
    pub fn client_ip(&self, other: IpAddr) -> IpAddr {
        if other.is_ipv4() { self.client_v4.into() } else { self.client_v6.into() }
    }

    /// The server's addresses for this path, to try both families in a loop.
    pub fn server_ips(&self) -> [IpAddr; 2] {
        [self.server_v4.into(), self.server_v6.into()]
    }

    /// The server's addresses as the client writes them: with the client's interface as the scope
    /// of a link-local one.
    pub fn server_end(&self, ip: IpAddr, port: u16) -> io::Result<SocketAddr> {
        let IpAddr::V6(v6) = ip else { return Ok((ip, port).into()) };
        if !v6.is_unicast_link_local() {
            return Ok((ip, port).into());
        }
        Ok(SocketAddrV6::new(v6, port, 0, self.client_index()?).into())
    }

    /// Gives the client's interface another name. Its routes vanish.
    pub fn rename_client_interface(&mut self, name: &str) -> io::Result<()> {
        let client = &self.parts.client;
        client.ip(&["link", "set", &self.client_interface, "down"])?;
        client.ip(&["link", "set", &self.client_interface, "name", name, "up"])?;
        for sink in &mut self.parts.sinks {
            if sink.name == self.client_interface {
                name.clone_into(&mut sink.name);
            }
        }
        name.clone_into(&mut self.client_interface);
        Ok(())
    }

    /// The index of the client's interface.
    pub fn client_index(&self) -> io::Result<u32> {
        let _entered = self.parts.client.enter()?;
        Ok(nix::net::if_::if_nametoindex(self.client_interface.as_str())?)
    }

    /// The wire, if the path is one.
    pub fn wire(&self) -> Option<&Wire> {
        self.parts.wire.as_ref()
    }

    /// What the path has carried. With a wire: what left the wire. With veth pairs: what the
    /// client's interface has received, and what it has sent, even if that was dropped later.
    pub fn bytes(&self) -> io::Result<Bytes> {
        if let Some(wire) = self.wire() {
            let [to_server, to_client] = Direction::BOTH.map(|way| wire.counters(way).bytes);
            return Ok(Bytes { to_server, to_client });
        }
        let _entered = self.parts.client.enter()?;
        let text = fs::read_to_string("/proc/thread-self/net/dev")?;
        interface_bytes(&text, &self.client_interface).ok_or_else(|| {
            let text = format!("the client has no interface {}", self.client_interface);
            io::Error::new(io::ErrorKind::NotFound, text)
        })
    }

    /// Pulls the cable at a place that neither end can see: both keep their carrier, and all frames
    /// are dropped silently.
    ///
    /// With veth pairs this requires nftables: a table per interface, called
    /// `subflows_lab_INTERFACE`, in the server or the router, and in the client if there is no
    /// router.
    pub fn pull_cable(&self) -> io::Result<()> {
        if let Some(wire) = self.wire() {
            wire.pull();
            return Ok(());
        }
        for sink in &self.parts.sinks {
            let name = &sink.name;
            let mut text = without_table(name);
            // Before everything else that could see a frame.
            text.push_str(&format!(
                "table netdev subflows_lab_{name} {{\n  chain pulled {{\n    \
                 type filter hook ingress device \"{name}\" priority -500; policy drop;\n  }}\n}}\n"
            ));
            sink.namespace.nft(&text)?;
        }
        Ok(())
    }

    /// Undoes [`Path::pull_cable`].
    pub fn plug_in(&self) -> io::Result<()> {
        if let Some(wire) = self.wire() {
            wire.plug_in();
            return Ok(());
        }
        self.parts.sinks.iter().try_for_each(|sink| sink.namespace.nft(&without_table(&sink.name)))
    }

    /// Pulls the cable out of the client: its interface loses the carrier, stays up and keeps its
    /// addresses.
    pub fn carrier_down(&self) -> io::Result<()> {
        self.set_carrier("down")
    }

    /// Undoes [`Path::carrier_down`].
    pub fn carrier_up(&self) -> io::Result<()> {
        self.set_carrier("up")
    }

    fn set_carrier(&self, state: &str) -> io::Result<()> {
        let carrier = &self.parts.carrier;
        carrier.namespace.ip(&["link", "set", "dev", &carrier.name, state]).map(drop)
    }
}

/// Removes the table that makes an interface drop frames, if it exists: adding it first makes the
/// removal succeed in either case, in one transaction.
fn without_table(name: &str) -> String {
    format!("add table netdev subflows_lab_{name}\ndelete table netdev subflows_lab_{name}\n")
}

/// Finds an interface in the text of /proc/net/dev.
fn interface_bytes(text: &str, name: &str) -> Option<Bytes> {
    let (_, line) = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(interface, _)| interface.trim() == name)?;
    let mut numbers = line.split_whitespace().map(str::parse);
    let to_client = numbers.next()?.ok()?;
    let to_server = numbers.nth(7)?.ok()?;
    Some(Bytes { to_server, to_client })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_is_read() {
        let text = "Inter-|   Receive   |  Transmit\n face |bytes packets\n    lo: 0 0 0 0 0 0 0 0 \
                    0 0\n  eth0:1500 10 0 0 0 0 0 0 2500 20 0 0 0 0 0 0\n";
        let bytes = Bytes { to_server: 2500, to_client: 1500 };
        assert_eq!(interface_bytes(text, "eth0"), Some(bytes));
        assert_eq!(interface_bytes(text, "eth1"), None);
    }
}
