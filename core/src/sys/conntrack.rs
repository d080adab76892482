//! Where a connection went before this host's rules redirected it: what the kernel answers to `SO_ORIGINAL_DST` on a TCP
//! socket, and not on a Multipath TCP one. `ctnetlink` knows it as well, and requires `CAP_NET_ADMIN`. Nothing here
//! allocates.
//!
//! Source: `net/netfilter/nf_conntrack_netlink.c`, and `getorigdst` in `nf_conntrack_proto.c`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::netlink::{Attributes, HEADER, Messages, number};
use super::uapi::{NLA_F_NESTED, conntrack};

/// The header of netfilter's messages: the family, a version, and a number that is 0.
const NETFILTER_HEADER: usize = 4;
/// The longest question, about ends of IPv6.
const LONGEST: usize = HEADER + NETFILTER_HEADER + 76;

/// A message to a netlink socket of `NETLINK_NETFILTER`.
pub(crate) struct Question {
    bytes: [u8; LONGEST],
    length: usize,
}

impl AsRef<[u8]> for Question {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Question {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.length..][..bytes.len()].copy_from_slice(bytes);
        // All lengths are aligned.
        self.length += bytes.len().next_multiple_of(4);
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        let start = self.length;
        self.put(&[0; 4]);
        self.put(value);
        self.head(start, kind, 4 + value.len());
    }

    fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        let start = self.length;
        self.put(&[0; 4]);
        fill(self);
        self.head(start, kind | NLA_F_NESTED, self.length - start);
    }

    /// The header of an attribute.
    fn head(&mut self, start: usize, kind: u16, length: usize) {
        self.bytes[start..start + 2].copy_from_slice(&(length as u16).to_ne_bytes());
        self.bytes[start + 2..start + 4].copy_from_slice(&kind.to_ne_bytes());
    }
}

/// Asks about an accepted connection: the answers to its peer come from its local end. Both ends have the same family.
pub(crate) fn question(local: SocketAddr, remote: SocketAddr) -> Question {
    let mut message = Question { bytes: [0; LONGEST], length: 0 };
    let family = if local.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    message.put(&[0; HEADER]);
    message.put(&[family as u8, 0, 0, 0]);
    message.nest(conntrack::TUPLE_REPLY, |message| {
        message.nest(conntrack::TUPLE_IP, |message| {
            for (v4, v6, end) in [
                (conntrack::IP_V4_SRC, conntrack::IP_V6_SRC, local),
                (conntrack::IP_V4_DST, conntrack::IP_V6_DST, remote),
            ] {
                match end.ip() {
                    IpAddr::V4(ip) => message.attribute(v4, &ip.octets()),
                    IpAddr::V6(ip) => message.attribute(v6, &ip.octets()),
                }
            }
        });
        message.nest(conntrack::TUPLE_PROTO, |message| {
            message.attribute(conntrack::PROTO_NUM, &[libc::IPPROTO_TCP as u8]);
            message.attribute(conntrack::PROTO_SRC_PORT, &local.port().to_be_bytes());
            message.attribute(conntrack::PROTO_DST_PORT, &remote.port().to_be_bytes());
        });
    });
    let length = message.length as u32;
    message.bytes[0..4].copy_from_slice(&length.to_ne_bytes());
    message.bytes[4..6].copy_from_slice(&conntrack::GET.to_ne_bytes());
    message.bytes[6..8].copy_from_slice(&(libc::NLM_F_REQUEST as u16).to_ne_bytes());
    message
}

/// Reads the answer to [`question`], which may be any bytes: the destination, or the number of the error, 0 for an answer
/// without a destination.
pub(crate) fn original_destination(answer: &[u8]) -> Result<SocketAddr, i32> {
    let Some(Ok(received)) = Messages(answer).next() else { return Err(0) };
    if i32::from(received.kind) == libc::NLMSG_ERROR {
        let errno = number(received.payload).map_or(0, i32::from_ne_bytes);
        return Err(errno.checked_neg().unwrap_or(0));
    }
    destination(received.payload.get(NETFILTER_HEADER..).unwrap_or(&[])).ok_or(0)
}

fn destination(attributes: &[u8]) -> Option<SocketAddr> {
    let inside = |bytes, wanted| {
        let mut found = Attributes(bytes).map_while(Result::ok).filter(|(kind, _)| *kind == wanted);
        found.next().map(|(_, value)| value)
    };
    let tuple = inside(attributes, conntrack::TUPLE_ORIG)?;
    let (ip, ports) = (inside(tuple, conntrack::TUPLE_IP)?, inside(tuple, conntrack::TUPLE_PROTO)?);
    let ip = match (inside(ip, conntrack::IP_V4_DST), inside(ip, conntrack::IP_V6_DST)) {
        (Some(v4), _) => IpAddr::from(Ipv4Addr::from(number::<4>(v4).ok()?)),
        (_, Some(v6)) => IpAddr::from(Ipv6Addr::from(number::<16>(v6).ok()?)),
        _ => return None,
    };
    let port = number::<2>(inside(ports, conntrack::PROTO_DST_PORT)?).ok()?;
    Some((ip, u16::from_be_bytes(port)).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer has the same attributes in the same places, about the other direction.
    #[test]
    fn what_is_asked_is_read() {
        for (local, remote) in
            [("192.0.2.1:80", "192.0.2.2:40000"), ("[2001:db8::1]:80", "[2001:db8::2]:40000")]
        {
            let remote: SocketAddr = remote.parse().unwrap();
            let mut message = question(local.parse().unwrap(), remote).as_ref().to_vec();
            let kind = conntrack::TUPLE_ORIG | NLA_F_NESTED;
            message[HEADER + NETFILTER_HEADER + 2..][..2].copy_from_slice(&kind.to_ne_bytes());
            assert_eq!(original_destination(&message), Ok(remote));
            for length in 0..message.len() {
                assert!(original_destination(&message[..length]).is_err());
            }
        }
    }
}
