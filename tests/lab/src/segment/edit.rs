//! Making and changing segments: what the middleboxes of this crate do to frames.

use std::net::IpAddr;

use super::{
    ETHERNET_HEADER, Layout, OPTION_SACK, PROTOCOL_TCP, Segment, TCP_HEADER_MIN, be32, fold,
    option_ranges, sum_of_words,
};
use crate::wire::Direction;

/// The flags of a TCP header.
pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const PSH: u8 = 0x08;
pub(crate) const ACK: u8 = 0x10;

/// The hop limit of a frame that a middlebox makes.
const HOPS: u8 = 64;

/// What differs between a new segment and the frame after which it is modelled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewSegment<'a> {
    pub(crate) sequence: u32,
    pub(crate) acknowledgement: u32,
    pub(crate) flags: u8,
    /// A multiple of four bytes, at most forty.
    pub(crate) options: &'a [u8],
    pub(crate) payload: &'a [u8],
}

impl NewSegment<'_> {
    /// A frame with this segment from the sender of `frame` to its receiver.
    pub(crate) fn like(&self, frame: &[u8]) -> Option<Vec<u8>> {
        self.build(frame, false)
    }

    /// A frame with this segment from the receiver of `frame` to its sender: an answer.
    pub(crate) fn answering(&self, frame: &[u8]) -> Option<Vec<u8>> {
        self.build(frame, true)
    }

    fn build(&self, frame: &[u8], is_answer: bool) -> Option<Vec<u8>> {
        let layout = Layout::of(frame)?;
        let old = frame.get(layout.tcp.clone())?;
        let is_v4 = layout.source.is_ipv4();
        let ip_bytes = if is_v4 { 20 } else { 40 };
        let header = TCP_HEADER_MIN + self.options.len();
        let tcp_bytes = header + self.payload.len();
        let mut new = Vec::with_capacity(ETHERNET_HEADER + ip_bytes + tcp_bytes);
        let (first, second) = if is_answer { (6..12, 0..6) } else { (0..6, 6..12) };
        new.extend(&frame[first]);
        new.extend(&frame[second]);
        new.extend(&frame[12..ETHERNET_HEADER]);
        let ends = [layout.source, layout.destination];
        let [source, destination] = if is_answer { [ends[1], ends[0]] } else { ends };
        if is_v4 {
            new.extend([0x45, 0]);
            new.extend(u16::try_from(ip_bytes + tcp_bytes).ok()?.to_be_bytes());
            // Do not fragment.
            new.extend([0, 0, 0x40, 0, HOPS, PROTOCOL_TCP, 0, 0]);
        } else {
            new.extend([0x60, 0, 0, 0]);
            new.extend(u16::try_from(tcp_bytes).ok()?.to_be_bytes());
            new.extend([PROTOCOL_TCP, HOPS]);
        }
        for address in [source, destination] {
            match address {
                IpAddr::V4(v4) => new.extend(v4.octets()),
                IpAddr::V6(v6) => new.extend(v6.octets()),
            }
        }
        let (from, to) = if is_answer { (2..4, 0..2) } else { (0..2, 2..4) };
        new.extend(&old[from]);
        new.extend(&old[to]);
        new.extend(self.sequence.to_be_bytes());
        new.extend(self.acknowledgement.to_be_bytes());
        new.push(u8::try_from(header / 4).ok()? << 4);
        new.push(self.flags);
        // The window of the old segment; then checksum and urgent pointer.
        new.extend(&old[14..16]);
        new.extend([0; 4]);
        new.extend(self.options);
        new.extend(self.payload);
        refresh_checksums(&mut new)?;
        Some(new)
    }
}

/// A segment that resets the connection of `frame`, as its receiver would send it.
pub(crate) fn reset_answering(frame: &[u8]) -> Option<Vec<u8>> {
    let segment = Segment::parse(Direction::ToServer, frame)?;
    let length = segment.payload_len as u32 + u32::from(segment.is_syn) + u32::from(segment.is_fin);
    let (sequence, flags) =
        if segment.is_ack { (segment.acknowledgement, RST) } else { (0, RST | ACK) };
    let reset = NewSegment {
        sequence,
        acknowledgement: segment.sequence.wrapping_add(length),
        flags,
        options: &[],
        payload: &[],
    };
    reset.answering(frame)
}

