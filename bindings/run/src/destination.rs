//! Which destinations are meant: addresses by their first bits, and a port.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// Addresses that begin with the same bits, at one port or at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination {
    ip: IpAddr,
    bits: u8,
    /// 0: every port.
    port: u16,
}

impl Destination {
    /// `None` if an address of this family does not have as many bits.
    pub fn new(ip: IpAddr, bits: Option<u8>, port: Option<u16>) -> Option<Destination> {
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        (bits <= most).then_some(Destination { ip, bits, port: port.unwrap_or(0) })
    }

    /// Whether a connection to this address is meant. A v4-mapped address is the IPv4 address that it maps.
    pub fn has(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        let is_port = self.port == 0 || self.port == address.port();
        // A prefix of IPv6 may also be one of v4-mapped addresses: ::/0 has all.
        let (own, ip, most) = match (self.ip, ip) {
            (IpAddr::V4(own), IpAddr::V4(ip)) => (own.to_bits().into(), ip.to_bits().into(), 32),
            (IpAddr::V6(own), ip) => (own.to_bits(), wide(ip).to_bits(), 128),
            (IpAddr::V4(_), IpAddr::V6(_)) => return false,
        };
        let differing: u128 = own ^ ip;
        is_port && differing.checked_shr(most - u32::from(self.bits)).unwrap_or(0) == 0
    }
}

fn wide(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

/// Whether a connection is to use Multipath TCP: `only` and `not` are lists, as [`List`] writes them.
pub fn is_wanted(only: Option<&str>, not: Option<&str>, address: SocketAddr) -> bool {
    only.is_none_or(|only| list_has(only, address))
        && !not.is_some_and(|not| list_has(not, address))
}

fn list_has(list: &str, address: SocketAddr) -> bool {
    let mut all = list.split(',').filter_map(|one| one.parse::<Destination>().ok());
    all.any(|one| one.has(address))
}

/// Destinations, as a variable of the environment has them.
#[derive(Clone, Copy, Debug)]
pub struct List<'a>(pub &'a [Destination]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, one) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{}/{} {}", one.ip, one.bits, one.port)?;
        }
        Ok(())
    }
}

impl FromStr for Destination {
    type Err = ();

    /// Reads one of a [`List`], without allocation.
    fn from_str(text: &str) -> Result<Destination, ()> {
        let (ip, rest) = text.split_once('/').ok_or(())?;
        let (bits, port) = rest.split_once(' ').ok_or(())?;
        let port = port.parse().map_err(drop)?;
        let ip = ip.parse().map_err(drop)?;
        Destination::new(ip, Some(bits.parse().map_err(drop)?), Some(port)).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Destination {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_are_compared_by_their_first_bits() {
        for (one, address, expected) in [
            ("192.0.2.0/24 0", "192.0.2.77:80", true),
            ("192.0.2.0/24 0", "192.0.3.77:80", false),
            ("192.0.2.7/32 443", "192.0.2.7:443", true),
            ("192.0.2.7/32 443", "192.0.2.7:80", false),
            ("192.0.2.7/32 443", "192.0.2.6:443", false),
            ("0.0.0.0/0 22", "203.0.113.1:22", true),
            ("0.0.0.0/0 0", "[2001:db8::1]:22", false),
            ("192.0.2.0/24 0", "[::ffff:192.0.2.1]:22", true),
            ("2001:db8::/32 0", "[2001:db8:ffff::1]:1", true),
            ("2001:db8::/32 0", "[2001:db9::1]:1", false),
            ("::/0 0", "[2001:db9::1]:1", true),
            ("::/0 0", "192.0.2.1:1", true),
            ("2001:db8::1/128 0", "[2001:db8::1]:1", true),
            ("2001:db8::1/128 0", "[2001:db8::2]:1", false),
        ] {
            assert_eq!(of(one).has(address.parse().unwrap()), expected, "{one} {address}");
        }
    }

    #[test]
    fn a_list_is_read_as_written() {
        let all = [of("192.0.2.0/24 0"), of("2001:db8::1/128 443")];
        assert_eq!(List(&all).to_string(), "192.0.2.0/24 0,2001:db8::1/128 443");
        let list = List(&all).to_string();
        let wanted =
            |only, not, address: &str| is_wanted(only, not, address.parse::<SocketAddr>().unwrap());
        assert!(wanted(None, None, "192.0.2.1:1"));
        assert!(wanted(Some(&list), None, "192.0.2.1:1"));
        assert!(!wanted(Some(&list), None, "192.0.3.1:1"));
        assert!(!wanted(None, Some(&list), "[2001:db8::1]:443"));
        assert!(wanted(None, Some(&list), "[2001:db8::1]:80"));
        assert!(!wanted(Some("0.0.0.0/0 0"), Some(&list), "192.0.2.1:1"));
        for wrong in ["", "192.0.2.1", "192.0.2.1/33 0", "192.0.2.1/32", "x/1 1", "::/129 0"] {
            assert_eq!(wrong.parse::<Destination>(), Err(()), "{wrong}");
        }
    }
}
