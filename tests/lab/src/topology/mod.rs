//! Whole networks: a client, a server, and more than one path between them.
//!
//! ```no_run
//! # fn main() -> std::io::Result<()> {
//! let net = subflows_lab::Net::two_subnets()?;
//! let server = net.server.run(|| std::net::TcpListener::bind((net.paths[0].server_v4, 0)))?;
//! println!("{:?}", net.paths[1].bytes()?);
//! # Ok(())
//! # }
//! ```

mod addresses;
mod laptop;
mod link_local;
mod path;
mod subnets;
mod wires;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

use crate::kernel::ignores_interfaces;
use crate::namespace::Namespace;
use crate::wire::{PathSpec, WireOptions};
pub use path::{Bytes, Path};

/// A client and a server with more than one path between them, each path with IPv4 and IPv6.
/// Dropping the value removes the network.
#[derive(Debug)]
pub struct Net {
    /// The namespace in which connections begin.
    pub client: Namespace,
    /// The namespace of the server.
    pub server: Namespace,
    /// The routers between the two; empty if cables connect them directly.
    pub routers: Vec<Namespace>,
    /// The paths from the client to the server; the client prefers the first one.
    pub paths: Vec<Path>,
}

impl Net {
    /// Two cables, each a subnet, and the server has an address in both. Nothing is filtered: even
    /// careless programs work in this network.
    /// The client's interfaces are `eth0` and `eth1`. A default route by either (metric 100 and
    /// 101) leads to the server, so that a socket that is bound to an interface reaches any address
    /// of the server; a socket that is bound only to an address leaves by the interface of its
    /// destination.
    pub fn two_subnets() -> io::Result<Net> {
        subnets::build(2)
    }

    /// As [`Net::two_subnets`], with three cables.
    pub fn three_paths() -> io::Result<Net> {
        subnets::build(3)
    }

    /// A laptop with `wlan0` and `wwan0`: two default routes (metric 600 and 700), each to a
    /// separate router with a strict reverse-path filter, and one server with one address.
    ///
    /// The router drops a packet that leaves by one interface with the address of the other, as
    /// most Internet providers do: a socket must be bound to its interface.
    pub fn laptop() -> io::Result<Net> {
        laptop::build(false)
    }

    /// As [`Net::laptop`], with a strict reverse-path filter in the client as well (rp_filter=1), and
    /// routing rules that choose the uplink by the source address.
    pub fn strict_laptop() -> io::Result<Net> {
        laptop::build(true)
    }

    /// As [`Net::two_subnets`], with a client whose second interface has many addresses, of which one
    /// of each family is right: a management address comes first (172.16.0.4), and a unique local
    /// (fd00:2::1), a deprecated (2001:db8:2::9), temporary and tentative (2001:db8:2::7) ones.
    ///
    /// The interface `vip` owns 10.55.0.1 and 2001:db8:55::1, and leads nowhere; the server reaches
    /// them by the first path. Both interfaces own 10.66.0.1.
    pub fn addresses() -> io::Result<Net> {
        addresses::build()
    }

