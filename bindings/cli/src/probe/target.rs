//! A host to probe, as text.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use subflows::ErrorKind;

use crate::failure::Failure;

/// The port of HTTPS.
const PORT: u16 = 443;

/// A host and a port: `example.org`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:443`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// As it was written.
    pub(crate) text: String,
    host: String,
    port: u16,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        let text = text.trim();
        let target =
            |host: &str, port| Target { text: text.to_owned(), host: host.to_owned(), port };
        let wrong =
            || format!("`{text}` is not HOST[:PORT], such as example.org or [2001:db8::1]:443");
        let number = |port: &str| port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong);
        if text.is_empty() || text.contains(char::is_whitespace) {
            return Err(wrong());
        }
        // An address of IPv6 without a port; with a scope, it has one `%`.
        if text.split('%').next().is_some_and(|ip| ip.parse::<Ipv6Addr>().is_ok()) {
            return Ok(target(text, PORT));
        }
        if let Some(rest) = text.strip_prefix('[') {
            let (host, rest) = rest.split_once(']').ok_or_else(wrong)?;
            return match rest.strip_prefix(':') {
                Some(port) => Ok(target(host, number(port)?)),
                None if rest.is_empty() => Ok(target(host, PORT)),
                None => Err(wrong()),
            };
        }
        match text.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && !host.contains(':') => {
                Ok(target(host, number(port)?))
            }
            Some(_) => Err(wrong()),
            None => Ok(target(text, PORT)),
        }
    }
}

impl Target {
    /// The first address of the host, which a program tries first as well.
    pub(crate) fn resolve(&self) -> Result<SocketAddr, Failure> {
        let failed = |error: io::Error| {
            let text = format!("{}: the name cannot be resolved: {error}", self.text);
            Failure::new(ErrorKind::Unreachable, text).remedy("Check the name: getent ahosts NAME.")
        };
        if let Ok(ip) = self.host.parse::<IpAddr>() {
            return Ok((ip, self.port).into());
        }
        let mut found = (&*self.host, self.port).to_socket_addrs().map_err(failed)?;
        found.next().ok_or_else(|| failed(io::Error::other("it has no address")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_may_have_a_port() {
        for (text, host, port) in [
            ("example.org", "example.org", 443),
            (" example.org:80\n", "example.org", 80),
            ("192.0.2.1", "192.0.2.1", 443),
            ("192.0.2.1:8443", "192.0.2.1", 8443),
            ("2001:db8::1", "2001:db8::1", 443),
            ("[2001:db8::1]", "2001:db8::1", 443),
            ("[2001:db8::1]:80", "2001:db8::1", 80),
            ("fe80::1%eth0", "fe80::1%eth0", 443),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!((&*target.host, target.port), (host, port), "{text}");
        }
        for text in
            ["", ":80", "a b", "example.org:https", "example.org:0", "[::1", "[::1]x", "a:b:c"]
        {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
