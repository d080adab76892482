//! Addresses as Ruby passes them.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

use magnus::{Error, RArray, RString, Ruby, TryConvert, Value, prelude::*};

use crate::error::{argument_error, type_error};
use crate::number::Number;

/// An address with a port: an Addrinfo, or `[host, port]` with an IP address as the host.
pub(crate) struct Address(pub(crate) SocketAddr);

impl TryConvert for Address {
    fn try_convert(given: Value) -> Result<Address, Error> {
        let ruby = Ruby::get_with(given);
        if let Some(pair) = RArray::from_value(given) {
            let (host, port) = <(Value, Value)>::try_convert(pair.as_value())
                .map_err(|_| not_an_address(&ruby, given))?;
            let port = Number::<u16>::try_convert(port)?.0;
            return Ok(Address(match ip_of(host)? {
                (IpAddr::V6(v6), scope) => SocketAddrV6::new(v6, port, 0, scope).into(),
                (v4, _) => SocketAddr::new(v4, port),
            }));
        }
        let packed = given
            .check_funcall::<_, _, RString>("to_sockaddr", ())
            .unwrap_or_else(|| Err(not_an_address(&ruby, given)))?;
        // SAFETY: the bytes are copied before Ruby runs again.
        let address = unpacked(unsafe { packed.as_slice() });
        Ok(Address(
            address.ok_or_else(|| argument_error(&ruby, "the address is not IPv4 or IPv6"))?,
        ))
    }
}

/// The error for what is not an address, with the address that was probably meant.
fn not_an_address(ruby: &Ruby, given: Value) -> Error {
    let text = RString::from_value(given).and_then(|text| text.to_string().ok());
    let text = text.unwrap_or_default();
    // A port after a colon; without brackets, an IPv6 address has none.
    let pair = text.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
    let bare = |host: &str| host.strip_prefix('[')?.strip_suffix(']').map(str::to_owned);
    let host = |host: &str| bare(host).or_else(|| (!host.contains(':')).then(|| host.to_owned()));
    let meant = match pair.and_then(|(before, port)| Some((host(before)?, port))) {
        Some((host, port)) => format!("[{host:?}, {port}]"),
        None if text.is_empty() => "[\"192.0.2.1\", 443]".to_owned(),
        None => format!("[{text:?}, 0]"),
    };
    let given = given.inspect();
    type_error(
        ruby,
        format!("an address is an Addrinfo or [host, port], not {given}: pass {meant}"),
    )
}

/// One address, or a list of addresses that are tried in turn.
pub(crate) struct Remotes(pub(crate) Vec<SocketAddr>);

impl TryConvert for Remotes {
    fn try_convert(given: Value) -> Result<Remotes, Error> {
        // `[host, port]` is one address.
        let is_pair = |list: &RArray| list.entry::<Value>(0).is_ok_and(is_text);
        let address = |given| Address::try_convert(given).map(|address| address.0);
        match RArray::from_value(given).filter(|list| !is_pair(list)) {
            Some(list) => list.into_iter().map(address).collect::<Result<_, _>>().map(Remotes),
            None => address(given).map(|address| Remotes(vec![address])),
        }
    }
}

fn is_text(value: Value) -> bool {
    RString::from_value(value).is_some()
}

/// Reads the bytes of a `sockaddr`.
fn unpacked(bytes: &[u8]) -> Option<SocketAddr> {
    fn part<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
        bytes.get(at..at + N)?.try_into().ok()
    }
    let port = u16::from_be_bytes(part(bytes, 2)?);
    match i32::from(libc::sa_family_t::from_ne_bytes(part(bytes, 0)?)) {
        libc::AF_INET => Some((part::<4>(bytes, 4)?, port).into()),
        libc::AF_INET6 => {
            let ip = Ipv6Addr::from(part::<16>(bytes, 8)?);
            let flow = u32::from_be_bytes(part(bytes, 4)?);
            let scope = u32::from_ne_bytes(part(bytes, 24)?);
            Some(SocketAddrV6::new(ip, port, flow, scope).into())
        }
        _ => None,
    }
}

/// An address without a port: text, an IPAddr, or an Addrinfo.
pub(crate) struct Ip(pub(crate) IpAddr);

impl TryConvert for Ip {
    fn try_convert(given: Value) -> Result<Ip, Error> {
        ip_of(given).map(|(ip, _)| Ip(ip))
    }
}

/// An IP address, and the scope of a link-local one.
fn ip_of(given: Value) -> Result<(IpAddr, u32), Error> {
    let ruby = Ruby::get_with(given);
    if RArray::from_value(given).is_some() {
        return Err(type_error(
            &ruby,
            format!("{} has a port: pass the host alone, as text", given.inspect()),
        ));
    }
    let text: String = match given.check_funcall("ip_address", ()) {
        Some(text) => text?,
        None => given.funcall("to_s", ())?,
    };
    let wrong = || {
        let text = format!("{text:?} is not an IP address: pass one such as \"192.0.2.1\"");
        argument_error(&ruby, text)
    };
    subflows::address_text::ip(&text).ok_or_else(wrong)
}
