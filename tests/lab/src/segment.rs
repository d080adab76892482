//! TCP segments inside Ethernet frames: reading them, and removing their MPTCP options.
//!
//! Pure code over bytes from a network: any bytes are allowed, and none make it panic.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;

use crate::wire::Direction;

pub(crate) mod edit;

const ETHERNET_HEADER: usize = 14;
const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const PROTOCOL_TCP: u8 = 6;
const TCP_HEADER_MIN: usize = 20;

const OPTION_END: u8 = 0;
const OPTION_NOP: u8 = 1;
const OPTION_SACK: u8 = 5;
const OPTION_MPTCP: u8 = 30;

/// IPv6 headers that may precede TCP: hop-by-hop, routing, destination options.
const IPV6_EXTENSIONS: [u8; 3] = [0, 43, 60];
const IPV6_EXTENSIONS_MAX: usize = 8;

/// What an MPTCP option is for (RFC 8684, section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Subtype {
    /// Opens a connection.
    MpCapable,
    /// Joins a subflow to a connection.
    MpJoin,
    /// Sequence numbers and acknowledgements of the connection's data.
    Dss,
    /// Announces an address.
    AddAddr,
    /// Withdraws an address.
    RemoveAddr,
    /// Makes a subflow a backup, or a regular one again.
    MpPrio,
    /// Reports a checksum that is wrong.
    MpFail,
    /// Aborts the connection.
    MpFastclose,
    /// Reports why a subflow is reset.
    MpTcprst,
    /// A subtype that this code does not know.
    Other(u8),
}

impl Subtype {
    fn from_number(number: u8) -> Subtype {
        match number {
            0 => Subtype::MpCapable,
            1 => Subtype::MpJoin,
            2 => Subtype::Dss,
            3 => Subtype::AddAddr,
            4 => Subtype::RemoveAddr,
            5 => Subtype::MpPrio,
            6 => Subtype::MpFail,
            7 => Subtype::MpFastclose,
            8 => Subtype::MpTcprst,
            other => Subtype::Other(other),
        }
    }
}

/// One MPTCP option of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MptcpOption<'a> {
    /// What it is for.
    pub subtype: Subtype,
    /// The whole option, beginning with its kind (30) and its length.
    pub bytes: &'a [u8],
}

/// A TCP segment on a wire.
#[derive(Clone, Debug)]
pub struct Segment<'a> {
    /// Its direction.
    pub direction: Direction,
    /// The sender.
    pub source: SocketAddr,
    /// The receiver.
    pub destination: SocketAddr,
    /// The sequence number of its first byte.
    pub sequence: u32,
    /// The next byte that its sender expects.
    pub acknowledgement: u32,
    /// It opens or accepts a connection or a subflow.
    pub is_syn: bool,
    /// It acknowledges data or a SYN.
    pub is_ack: bool,
    /// It closes one direction.
    pub is_fin: bool,
    /// It resets the connection or the subflow.
    pub is_rst: bool,
    /// How many bytes of payload it has.
    pub payload_len: usize,
    options: &'a [u8],
}

