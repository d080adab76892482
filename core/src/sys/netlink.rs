//! Netlink: messages as pure functions over bytes, and a socket that sends and receives them.
//!
//! Formats: `Documentation/userspace-api/netlink/intro.rst`. Every length is checked, unknown
//! attributes are skipped, and every loop has a bound.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::socket;
use super::uapi;

/// The most datagrams of one answer that are read: far more than a host with a million sockets
/// sends.
const MAX_REPLIES: usize = 16_000_000;
pub(crate) const HEADER: usize = 16;
const ATTRIBUTE_HEADER: usize = 4;

/// An error in the kernel's answer: its number, and its text if the kernel sent one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetlinkError {
    /// The error number, positive.
    pub errno: i32,
    /// The text of the kernel's extended acknowledgement. For people to read: it varies between
    /// kernels.
    pub text: Option<Box<str>>,
}

impl NetlinkError {
    pub(crate) fn new(errno: i32) -> Self {
        NetlinkError { errno, text: None }
    }

    /// The answer was too short, or contradicted itself.
    pub(crate) fn malformed() -> Self {
        NetlinkError { errno: libc::EBADMSG, text: None }
    }

    /// Reports whether the socket may still hold the rest of an answer.
    pub(crate) fn is_malformed(&self) -> bool {
        matches!(self.errno, libc::EBADMSG | libc::ENOBUFS | libc::EBUSY)
    }
}

impl From<io::Error> for NetlinkError {
    fn from(error: io::Error) -> Self {
        NetlinkError::new(error.raw_os_error().unwrap_or(libc::EIO))
    }
}

impl std::fmt::Display for NetlinkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(nix::errno::Errno::from_raw(self.errno).desc())?;
        self.text.as_ref().map_or(Ok(()), |text| write!(f, " (kernel: {text})"))
    }
}

impl std::error::Error for NetlinkError {}

/// A request that is being written.
pub(crate) struct Message {
    bytes: Vec<u8>,
}

impl Message {
    pub(crate) fn new(kind: u16, flags: i32) -> Self {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&kind.to_ne_bytes());
        // All flags of a request fit in 16 bits; libc declares them as int.
        bytes.extend_from_slice(&((flags | libc::NLM_F_REQUEST) as u16).to_ne_bytes());
        bytes.extend_from_slice(&[0; 8]);
        Message { bytes }
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    pub(crate) fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        // Every value that the library writes is an address, a number or a family's name.
        let length = (ATTRIBUTE_HEADER + value.len()) as u16;
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.resize(align(self.bytes.len()), 0);
        self
    }

    pub(crate) fn nest(mut self, kind: u16, fill: impl FnOnce(Self) -> Self) -> Self {
        let start = self.bytes.len();
        self = fill(self.attribute(kind | uapi::NLA_F_NESTED, &[]));
        let length = (self.bytes.len() - start) as u16;
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self
    }

    fn finish(&mut self, sequence: u32) -> &[u8] {
        let length = self.bytes.len() as u32;
        self.bytes[0..4].copy_from_slice(&length.to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        &self.bytes
    }
}

const fn align(length: usize) -> usize {
    (length + 3) & !3
}

/// One message out of a datagram.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received<'a> {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    pub(crate) payload: &'a [u8],
}

/// Splits a datagram into messages. A wrong length ends it with an error.
pub(crate) struct Messages<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Received<'a>, NetlinkError>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.0;
        if bytes.is_empty() {
            return None;
        }
        self.0 = &[];
        let length = u32_at(bytes, 0).map_or(0, |length| length as usize);
        if length < HEADER || length > bytes.len() {
            return Some(Err(NetlinkError::malformed()));
        }
        self.0 = bytes.get(align(length)..).unwrap_or(&[]);
        Some(Ok(Received {
            kind: u16_at(bytes, 4)?,
            flags: u16_at(bytes, 6)?,
            sequence: u32_at(bytes, 8)?,
            payload: &bytes[HEADER..length],
        }))
    }
}

