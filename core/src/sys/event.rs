//! The events of the path manager (`mptcp_pm_events`), decoded.
//!
//! Source: `enum mptcp_event_type` in `include/uapi/linux/mptcp_pm.h`, `net/mptcp/pm_netlink.c`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::genl;
use super::netlink::{Attributes, Messages, Netlink, NetlinkError, number};
use super::path_manager::PathManagerSocket;
use super::uapi::pm;

/// One event as the kernel sent it. What this kernel did not send is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KernelEvent {
    /// The number in `enum mptcp_event_type`.
    pub kind: u8,
    /// The connection's local token; listeners have none.
    pub token: Option<u32>,
    /// The local end.
    pub local: Option<SocketAddr>,
    /// The remote end.
    pub remote: Option<SocketAddr>,
    /// The local address id.
    pub local_address_id: Option<u8>,
    /// The remote address id.
    pub remote_address_id: Option<u8>,
    /// Whether the peer asked to use the subflow as backup only.
    pub is_remote_backup: Option<bool>,
    /// The error number with which the subflow ended.
    pub error: Option<u8>,
    /// Why the peer reset it (RFC 8684, section 3.6).
    pub reset_reason: Option<u32>,
    /// Flags of that reset.
    pub reset_flags: Option<u32>,
    /// The interface that the subflow is bound to.
    pub interface: Option<u32>,
    /// This end accepted the connection.
    pub is_server: bool,
    /// The peer accepts no subflow to its initial address.
    pub denies_initial_address: bool,
}

/// The stream of every event of the network namespace.
#[derive(Debug)]
pub struct KernelEvents {
    netlink: Netlink,
    buffer: Vec<u8>,
}

impl KernelEvents {
    /// Subscribes. Requires `CAP_NET_ADMIN`. Earlier events are not reported.
    pub fn subscribe() -> Result<Self, NetlinkError> {
        Ok(KernelEvents { netlink: PathManagerSocket::subscribe()?, buffer: Vec::new() })
    }

    /// Opens a socket that receives the events of the connection with that token, and never any other, for
    /// a process without privileges. Requires `CAP_NET_ADMIN`.
    pub(crate) fn subscribe_to(token: u32) -> Result<OwnedFd, NetlinkError> {
        PathManagerSocket::subscribe_to(token).map(OwnedFd::from)
    }

    /// Reads the events of a socket that has subscribed already, in this process or in another.
    ///
    /// # Errors
    /// `EPROTOTYPE` if the descriptor is not a socket of generic netlink.
    pub(crate) fn from_fd(fd: OwnedFd) -> Result<Self, NetlinkError> {
        let netlink = Netlink::from_fd(fd, libc::NETLINK_GENERIC)?;
        Ok(KernelEvents { netlink, buffer: Vec::new() })
    }

    /// Reads pending events, without waiting, and calls `each` with each. Returns false if there
    /// were none.
    ///
    /// # Errors
    /// `ENOBUFS` once, if events were lost because more were pending than fit in the socket's
    /// buffer (256 by default).
    pub fn take(&mut self, mut each: impl FnMut(KernelEvent)) -> Result<bool, NetlinkError> {
        if self.buffer.is_empty() {
            self.buffer = vec![0; 16 * 1024];
        }
        let length = match self.netlink.take(&mut self.buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            other => other?,
        };
        parse(&self.buffer[..length], &mut each)?;
        Ok(true)
    }

    /// Returns how many events fit in the socket's buffer, at most.
    fn capacity(&self) -> usize {
        // The smallest size with which the kernel counts a datagram is more than twice this.
        const SMALLEST: usize = 256;
        let bytes = super::socket::get_i32(self.netlink.as_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF);
        usize::try_from(bytes.unwrap_or(0)).unwrap_or(0) / SMALLEST
    }

    /// Sets the size of the socket's buffer in bytes, up to what this process may set.
    pub fn set_buffer(&self, bytes: i32) {
        let fd = self.netlink.as_fd();
        if super::socket::set_i32(fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes).is_err() {
            // Without the privilege to exceed the limit, the kernel sets the largest size that it
            // allows.
            let _ = super::socket::set_i32(fd, libc::SOL_SOCKET, libc::SO_RCVBUF, bytes);
        }
    }
}

/// Bounds a loop that reads events until there are none: if others cause events faster than this process
/// reads them, the loop ends when those have been read that were there when it began.
///
/// What is left has come since, and has made the descriptor readable once more. So it is not missed by a
/// caller that learns of changes only (`EPOLLET`).
#[derive(Debug, Default)]
pub(crate) struct Drain {
    reads: usize,
    bound: Option<usize>,
}

impl Drain {
    /// Reports whether to read once more.
    pub(crate) fn goes_on(&mut self, events: &KernelEvents) -> bool {
        // More than fit in the buffer by default.
        const FEW: usize = 1024;
        self.reads += 1;
        self.reads <= FEW || self.reads <= *self.bound.get_or_insert_with(|| events.capacity())
    }
}

impl From<KernelEvents> for OwnedFd {
    fn from(events: KernelEvents) -> OwnedFd {
        events.netlink.into()
    }
}

impl AsFd for KernelEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.netlink.as_fd()
    }
}