impl<'a> Segment<'a> {
    /// Reads the TCP segment of an Ethernet frame. Returns `None` if the frame has none, or a
    /// fragment or a truncated one.
    pub fn parse(direction: Direction, frame: &'a [u8]) -> Option<Segment<'a>> {
        let layout = Layout::of(frame)?;
        let tcp = frame.get(layout.tcp.clone())?;
        let flags = *tcp.get(13)?;
        Some(Segment {
            direction,
            source: SocketAddr::new(layout.source, be16(tcp, 0)?),
            destination: SocketAddr::new(layout.destination, be16(tcp, 2)?),
            sequence: be32(tcp, 4)?,
            acknowledgement: be32(tcp, 8)?,
            is_fin: flags & 0x01 != 0,
            is_syn: flags & 0x02 != 0,
            is_rst: flags & 0x04 != 0,
            is_ack: flags & 0x10 != 0,
            payload_len: layout.tcp.end - layout.options.end,
            options: frame.get(layout.options)?,
        })
    }

    /// Its MPTCP options, in their order.
    pub fn mptcp(&self) -> impl Iterator<Item = MptcpOption<'a>> + use<'a> {
        let options = self.options;
        option_ranges(options).filter_map(move |range| {
            let bytes = options.get(range)?;
            let subtype = Subtype::from_number(bytes.get(2)? >> 4);
            (bytes[0] == OPTION_MPTCP).then_some(MptcpOption { subtype, bytes })
        })
    }

    /// Whether it has an MPTCP option of this subtype.
    pub fn has(&self, subtype: Subtype) -> bool {
        self.mptcp().any(|option| option.subtype == subtype)
    }

    /// Whether it only acknowledges.
    pub fn is_pure_ack(&self) -> bool {
        self.is_ack && !self.is_syn && !self.is_fin && !self.is_rst && self.payload_len == 0
    }
}

/// Overwrites the MPTCP options of the frame's TCP segment with no-operations and adjusts the
/// checksum: a correct one stays correct, a wrong one stays wrong. Returns how many options there
/// were.
pub fn strip_mptcp(frame: &mut [u8]) -> usize {
    let Some(layout) = Layout::of(frame) else { return 0 };
    let checksum_at = layout.tcp.start + 16;
    let Some(old_checksum) = be16(frame, checksum_at) else { return 0 };
    let Some(options) = frame.get_mut(layout.options) else { return 0 };
    // The options begin at an even distance from the segment and are a multiple of four bytes, so
    // that their sum of words is a part of the segment's.
    let old_sum = sum_of_words(options);
    let is_mptcp = |range: &Range<usize>| options.get(range.start) == Some(&OPTION_MPTCP);
    let found: Vec<_> = option_ranges(options).filter(is_mptcp).collect();
    if found.is_empty() {
        return 0;
    }
    for range in &found {
        options[range.clone()].fill(OPTION_NOP);
    }
    // RFC 1624: new = ~(~old + ~old words + new words), in ones' complement.
    let new_sum = sum_of_words(options);
    let checksum = !fold(u32::from(!old_checksum) + u32::from(!old_sum) + u32::from(new_sum));
    frame[checksum_at..checksum_at + 2].copy_from_slice(&checksum.to_be_bytes());
    found.len()
}

/// The positions of the parts of a frame.
struct Layout {
    source: IpAddr,
    destination: IpAddr,
    /// Header and payload, without Ethernet's padding.
    tcp: Range<usize>,
    options: Range<usize>,
}

impl Layout {
    fn of(frame: &[u8]) -> Option<Layout> {
        let (source, destination, tcp) = match be16(frame, 12)? {
            ETHERTYPE_IPV4 => ipv4(frame)?,
            ETHERTYPE_IPV6 => ipv6(frame)?,
            _ => return None,
        };
        let header = usize::from(frame.get(tcp.start..tcp.end)?.get(12)? >> 4) * 4;
        let options = tcp.start + TCP_HEADER_MIN..tcp.start + header;
        let is_whole = header >= TCP_HEADER_MIN && options.end <= tcp.end;
        is_whole.then_some(Layout { source, destination, tcp, options })
    }
}

/// The addresses of an IPv4 packet, and the position of its TCP segment.
fn ipv4(frame: &[u8]) -> Option<(IpAddr, IpAddr, Range<usize>)> {
    let packet = frame.get(ETHERNET_HEADER..)?;
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let total = usize::from(be16(packet, 2)?);
    let more_fragments_or_offset = be16(packet, 6)? & 0x3fff;
    let is_tcp = packet.first()? >> 4 == 4
        && *packet.get(9)? == PROTOCOL_TCP
        && more_fragments_or_offset == 0
        && (20..=total).contains(&header)
        && total <= packet.len();
    let address = |at: usize| Some(Ipv4Addr::from(be32(packet, at)?));
    let tcp = ETHERNET_HEADER + header..ETHERNET_HEADER + total;
    is_tcp.then_some((address(12)?.into(), address(16)?.into(), tcp))
}

/// The addresses of an IPv6 packet, and the position of its TCP segment.
fn ipv6(frame: &[u8]) -> Option<(IpAddr, IpAddr, Range<usize>)> {
    let packet = frame.get(ETHERNET_HEADER..)?;
    let end = 40 + usize::from(be16(packet, 4)?);
    if packet.first()? >> 4 != 6 || end > packet.len() {
        return None;
    }
    let mut next = *packet.get(6)?;
    let mut at = 40;
    for _ in 0..IPV6_EXTENSIONS_MAX {
        if !IPV6_EXTENSIONS.contains(&next) {
            break;
        }
        next = *packet.get(at)?;
        at += (usize::from(*packet.get(at + 1)?) + 1) * 8;
    }
    let address = |at: usize| {
        let octets: [u8; 16] = packet.get(at..at + 16)?.try_into().ok()?;
        Some(IpAddr::V6(Ipv6Addr::from(octets)))
    };
    let tcp = ETHERNET_HEADER + at..ETHERNET_HEADER + end;
    (next == PROTOCOL_TCP && at <= end).then_some((address(8)?, address(24)?, tcp))
}

/// The position of each option, up to the end or to the first invalid one.
fn option_ranges(options: &[u8]) -> impl Iterator<Item = Range<usize>> + use<'_> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at;
        let len = match *options.get(start)? {
            OPTION_END => return None,
            OPTION_NOP => 1,
            _ => usize::from(*options.get(start + 1)?),
        };
        at = start + len;
        let makes_sense = at <= options.len() && (len >= 2 || options[start] == OPTION_NOP);
        makes_sense.then_some(start..at)
    })
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The ones' complement sum of big-endian words; an odd last byte is the upper half of one.
fn sum_of_words(bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| (u32::from(pair[0]) << 8) | u32::from(*pair.get(1).unwrap_or(&0));
    fold(bytes.chunks(2).map(word).sum())
}

fn fold(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests;
