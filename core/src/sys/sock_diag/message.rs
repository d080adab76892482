//! The messages of `sock_diag`: a request, and the answer's head and attributes.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use super::{DiagSubflow, Found, Head, RawConnection};
use crate::kernel_name::KernelName;
use crate::sys::mptcp::RawInfo;
use crate::sys::netlink::{
    Attributes, HEADER, Message, Messages, NetlinkError, Received, number, u16_at, u32_at,
};
use crate::sys::uapi::{diag, tcp_info};
use crate::sys::{address, plain, socket};

/// Matches every cookie: the two addresses alone select the socket.
const NO_COOKIE: u64 = u64::MAX;

/// `struct inet_diag_req_v2`.
pub(super) struct Request {
    pub(super) family: i32,
    pub(super) mptcp: bool,
    pub(super) extensions: u8,
    pub(super) states: u32,
    pub(super) ends: Option<(SocketAddr, SocketAddr)>,
    pub(super) interface: u32,
    pub(super) cookie: u64,
}

impl Request {
    /// Every state except CLOSE, LISTEN, TIME_WAIT and NEW_SYN_RECV.
    pub(super) const CONNECTED: u32 = 0b1011_0011_1110;

    pub(super) fn tcp(family: i32) -> Request {
        Request {
            family,
            mptcp: false,
            extensions: 0,
            states: u32::MAX,
            ends: None,
            interface: 0,
            cookie: NO_COOKIE,
        }
    }

    pub(super) fn mptcp(family: i32) -> Request {
        Request { mptcp: true, extensions: diag::EXT_INFO, ..Request::tcp(family) }
    }

    pub(super) fn message(&self, kind: u16, flags: i32) -> Message {
        let message = Message::new(kind, flags).raw(&self.body());
        if self.mptcp {
            message.attribute(diag::REQ_PROTOCOL, &socket::MPTCP.to_ne_bytes())
        } else {
            message
        }
    }

    fn body(&self) -> [u8; diag::REQUEST_LEN] {
        let mut body = [0u8; diag::REQUEST_LEN];
        // The number of MPTCP does not fit in 8 bits: it follows as an attribute.
        body[0] = self.family as u8;
        body[1] = if self.mptcp { 255 } else { libc::IPPROTO_TCP as u8 };
        body[2] = self.extensions;
        body[4..8].copy_from_slice(&self.states.to_ne_bytes());
        if let Some((local, remote)) = self.ends {
            body[8..10].copy_from_slice(&local.port().to_be_bytes());
            body[10..12].copy_from_slice(&remote.port().to_be_bytes());
            put_ip(&mut body[12..28], local);
            put_ip(&mut body[28..44], remote);
        }
        body[44..48].copy_from_slice(&self.interface.to_ne_bytes());
        // Two words, the low one first, whatever the byte order.
        body[48..52].copy_from_slice(&(self.cookie as u32).to_ne_bytes());
        body[52..56].copy_from_slice(&((self.cookie >> 32) as u32).to_ne_bytes());
        body
    }
}

/// The message that looks up a TCP socket, for a caller that may not allocate.
pub(crate) fn question(
    local: SocketAddr,
    remote: SocketAddr,
    interface: u32,
) -> [u8; HEADER + diag::REQUEST_LEN] {
    let mut message = [0u8; HEADER + diag::REQUEST_LEN];
    let length = message.len() as u32;
    message[0..4].copy_from_slice(&length.to_ne_bytes());
    message[4..6].copy_from_slice(&diag::SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    message[6..8].copy_from_slice(&(libc::NLM_F_REQUEST as u16).to_ne_bytes());
    let ends = Some((local, remote));
    let extensions = diag::EXT_INFO;
    let request = Request { extensions, ends, interface, ..Request::tcp(family(local)) };
    message[HEADER..].copy_from_slice(&request.body());
    message
}

/// Reads the flags of a subflow out of the answer to [`question`], which may be any bytes. `None` if it has none.
/// Nothing here allocates.
pub(crate) fn answered_flags(answer: &[u8]) -> Option<u32> {
    let received = Messages(answer).next()?.ok()?;
    let inside = |bytes, wanted| {
        let mut found = Attributes(bytes).map_while(Result::ok).filter(|(kind, _)| *kind == wanted);
        found.next().map(|(_, value)| value)
    };
    let outer = received.payload.get(diag::MESSAGE_LEN..)?;
    let subflow = inside(inside(outer, diag::ULP_INFO)?, diag::ULP_INFO_MPTCP)?;
    number(inside(subflow, diag::SUBFLOW_FLAGS)?).ok().map(u32::from_ne_bytes)
}

fn put_ip(space: &mut [u8], address: SocketAddr) {
    match address {
        SocketAddr::V4(v4) => space[..4].copy_from_slice(&v4.ip().octets()),
        SocketAddr::V6(v6) => space[..16].copy_from_slice(&v6.ip().octets()),
    }
}

pub(super) fn family(address: SocketAddr) -> i32 {
    if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }
}