/// Splits bytes into attributes. A wrong length ends it with an error.
#[derive(Clone)]
pub(crate) struct Attributes<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<(u16, &'a [u8]), NetlinkError>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.0;
        if bytes.is_empty() {
            return None;
        }
        self.0 = &[];
        let length = u16_at(bytes, 0).map_or(0, usize::from);
        if length < ATTRIBUTE_HEADER || length > bytes.len() {
            return Some(Err(NetlinkError::malformed()));
        }
        self.0 = bytes.get(align(length)..).unwrap_or(&[]);
        let kind = u16_at(bytes, 2)? & uapi::NLA_TYPE_MASK;
        Some(Ok((kind, &bytes[ATTRIBUTE_HEADER..length])))
    }
}

pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(offset..offset + 2)?.try_into().ok()?))
}

pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(offset..offset + 4)?.try_into().ok()?))
}

/// Returns the first `N` bytes of an attribute's value.
///
/// # Errors
/// A malformed answer, if there are fewer.
pub(crate) fn number<const N: usize>(value: &[u8]) -> Result<[u8; N], NetlinkError> {
    value.get(..N).and_then(|bytes| bytes.try_into().ok()).ok_or_else(NetlinkError::malformed)
}

/// Reads the end of an answer: success, or the kernel's error with its text.
pub(crate) fn acknowledgement(message: &Received<'_>) -> Result<(), NetlinkError> {
    let errno = message.payload.get(..4).ok_or_else(NetlinkError::malformed)?;
    let errno = i32::from_ne_bytes(number(errno)?);
    if errno == 0 {
        return Ok(());
    }
    // In an error the request's header follows the number; at the end of a dump nothing does.
    let skip = if i32::from(message.kind) == libc::NLMSG_ERROR { 4 + HEADER } else { 4 };
    let mut text = None;
    if message.flags & libc::NLM_F_ACK_TLVS as u16 != 0 {
        for attribute in Attributes(message.payload.get(skip..).unwrap_or(&[])) {
            let Ok((kind, value)) = attribute else { break };
            if kind == uapi::NLMSGERR_ATTR_MSG {
                let value = value.strip_suffix(&[0]).unwrap_or(value);
                text = Some(String::from_utf8_lossy(value).into_owned().into_boxed_str());
            }
        }
    }
    Err(NetlinkError { errno: errno.checked_neg().unwrap_or(libc::EIO), text })
}

/// A netlink socket of one protocol, in the network namespace of the thread that opened it.
pub(crate) struct Netlink {
    fd: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
    is_interrupted: bool,
}

impl Netlink {
    pub(crate) fn open(protocol: i32) -> io::Result<Netlink> {
        let netlink = Netlink::open_bare(protocol)?;
        let fd = &netlink.fd;
        // Both only improve the kernel's errors: the library can do without them.
        let _ = socket::set_i32(fd.as_fd(), uapi::SOL_NETLINK, uapi::NETLINK_EXT_ACK, 1);
        let _ = socket::set_i32(fd.as_fd(), uapi::SOL_NETLINK, uapi::NETLINK_CAP_ACK, 1);
        Ok(netlink)
    }

    /// Opens a socket without the options for better errors, for a socket that mainly receives.
    pub(crate) fn open_bare(protocol: i32) -> io::Result<Netlink> {
        let fd = socket::new(libc::AF_NETLINK, libc::SOCK_RAW, protocol)?;
        Ok(Netlink { fd, sequence: 0, buffer: Vec::new(), is_interrupted: false })
    }

    /// Takes over a netlink socket that was opened elsewhere.
    ///
    /// # Errors
    /// `EPROTOTYPE` if the descriptor is not a netlink socket of that protocol.
    pub(crate) fn from_fd(fd: OwnedFd, protocol: i32) -> io::Result<Netlink> {
        let option = |name| socket::get_i32(fd.as_fd(), libc::SOL_SOCKET, name);
        if option(libc::SO_DOMAIN)? != libc::AF_NETLINK || option(libc::SO_PROTOCOL)? != protocol {
            return Err(io::Error::from_raw_os_error(libc::EPROTOTYPE));
        }
        Ok(Netlink { fd, sequence: 0, buffer: Vec::new(), is_interrupted: false })
    }

    /// Gives the socket an address, without which it receives no multicast. Only before the first
    /// request: the kernel gives an address to a socket that sends, and that one cannot be changed.
    pub(crate) fn bind(&self) -> io::Result<()> {
        socket::bind_netlink(self.fd.as_fd())
    }

