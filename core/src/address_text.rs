//! Addresses as text, with the scope of a link-local one: `fe80::1%eth0` or `fe80::1%3`.
//!
//! For the bindings: the standard library reads only the numbers of scopes, and writes only those.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

/// Reads an IP address, and the index of the interface that its scope names; 0 without a scope.
/// Returns `None` for other text, for an interface that the thread's network namespace does not have,
/// and for a scope of an address that is not link-local.
pub fn ip(text: &str) -> Option<(IpAddr, u32)> {
    let Some((ip, scope)) = text.split_once('%') else { return Some((text.parse().ok()?, 0)) };
    let ip: IpAddr = ip.parse().ok()?;
    let has_scope = matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local() || v6.is_multicast());
    // The C library takes `eth0:1` for `eth0`.
    let index = || nix::net::if_::if_nametoindex(scope).ok();
    (has_scope && !scope.contains(':')).then_some(())?;
    Some((ip, scope.parse().ok().or_else(index).filter(|index| *index != 0)?))
}

/// Reads an IP address with a port, or without one, which is then 0.
pub fn socket_address(text: &str) -> Option<SocketAddr> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (host, port) = bracketed.rsplit_once("]:")?;
        let (IpAddr::V6(v6), scope) = ip(host)? else { return None };
        return Some(SocketAddrV6::new(v6, port.parse().ok()?, 0, scope).into());
    }
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    Some(match ip(text)? {
        (IpAddr::V6(v6), scope) => SocketAddrV6::new(v6, 0, 0, scope).into(),
        (v4, _) => SocketAddr::new(v4, 0),
    })
}

/// Writes an address with the name of the interface that its scope is the index of, as `ss` and `ip`
/// name it. An interface that the thread's network namespace does not have is written by its index.
pub fn written(address: SocketAddr) -> String {
    match address {
        SocketAddr::V6(v6) if v6.scope_id() != 0 => {
            let name = nix::net::if_::if_indextoname(v6.scope_id());
            let name = name.ok().and_then(|name| name.into_string().ok());
            let name = name.unwrap_or_else(|| v6.scope_id().to_string());
            format!("[{}%{name}]:{}", v6.ip(), v6.port())
        }
        _ => address.to_string(),
    }
}

/// Writes the IP address of an address, with its scope.
pub fn written_ip(mut address: SocketAddr) -> String {
    address.set_port(0);
    let text = written(address);
    text.trim_end_matches(":0").trim_matches(['[', ']']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_a_name_or_a_number() {
        for scope in ["lo", "1"] {
            let address = socket_address(&format!("[fe80::1%{scope}]:80")).unwrap();
            assert_eq!(address, "[fe80::1%1]:80".parse().unwrap());
            assert_eq!(written(address), "[fe80::1%lo]:80");
            assert_eq!(written_ip(address), "fe80::1%lo");
            assert_eq!(socket_address(&format!("fe80::1%{scope}")).unwrap().port(), 0);
            assert_eq!(ip(&format!("fe80::1%{scope}")), Some(("fe80::1".parse().unwrap(), 1)));
        }
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["", "fe80::1%", "fe80::1%0", "fe80::1%nowhere0", "10.0.0.1%lo", "::1%lo"] {
            assert_eq!(ip(text), None, "{text}");
            assert_eq!(socket_address(text), None, "{text}");
        }
        for text in ["[10.0.0.1]:1", "[fe80::1%lo]", "[::1]:65536", "fe80::1%lo:80"] {
            assert_eq!(socket_address(text), None, "{text}");
        }
    }

    #[test]
    fn addresses_without_a_scope_are_read() {
        for text in ["10.0.0.1:80", "[2001:db8::1]:80"] {
            let address = socket_address(text).unwrap();
            assert_eq!(written(address), text);
        }
        assert_eq!(written_ip("[2001:db8::]:1".parse().unwrap()), "2001:db8::");
        assert_eq!(socket_address("10.0.0.1").unwrap(), "10.0.0.1:0".parse().unwrap());
    }
}