/// The flags of the frame's segment.
pub(crate) fn flags(frame: &[u8]) -> Option<u8> {
    let layout = Layout::of(frame)?;
    frame.get(layout.tcp.start + 13).copied()
}

/// The options of the frame's segment.
pub(crate) fn options(frame: &[u8]) -> Option<&[u8]> {
    let layout = Layout::of(frame)?;
    frame.get(layout.options)
}

/// The payload of the frame's segment.
pub(crate) fn payload(frame: &[u8]) -> Option<&[u8]> {
    let layout = Layout::of(frame)?;
    frame.get(layout.options.end..layout.tcp.end)
}

/// Lets `change` change the payload of the frame's segment, and corrects the checksum.
pub(crate) fn change_payload(frame: &mut [u8], change: impl FnOnce(&mut [u8])) -> Option<()> {
    let layout = Layout::of(frame)?;
    change(frame.get_mut(layout.options.end..layout.tcp.end)?);
    refresh_checksums(frame)
}

/// Sets the source port of the frame's segment, and corrects the checksum.
pub(crate) fn set_source_port(frame: &mut [u8], port: u16) -> Option<()> {
    let at = Layout::of(frame)?.tcp.start;
    frame.get_mut(at..at + 2)?.copy_from_slice(&port.to_be_bytes());
    refresh_checksums(frame)
}

/// Sets the destination port of the frame's segment, and corrects the checksum.
pub(crate) fn set_destination_port(frame: &mut [u8], port: u16) -> Option<()> {
    let at = Layout::of(frame)?.tcp.start + 2;
    frame.get_mut(at..at + 2)?.copy_from_slice(&port.to_be_bytes());
    refresh_checksums(frame)
}

/// Adds `own` to the sequence number of the frame's segment, and `other` to all numbers in which it
/// acknowledges: the acknowledgement and the blocks of selective ones. Corrects the checksum.
pub(crate) fn shift_sequences(frame: &mut [u8], own: u32, other: u32) -> Option<()> {
    let layout = Layout::of(frame)?;
    let start = layout.tcp.start;
    shift(frame, start + 4, own)?;
    if flags(frame)? & ACK != 0 {
        shift(frame, start + 8, other)?;
    }
    let ranges: Vec<_> = option_ranges(frame.get(layout.options.clone())?).collect();
    for range in ranges {
        let at = layout.options.start + range.start;
        if frame.get(at) == Some(&OPTION_SACK) {
            for number in (at + 2..layout.options.start + range.end).step_by(4) {
                shift(frame, number, other)?;
            }
        }
    }
    refresh_checksums(frame)
}

fn shift(frame: &mut [u8], at: usize, by: u32) -> Option<()> {
    let number = be32(frame, at)?.wrapping_add(by);
    frame.get_mut(at..at + 4)?.copy_from_slice(&number.to_be_bytes());
    Some(())
}

/// Computes the checksums of the IPv4 header and of the segment again.
fn refresh_checksums(frame: &mut [u8]) -> Option<()> {
    let layout = Layout::of(frame)?;
    if layout.source.is_ipv4() {
        let header = ETHERNET_HEADER..layout.tcp.start;
        set16(frame, ETHERNET_HEADER + 10, 0)?;
        let checksum = !sum_of_words(frame.get(header)?);
        set16(frame, ETHERNET_HEADER + 10, checksum)?;
    }
    let at = layout.tcp.start + 16;
    set16(frame, at, 0)?;
    let mut sum = u32::from(PROTOCOL_TCP) + u32::try_from(layout.tcp.len()).ok()?;
    for address in [layout.source, layout.destination] {
        sum += u32::from(match address {
            IpAddr::V4(v4) => sum_of_words(&v4.octets()),
            IpAddr::V6(v6) => sum_of_words(&v6.octets()),
        });
    }
    sum += u32::from(sum_of_words(frame.get(layout.tcp)?));
    set16(frame, at, !fold(sum))
}

fn set16(frame: &mut [u8], at: usize, value: u16) -> Option<()> {
    frame.get_mut(at..at + 2)?.copy_from_slice(&value.to_be_bytes());
    Some(())
}