/// `struct inet_diag_msg`.
fn parse_head(payload: &[u8]) -> Option<Head> {
    let family = i32::from(*payload.first()?);
    let interface = u32_at(payload, 40)?;
    let end = |port: usize, ip: usize| {
        let port = u16::from_be_bytes(u16_at(payload, port)?.to_ne_bytes());
        if family == libc::AF_INET {
            let ip: [u8; 4] = payload.get(ip..ip + 4)?.try_into().ok()?;
            return Some(SocketAddr::from((Ipv4Addr::from(ip), port)));
        }
        let ip: [u8; 16] = payload.get(ip..ip + 16)?.try_into().ok()?;
        Some(address::unmapped(SocketAddrV6::new(Ipv6Addr::from(ip), port, 0, 0)))
    };
    let cookie = u64::from(u32_at(payload, 44)?) | (u64::from(u32_at(payload, 48)?) << 32);
    Some(Head {
        state: *payload.get(1)?,
        local: end(4, 8)?,
        remote: end(6, 24)?,
        interface,
        cookie,
        receive_queue: u32_at(payload, 56)?,
        send_queue: u32_at(payload, 60)?,
        uid: u32_at(payload, 64)?,
        inode: u32_at(payload, 68)?,
    })
}

fn attributes<'a>(received: &Received<'a>) -> Attributes<'a> {
    Attributes(received.payload.get(diag::MESSAGE_LEN..).unwrap_or(&[]))
}

pub(super) fn parse_connection(
    received: &Received<'_>,
) -> Result<Option<RawConnection>, NetlinkError> {
    let head = parse_head(received.payload).ok_or_else(NetlinkError::malformed)?;
    for attribute in attributes(received) {
        let (kind, value) = attribute?;
        if kind == diag::INFO {
            return Ok(Some(RawConnection { head, info: RawInfo::from_bytes(value) }));
        }
    }
    Ok(None)
}

pub(super) fn parse_tcp_socket(received: &Received<'_>) -> Result<Found, NetlinkError> {
    let head = parse_head(received.payload).ok_or_else(NetlinkError::malformed)?;
    let (mut subflow, mut has_ulp) = (None, false);
    for attribute in attributes(received) {
        if let (diag::ULP_INFO, value) = attribute? {
            has_ulp = true;
            for part in Attributes(value) {
                if let (diag::ULP_INFO_MPTCP, value) = part? {
                    subflow = Some(value);
                }
            }
        }
    }
    let Some(subflow) = subflow else { return Ok(Found::Other { head, has_ulp }) };
    let mut entry = DiagSubflow {
        head,
        token: 0,
        local_address_id: 0,
        remote_address_id: 0,
        flags: 0,
        congestion_control: None,
        type_of_service: None,
        traffic_class: None,
        buffers: None,
        mark: None,
        tcp: tcp_info::default(),
    };
    for attribute in Attributes(subflow) {
        match attribute? {
            (diag::SUBFLOW_TOKEN_LOC, value) => entry.token = u32::from_ne_bytes(number(value)?),
            (diag::SUBFLOW_FLAGS, value) => entry.flags = u32::from_ne_bytes(number(value)?),
            (diag::SUBFLOW_ID_REM, value) => entry.remote_address_id = number::<1>(value)?[0],
            (diag::SUBFLOW_ID_LOC, value) => entry.local_address_id = number::<1>(value)?[0],
            _ => {}
        }
    }
    for attribute in attributes(received) {
        match attribute? {
            (diag::INFO, value) => plain::read_prefix(value, &mut entry.tcp),
            (diag::CONG, value) => {
                let name = value.strip_suffix(&[0]).unwrap_or(value);
                entry.congestion_control = Some(KernelName::from(&*String::from_utf8_lossy(name)));
            }
            (diag::TOS, value) => entry.type_of_service = Some(number::<1>(value)?[0]),
            (diag::TCLASS, value) => entry.traffic_class = Some(number::<1>(value)?[0]),
            (diag::MARK, value) => entry.mark = Some(u32::from_ne_bytes(number(value)?)),
            (diag::MEMORY, value) => {
                // SK_MEMINFO_RCVBUF, SK_MEMINFO_SNDBUF.
                entry.buffers = u32_at(value, 4).zip(u32_at(value, 12));
            }
            _ => {}
        }
    }
    Ok(Found::Subflow(entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn random_bytes_are_rejected_or_read(payload: Vec<u8>) {
            let received = Received { kind: 20, flags: 0, sequence: 1, payload: &payload };
            let _ = parse_tcp_socket(&received);
            let _ = parse_connection(&received);
            let _ = answered_flags(&payload);
        }
    }
}