fn parse(datagram: &[u8], each: &mut impl FnMut(KernelEvent)) -> Result<(), NetlinkError> {
    for message in Messages(datagram) {
        let message = message?;
        // Kinds below 16 are netlink's own messages: an answer to the subscription, or padding.
        if message.kind >= 16 && message.sequence == 0 {
            let kind = *message.payload.first().ok_or_else(NetlinkError::malformed)?;
            each(parse_event(kind, genl::payload(&message)?)?);
        }
    }
    Ok(())
}

fn parse_event(kind: u8, payload: &[u8]) -> Result<KernelEvent, NetlinkError> {
    let mut event = KernelEvent { kind, ..KernelEvent::default() };
    let (mut local, mut remote): (Option<IpAddr>, Option<IpAddr>) = (None, None);
    let (mut local_port, mut remote_port) = (0, 0);
    for attribute in Attributes(payload) {
        let (kind, value) = attribute?;
        let u32_value = || number(value).map(u32::from_ne_bytes);
        let u8_value = || number::<1>(value).map(|byte| byte[0]);
        match kind {
            pm::EVENT_ATTR_TOKEN => event.token = Some(u32_value()?),
            pm::EVENT_ATTR_LOC_ID => event.local_address_id = Some(u8_value()?),
            pm::EVENT_ATTR_REM_ID => event.remote_address_id = Some(u8_value()?),
            pm::EVENT_ATTR_SADDR4 => local = Some(Ipv4Addr::from(number::<4>(value)?).into()),
            pm::EVENT_ATTR_DADDR4 => remote = Some(Ipv4Addr::from(number::<4>(value)?).into()),
            pm::EVENT_ATTR_SADDR6 => {
                local = Some(Ipv6Addr::from(number::<16>(value)?).to_canonical());
            }
            pm::EVENT_ATTR_DADDR6 => {
                remote = Some(Ipv6Addr::from(number::<16>(value)?).to_canonical());
            }
            // In events, unlike in commands, ports are in network order.
            pm::EVENT_ATTR_SPORT => local_port = u16::from_be_bytes(number(value)?),
            pm::EVENT_ATTR_DPORT => remote_port = u16::from_be_bytes(number(value)?),
            pm::EVENT_ATTR_BACKUP => event.is_remote_backup = Some(u8_value()? != 0),
            pm::EVENT_ATTR_ERROR => event.error = Some(u8_value()?),
            pm::EVENT_ATTR_IF_IDX => event.interface = Some(u32_value()?),
            pm::EVENT_ATTR_RESET_REASON => event.reset_reason = Some(u32_value()?),
            pm::EVENT_ATTR_RESET_FLAGS => event.reset_flags = Some(u32_value()?),
            // Kernels before 6.18 mark the server's side by an attribute, newer ones by a flag, and
            // 6.18 by both.
            pm::EVENT_ATTR_SERVER_SIDE => event.is_server |= u8_value()? != 0,
            pm::EVENT_ATTR_FLAGS => {
                let flags = u16::from_ne_bytes(number(value)?);
                event.is_server |= flags & pm::EVENT_FLAG_SERVER_SIDE != 0;
                event.denies_initial_address = flags & pm::EVENT_FLAG_DENY_JOIN_ID0 != 0;
            }
            pm::EVENT_ATTR_FAMILY | pm::EVENT_ATTR_TIMEOUT => {}
            _ => {}
        }
    }
    event.local = local.map(|ip| SocketAddr::new(ip, local_port));
    event.remote = remote.map(|ip| SocketAddr::new(ip, remote_port));
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = (4 + value.len() as u16).to_ne_bytes().to_vec();
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn both_encodings_of_server_side_are_read() {
        let old = attribute(pm::EVENT_ATTR_SERVER_SIDE, &[1]);
        let new = attribute(pm::EVENT_ATTR_FLAGS, &pm::EVENT_FLAG_SERVER_SIDE.to_ne_bytes());
        let neither = attribute(pm::EVENT_ATTR_FLAGS, &1u16.to_ne_bytes());
        assert!(parse_event(2, &old).unwrap().is_server);
        assert!(parse_event(2, &new).unwrap().is_server);
        let event = parse_event(2, &neither).unwrap();
        assert!(!event.is_server && event.denies_initial_address);
    }

    #[test]
    fn only_a_socket_of_generic_netlink_has_events() {
        let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(KernelEvents::from_fd(other.into()).unwrap_err().errno, libc::EPROTOTYPE);
        let route = Netlink::open_bare(libc::NETLINK_ROUTE).unwrap();
        assert_eq!(KernelEvents::from_fd(route.into()).unwrap_err().errno, libc::EPROTOTYPE);
        let generic = Netlink::open_bare(libc::NETLINK_GENERIC).unwrap();
        assert!(KernelEvents::from_fd(generic.into()).is_ok());
    }

    #[test]
    fn a_loop_that_reads_events_ends() {
        let generic = Netlink::open_bare(libc::NETLINK_GENERIC).unwrap();
        let events = KernelEvents::from_fd(generic.into()).unwrap();
        let mut drain = Drain::default();
        let reads = (0..).take_while(|_: &usize| drain.goes_on(&events)).count();
        assert!(reads >= 256 && reads <= events.capacity().max(1024), "{reads}");
    }

    proptest::proptest! {
        #[test]
        fn random_bytes_are_rejected_or_read(payload: Vec<u8>) {
            let _ = parse_event(1, &payload);
            let _ = parse(&payload, &mut |_| {});
        }
    }
}
