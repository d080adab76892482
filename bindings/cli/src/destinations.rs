//! Destinations that the user names: a host, an address, or the addresses of a network, each with or without a port.

use std::net::{IpAddr, ToSocketAddrs};

use subflows::ErrorKind;
use subflows_run::Destination;

use crate::failure::Failure;

/// What the user has named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    host: Host,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Name(String),
    Network(IpAddr, Option<u8>),
}

const EXPECTED: &str = "expected HOST[:PORT]: a name, an address, or a network such as 192.0.2.0/24; an IPv6 address \
                        with a port in brackets, such as [2001:db8::1]:443";

impl Named {
    /// Reads `HOST[:PORT]`.
    pub(crate) fn parse(text: &str) -> Result<Named, String> {
        let expected = || EXPECTED.to_owned();
        let (host, port) = split(text).ok_or_else(expected)?;
        let port =
            port.map(|port| port.parse().ok().filter(|port| *port != 0).ok_or_else(expected));
        let port = port.transpose()?;
        let (ip, bits) = host.split_once('/').map_or((host, None), |(ip, bits)| (ip, Some(bits)));
        let host = match ip.parse::<IpAddr>() {
            Ok(ip) => {
                let bits = bits.map(str::parse).transpose().map_err(|_| expected())?;
                Destination::new(ip, bits, port).ok_or_else(expected)?;
                Host::Network(ip, bits)
            }
            Err(_) if bits.is_some() || host.is_empty() || host.contains([':', ' ', ',']) => {
                return Err(expected());
            }
            Err(_) => Host::Name(host.to_owned()),
        };
        Ok(Named { host, port })
    }

    /// The destinations: of a name, each address that it has now.
    fn resolve(&self) -> Result<Vec<Destination>, Failure> {
        let named = |ip, bits| Destination::new(ip, bits, self.port);
        match &self.host {
            Host::Network(ip, bits) => Ok(named(*ip, *bits).into_iter().collect()),
            Host::Name(name) => {
                let found = (name.as_str(), 0).to_socket_addrs().map_err(|error| {
                    let text = format!("cannot find {name}: {error}");
                    Failure::new(ErrorKind::InvalidArgument, text)
                        .remedy("Check the name (getent ahosts NAME), or pass an address.")
                })?;
                Ok(found.filter_map(|address| named(address.ip(), None)).collect())
            }
        }
    }
}

/// Looks all of them up.
pub(crate) fn resolve(all: &[Named]) -> Result<Vec<Destination>, Failure> {
    let mut found = Vec::new();
    for one in all {
        found.extend(one.resolve()?);
    }
    Ok(found)
}

/// The host and the port. An IPv6 address without brackets has no port.
fn split(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return match rest {
            "" => Some((host, None)),
            rest => rest.strip_prefix(':').map(|port| (host, Some(port))),
        };
    }
    match text.matches(':').count() {
        1 => text.split_once(':').map(|(host, port)| (host, Some(port))),
        _ => Some((text, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_networks_with_and_without_ports() {
        let text = |text: &str| {
            let found = resolve(&[Named::parse(text).unwrap()]).unwrap();
            subflows_run::List(&found).to_string()
        };
        for (named, expected) in [
            ("192.0.2.1", "192.0.2.1/32 0"),
            ("192.0.2.1:80", "192.0.2.1/32 80"),
            ("192.0.2.0/24", "192.0.2.0/24 0"),
            ("192.0.2.0/24:443", "192.0.2.0/24 443"),
            ("2001:db8::1", "2001:db8::1/128 0"),
            ("2001:db8::/32", "2001:db8::/32 0"),
            ("[2001:db8::1]", "2001:db8::1/128 0"),
            ("[2001:db8::1]:22", "2001:db8::1/128 22"),
            ("[2001:db8::/32]:22", "2001:db8::/32 22"),
        ] {
            assert_eq!(text(named), expected);
        }
        assert!(text("localhost:80").contains(" 80"));
        for wrong in [
            "",
            ":80",
            "a:b",
            "a:0",
            "a:65536",
            "192.0.2.1/33",
            "192.0.2.1/x",
            "name/24",
            "[::1",
            "[::1]80",
            "2001:db8::1:x",
            "a b",
            "a,b",
            "::/129",
        ] {
            assert_eq!(Named::parse(wrong), Err(EXPECTED.to_owned()), "{wrong}");
        }
        let Err(failure) = resolve(&[Named::parse("no.such.host.invalid").unwrap()]) else {
            panic!()
        };
        assert!(format!("{failure:?}").contains("getent"));
    }
}
