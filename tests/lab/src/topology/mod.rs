//! Whole networks: a client, a server, and more than one way between them.
//!
//! ```no_run
//! # fn main() -> std::io::Result<()> {
//! let net = subflows_lab::Net::two_subnets()?;
//! let server = net.server.run(|| std::net::TcpListener::bind((net.paths[0].server_v4, 0)))?;
//! println!("{:?}", net.paths[1].bytes()?);
//! # Ok(())
//! # }
//! ```

mod laptop;
mod path;
mod subnets;
mod wires;

use std::fmt;
use std::io;
use std::str::FromStr;
use std::time::Duration;

use crate::namespace::Namespace;
use crate::wire::{PathSpec, WireOptions};
pub use path::{Bytes, Path};

/// A client and a server that more than one path connects, each with IPv4 and IPv6. Everything
/// vanishes with it.
#[derive(Debug)]
pub struct Net {
    /// Where connections begin.
    pub client: Namespace,
    /// Where they end.
    pub server: Namespace,
    /// What stands between the two; empty where a cable leads from one to the other.
    pub routers: Vec<Namespace>,
    /// The ways from the client to the server; the first is the one that the client prefers.
    pub paths: Vec<Path>,
}

impl Net {
    /// Two cables, a subnet of its own on each, the server with an address in both. Nothing is
    /// filtered: the network in which even careless programs work.
    ///
    /// The client's interfaces are `eth0` and `eth1`. Its default routes lead to the server by
    /// either (metric 100 and 101), so that a socket bound to an interface reaches any address of
    /// the server; one bound only to an address leaves by the interface of its destination.
    pub fn two_subnets() -> io::Result<Net> {
        subnets::build(2)
    }

    /// As [`Net::two_subnets`], with three cables.
    pub fn three_paths() -> io::Result<Net> {
        subnets::build(3)
    }

    /// A laptop with `wlan0` and `wwan0`: two default routes (metric 600 and 700), each to a
    /// router of its own with a strict reverse-path filter, and one server with one address.
    ///
    /// A packet that leaves by one interface with the other's address vanishes in the router, as
    /// it does at most Internet providers: a socket must be bound to its interface.
    pub fn laptop() -> io::Result<Net> {
        laptop::build()
    }

    /// Two subnets (`wifi` and `lte`) whose wires take 50 ms: 100 ms for a round trip.
    pub fn far() -> io::Result<Net> {
        let far = WireOptions { delay: Duration::from_millis(50), ..WireOptions::default() };
        Net::wires(&[("wifi", far), ("lte", far)])
    }

    /// As [`Net::two_subnets`], with a [`Wire`](crate::Wire) for each cable. The client's
    /// interfaces have the given names.
    pub fn wires(paths: &[(&str, WireOptions)]) -> io::Result<Net> {
        wires::build(paths)
    }

    /// As [`Net::wires`], for paths given in words, such as `wifi:20ms:50mbit`.
    pub fn from_specs(specs: &[PathSpec]) -> io::Result<Net> {
        let paths: Vec<_> = specs.iter().map(|spec| (spec.name.as_str(), spec.options)).collect();
        Net::wires(&paths)
    }

    /// The path of this client interface.
    pub fn path(&self, client_interface: &str) -> Option<&Path> {
        self.paths.iter().find(|path| path.client_interface == client_interface)
    }

    /// Lets the kernel's own path manager open a subflow from each further path of the client, as
    /// NetworkManager or mptcpd would configure it. New connections do so; old ones stay.
    pub fn join_by_kernel(&self) -> io::Result<()> {
        const LIMITS: &str = "mptcp limits set subflows 8 add_addr_accepted 8\n";
        self.server.ip_batch(LIMITS)?;
        let endpoint = |path: &Path| {
            let (device, v4, v6) = (&path.client_interface, path.client_v4, path.client_v6);
            format!(
                "mptcp endpoint add {v4} dev {device} subflow\n\
                 mptcp endpoint add {v6} dev {device} subflow\n"
            )
        };
        let endpoints: String = self.paths.iter().skip(1).map(endpoint).collect();
        self.client.ip_batch(&(LIMITS.to_owned() + &endpoints))
    }
}

/// The named networks, for scripts that choose one by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topology {
    /// [`Net::two_subnets`]
    TwoSubnets,
    /// [`Net::laptop`]
    Laptop,
    /// [`Net::three_paths`]
    ThreePaths,
    /// [`Net::far`]
    Far,
}

impl Topology {
    /// All of them.
    pub const ALL: [Topology; 4] =
        [Topology::TwoSubnets, Topology::Laptop, Topology::ThreePaths, Topology::Far];

    /// Its name in plain words.
    pub fn name(self) -> &'static str {
        match self {
            Topology::TwoSubnets => "two subnets",
            Topology::Laptop => "laptop",
            Topology::ThreePaths => "three paths",
            Topology::Far => "far",
        }
    }

    /// Builds the network.
    pub fn build(self) -> io::Result<Net> {
        match self {
            Topology::TwoSubnets => Net::two_subnets(),
            Topology::Laptop => Net::laptop(),
            Topology::ThreePaths => Net::three_paths(),
            Topology::Far => Net::far(),
        }
    }
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Topology {
    type Err = String;

    fn from_str(name: &str) -> Result<Topology, String> {
        let known = Topology::ALL.map(Topology::name);
        let wanted = name.trim().replace(['-', '_'], " ");
        Topology::ALL.into_iter().find(|topology| topology.name() == wanted).ok_or_else(|| {
            format!("there is no network called `{name}`; choose one of: {}", known.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_is_found_by_its_name() {
        for topology in Topology::ALL {
            assert_eq!(topology.name().parse(), Ok(topology));
        }
        assert_eq!("two-subnets".parse(), Ok(Topology::TwoSubnets));
        assert!("moon".parse::<Topology>().unwrap_err().contains("laptop"));
    }
}
