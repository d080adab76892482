//! Which addresses a connection and its subflows have.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use subflows_lab::Path;

/// The two ends of a subflow, v4-mapped addresses as the IPv4 ones that they are.
pub type Ends = (SocketAddr, SocketAddr);

/// The address that is meant, without the disguise that an IPv6 socket gives to IPv4.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// The same subflow as the other end sees it.
pub fn mirrored((local, remote): Ends) -> Ends {
    (remote, local)
}

/// The addresses of a connection and of its further subflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
    /// An IPv6 socket that is connected to an IPv4 host.
    Mapped,
    /// An IPv6 connection whose further subflows are IPv4.
    V4OnV6,
}

impl FromStr for Family {
    type Err = String;

    fn from_str(text: &str) -> Result<Family, String> {
        match text {
            "v4" => Ok(Family::V4),
            "v6" => Ok(Family::V6),
            "mapped" => Ok(Family::Mapped),
            "v4-on-v6" => Ok(Family::V4OnV6),
            _ => Err(format!("there is no family {text}: write v4, v6, mapped or v4-on-v6")),
        }
    }
}

impl Family {
    /// The family of sockets for it.
    pub fn of_socket(self) -> &'static str {
        if self == Family::V4 { "v4" } else { "v6" }
    }

    /// Every address of a host.
    pub fn everywhere(self) -> IpAddr {
        match self {
            Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
            _ => Ipv6Addr::UNSPECIFIED.into(),
        }
    }

    /// Where the server listens, and to what the client connects.
    pub fn server(self, path: &Path) -> (IpAddr, IpAddr) {
        let (v4, v6) = (IpAddr::from(path.server_v4), IpAddr::from(path.server_v6));
        match self {
            Family::V4 => (v4, v4),
            Family::V6 => (v6, v6),
            Family::Mapped => (self.everywhere(), path.server_v4.to_ipv6_mapped().into()),
            Family::V4OnV6 => (self.everywhere(), v6),
        }
    }

    /// Whether further subflows are IPv4.
    pub fn adds_v4(self) -> bool {
        self != Family::V6
    }

    /// The client's address on a path, for a further subflow.
    pub fn client_ip(self, path: &Path) -> IpAddr {
        if self.adds_v4() { path.client_v4.into() } else { path.client_v6.into() }
    }

    /// The server's address on a path, for a further subflow.
    pub fn server_ip(self, path: &Path) -> IpAddr {
        if self.adds_v4() { path.server_v4.into() } else { path.server_v6.into() }
    }

    /// An address that no host has.
    pub fn nowhere(self) -> IpAddr {
        if self.adds_v4() {
            Ipv4Addr::new(198, 51, 100, 99).into()
        } else {
            Ipv6Addr::new(0x2001, 0xdb8, 0x999, 0, 0, 0, 0, 1).into()
        }
    }
}