    /// Two cables with link-local addresses of IPv6 only: `fe80::1:1` and `fe80::1:2`, `fe80::2:1` and
    /// `fe80::2:2`. The further interfaces `twin0` and `twin1` have the same addresses as the first.
    /// The IPv4 addresses of the paths are unspecified.
    pub fn link_local_only() -> io::Result<Net> {
        link_local::build()
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

    /// As [`Net::wires`], for paths in the form `wifi:20ms:50mbit`.
    pub fn from_specs(specs: &[PathSpec]) -> io::Result<Net> {
        let paths: Vec<_> = specs.iter().map(|spec| (spec.name.as_str(), spec.options)).collect();
        Net::wires(&paths)
    }

    /// The path of this client interface.
    pub fn path(&self, client_interface: &str) -> Option<&Path> {
        self.paths.iter().find(|path| path.client_interface == client_interface)
    }

    /// Raises the limits of both ends to the maximum number of subflows.
    pub fn raise_limits(&self) -> io::Result<()> {
        let limits = ["mptcp", "limits", "set", "subflows", "8", "add_addr_accepted", "8"];
        [&self.client, &self.server].into_iter().try_for_each(|end| end.ip(&limits).map(drop))
    }

    /// Makes what the client sends from this address leave by that interface, if the kernel ignores the
    /// interface of a new subflow. On other kernels no rule is needed, and none is added.
    pub fn add_rule(&self, from: IpAddr, via: IpAddr, device: &str) -> io::Result<()> {
        add_rule(&self.client, from, via, device)
    }

    /// The interface by which the client sends from this address to that one, by its routes and rules.
    pub fn route_interface(&self, from: IpAddr, to: IpAddr) -> io::Result<Option<String>> {
        let route =
            self.client.ip(&["route", "get", &to.to_string(), "from", &from.to_string()])?;
        Ok(route.split_whitespace().skip_while(|word| *word != "dev").nth(1).map(str::to_owned))
    }

    /// Undoes [`Net::add_rule`], also for the rules that the network was built with: the client's routing
    /// table alone decides then.
    pub fn remove_rules(&self) -> io::Result<()> {
        if !ignores_interfaces() {
            return Ok(());
        }
        for family in ["-4", "-6"] {
            self.client.ip(&[family, "rule", "flush"])?;
            self.client.ip(&[family, "rule", "add", "pref", "32766", "lookup", "main"])?;
        }
        Ok(())
    }

    /// Makes the kernel's own path manager open a subflow from each further path of the client, as
    /// NetworkManager or mptcpd would configure it. This affects new connections only.
    pub fn join_by_kernel(&self) -> io::Result<()> {
        self.raise_limits()?;
        let endpoint = |path: &Path| {
            let (device, v4, v6) = (&path.client_interface, path.client_v4, path.client_v6);
            format!(
                "mptcp endpoint add {v4} dev {device} subflow\n\
                 mptcp endpoint add {v6} dev {device} subflow\n"
            )
        };
        let endpoints: String = self.paths.iter().skip(1).map(endpoint).collect();
        self.client.ip_batch(&endpoints)
    }
}

fn add_rule(client: &Namespace, from: IpAddr, via: IpAddr, device: &str) -> io::Result<()> {
    if !ignores_interfaces() {
        return Ok(());
    }
    let index = client.run(|| nix::net::if_::if_nametoindex(device))?;
    let table = 1000 + index;
    let commands = format!(
        "rule add from {from} lookup {table}\n\
         route replace default via {via} dev {device} table {table}\n"
    );
    if from.is_ipv4() { client.ip_batch(&commands) } else { client.ip6_batch(&commands) }
}

/// `ip` commands that give an interface an address of each family, and start it.
fn up(device: &str, v4: Ipv4Addr, v6: Ipv6Addr) -> String {
    format!(
        "address add {v4}/24 dev {device}\n\
         address add {v6}/64 dev {device} nodad\n\
         link set dev {device} up\n"
    )
}

/// `ip` commands for the default routes of both families by an interface.
fn default_routes(device: &str, v4: Ipv4Addr, v6: Ipv6Addr, metric: usize) -> String {
    format!(
        "route add default via {v4} dev {device} metric {metric}\n\
         route add default via {v6} dev {device} metric {metric}\n"
    )
}

macro_rules! topologies {
    ($($topology:ident = $build:ident $name:literal;)*) => {
        /// The named networks, for scripts that choose one by its name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Topology {
            $(#[doc = concat!("[`Net::", stringify!($build), "`]")] $topology,)*
        }

        impl Topology {
            /// All networks.
            pub const ALL: [Topology; [$($name),*].len()] = [$(Topology::$topology),*];

            /// Its name on command lines.
            pub fn name(self) -> &'static str {
                match self { $(Topology::$topology => $name),* }
            }

            /// Builds the network.
            pub fn build(self) -> io::Result<Net> {
                match self { $(Topology::$topology => Net::$build()),* }
            }
        }
    };
}

topologies! {
    TwoSubnets = two_subnets "two subnets";
    Laptop = laptop "laptop";
    ThreePaths = three_paths "three paths";
    Far = far "far";
    StrictLaptop = strict_laptop "strict laptop";
    Addresses = addresses "addresses";
    LinkLocalOnly = link_local_only "link-local only";
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
        let plain = |name: &str| name.trim().replace(['-', '_'], " ");
        let wanted = plain(name);
        Topology::ALL
            .into_iter()
            .find(|topology| plain(topology.name()) == wanted)
            .ok_or_else(|| format!("there is no network `{name}`: use one of {}", known.join(", ")))
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