    /// Joins a multicast group. Requires the privilege that the group requires.
    pub(crate) fn join(&self, group: u32) -> io::Result<()> {
        let option = uapi::NETLINK_ADD_MEMBERSHIP;
        socket::set_bytes(self.fd.as_fd(), uapi::SOL_NETLINK, option, &group.to_ne_bytes())
    }

    /// Asks the kernel to check a dump's filter and to apply it (Linux 4.20).
    pub(crate) fn filter_strictly(&self) {
        let option = uapi::NETLINK_GET_STRICT_CHK;
        let _ = socket::set_i32(self.fd.as_fd(), uapi::SOL_NETLINK, option, 1);
    }

    /// Sends a request and calls `each` with each message of the answer, up to its end.
    ///
    /// If `each` fails, the rest of the answer stays unread. The next request skips it: each
    /// request has its own sequence number, which its answer repeats.
    pub(crate) fn request(
        &mut self,
        message: Message,
        mut each: impl FnMut(&Received<'_>) -> Result<(), NetlinkError>,
    ) -> Result<(), NetlinkError> {
        self.exchange(message, &mut each)
    }

    /// The part of [`request`](Self::request) that all requests share, compiled once.
    #[inline(never)]
    fn exchange(
        &mut self,
        mut message: Message,
        each: &mut dyn FnMut(&Received<'_>) -> Result<(), NetlinkError>,
    ) -> Result<(), NetlinkError> {
        self.sequence = self.sequence.wrapping_add(1);
        let sequence = self.sequence;
        let bytes = message.finish(sequence);
        let flags = u16_at(bytes, 6).map_or(0, i32::from);
        socket::send(self.fd.as_fd(), bytes)?;
        let dump = flags & libc::NLM_F_DUMP == libc::NLM_F_DUMP;
        let acknowledged = flags & libc::NLM_F_ACK != 0;
        if self.buffer.is_empty() {
            self.buffer = vec![0; 64 * 1024];
        }
        self.is_interrupted = false;
        for _ in 0..MAX_REPLIES {
            let length = socket::receive(self.fd.as_fd(), &mut self.buffer, 0)?;
            for message in Messages(&self.buffer[..length]) {
                let message = message?;
                if message.sequence != sequence {
                    continue;
                }
                self.is_interrupted |= message.flags & libc::NLM_F_DUMP_INTR as u16 != 0;
                match i32::from(message.kind) {
                    libc::NLMSG_ERROR => return acknowledgement(&message),
                    libc::NLMSG_DONE => {
                        acknowledgement(&message)?;
                        return Ok(());
                    }
                    libc::NLMSG_NOOP => {}
                    _ => {
                        each(&message)?;
                        if !dump && !acknowledged {
                            return Ok(());
                        }
                    }
                }
            }
        }
        Err(NetlinkError::malformed())
    }

    /// Reports whether the data changed during the last dump, so that some of it may be missing.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.is_interrupted
    }

    /// Receives one datagram of a multicast group, without waiting.
    pub(crate) fn take(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        socket::receive(self.fd.as_fd(), buffer, libc::MSG_DONTWAIT)
    }
}

impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<Netlink> for OwnedFd {
    fn from(netlink: Netlink) -> OwnedFd {
        netlink.fd
    }
}

impl std::fmt::Debug for Netlink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Netlink").field(&self.fd.as_raw_fd()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nest_is_read_back_as_written() {
        let mut message =
            Message::new(7, 0).nest(1, |m| m.attribute(2, &[3]).attribute(4, &[5, 6, 7, 8]));
        let bytes = message.finish(9).to_vec();
        let received = Messages(&bytes).next().unwrap().unwrap();
        assert_eq!((received.kind, received.sequence), (7, 9));
        let (kind, nested) = Attributes(received.payload).next().unwrap().unwrap();
        assert_eq!(kind, 1);
        let inner: Vec<_> = Attributes(nested).map(Result::unwrap).collect();
        assert_eq!(inner, [(2, &[3][..]), (4, &[5, 6, 7, 8][..])]);
    }

    proptest::proptest! {
        #[test]
        fn random_bytes_end_and_never_panic(bytes: Vec<u8>) {
            for message in Messages(&bytes) {
                let Ok(message) = message else { break };
                let _ = acknowledgement(&message);
                for attribute in Attributes(message.payload) {
                    if attribute.is_err() { break }
                }
            }
            proptest::prop_assert!(Attributes(&bytes).count() <= bytes.len() / 4 + 1);
        }
    }
}
