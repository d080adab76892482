//! The address families of a connection and of its additional subflows.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use subflows_lab::Path;

/// The families of a connection and of its additional subflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
    /// An IPv6 socket, connected to an IPv4-mapped address.
    Mapped,
    /// An IPv6 connection with additional subflows over IPv4.
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
            _ => Err(format!("unknown family {text}: write v4, v6, mapped or v4-on-v6")),
        }
    }
}

impl Family {
    /// The family of its sockets.
    pub fn of_socket(self) -> &'static str {
        if self == Family::V4 { "v4" } else { "v6" }
    }

    /// The unspecified address, on which a socket listens on every address.
    pub fn any_address(self) -> IpAddr {
        match self {
            Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
            _ => Ipv6Addr::UNSPECIFIED.into(),
        }
    }

    /// The address on which the server listens, and the one to which the client connects.
    pub fn server(self, path: &Path) -> (IpAddr, IpAddr) {
        let (v4, v6) = (IpAddr::from(path.server_v4), IpAddr::from(path.server_v6));
        match self {
            Family::V4 => (v4, v4),
            Family::V6 => (v6, v6),
            Family::Mapped => (self.any_address(), path.server_v4.to_ipv6_mapped().into()),
            Family::V4OnV6 => (self.any_address(), v6),
        }
    }

    /// Whether additional subflows use IPv4.
    pub fn adds_v4(self) -> bool {
        self != Family::V6
    }

    /// The client's address on a path, for an additional subflow.
    pub fn client_ip(self, path: &Path) -> IpAddr {
        if self.adds_v4() { path.client_v4.into() } else { path.client_v6.into() }
    }

    /// The server's address on a path, for an additional subflow.
    pub fn server_ip(self, path: &Path) -> IpAddr {
        if self.adds_v4() { path.server_v4.into() } else { path.server_v6.into() }
    }

    /// An address that is not assigned to a host.
    pub fn unassigned(self) -> IpAddr {
        if self.adds_v4() {
            Ipv4Addr::new(198, 51, 100, 99).into()
        } else {
            Ipv6Addr::new(0x2001, 0xdb8, 0x999, 0, 0, 0, 0, 1).into()
        }
    }
}
