//! The SYN that is sent to each hop, and reading what comes back. Pure code over bytes from a network: any bytes
//! are allowed, and none make it panic.

use std::net::IpAddr;

const PROTOCOL_TCP: u8 = 6;
const HEADER: usize = 20;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;
const OPTION_MPTCP: u8 = 30;

/// MSS, two no-operations, selective acknowledgements, and MP_CAPABLE of version 1 as Linux writes it.
const OPTIONS: [u8; 12] = [2, 4, 5, 0xb4, 1, 1, 4, 2, OPTION_MPTCP, 4, 0x01, 0x01];

/// What a copy of the SYN shows of its MP_CAPABLE option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Present,
    Absent,
    /// The copy ends before the options.
    Unknown,
}

/// What the host answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// SYN/ACK with a key of the host.
    Mptcp,
    /// SYN/ACK with the option of the SYN, which is none of the host.
    Echo,
    /// SYN/ACK without the option.
    Tcp,
    Reset,
}

/// A SYN with MP_CAPABLE. Its sequence number is `sequence`.
pub(super) fn syn(
    source: IpAddr,
    ports: (u16, u16),
    destination: IpAddr,
    sequence: u32,
) -> Vec<u8> {
    let mut segment = Vec::with_capacity(HEADER + OPTIONS.len());
    segment.extend(ports.0.to_be_bytes());
    segment.extend(ports.1.to_be_bytes());
    segment.extend(sequence.to_be_bytes());
    segment.extend([0; 4]);
    segment.extend([(((HEADER + OPTIONS.len()) / 4) << 4) as u8, SYN, 0xff, 0xff, 0, 0, 0, 0]);
    segment.extend(OPTIONS);
    let checksum = checksum(source, destination, &segment);
    segment[16..18].copy_from_slice(&checksum.to_be_bytes());
    segment
}

/// The checksum over the pseudo header and the segment.
fn checksum(source: IpAddr, destination: IpAddr, segment: &[u8]) -> u16 {
    let mut covered = Vec::with_capacity(44 + segment.len());
    for address in [source, destination] {
        match address {
            IpAddr::V4(v4) => covered.extend(v4.octets()),
            IpAddr::V6(v6) => covered.extend(v6.octets()),
        }
    }
    covered.extend((segment.len() as u32).to_be_bytes());
    covered.extend([0, 0, 0, PROTOCOL_TCP]);
    covered.extend(segment);
    let words = covered
        .chunks(2)
        .map(|pair| (u32::from(pair[0]) << 8) | u32::from(*pair.get(1).unwrap_or(&0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Reads the copy of a SYN in an ICMP error: its source port, and what it shows of the option. `message` begins
/// with the ICMP header, whose types are given for time exceeded.
pub(super) fn quoted(message: &[u8], is_v6: bool) -> Option<(u16, Seen)> {
    // Time exceeded: 11 in ICMP, 3 in ICMPv6. Eight bytes of header, then the packet.
    let time_exceeded = if is_v6 { 3 } else { 11 };
    if *message.first()? != time_exceeded {
        return None;
    }
    let packet = message.get(8..)?;
    let (header, protocol) = if is_v6 {
        (40, *packet.get(6)?)
    } else {
        (usize::from(packet.first()? & 0x0f) * 4, *packet.get(9)?)
    };
    if protocol != PROTOCOL_TCP {
        return None;
    }
    let segment = packet.get(header..)?;
    Some((be16(segment, 0)?, seen(segment)))
}

/// Looks for the option in a segment that may be cut.
fn seen(segment: &[u8]) -> Seen {
    let Some(offset) = segment.get(12) else { return Seen::Unknown };
    let end = usize::from(offset >> 4) * 4;
    let whole = segment.get(HEADER..end);
    match mp_capable(
        segment
            .get(HEADER..)
            .map_or(&[], |rest| &rest[..rest.len().min(end.saturating_sub(HEADER))]),
    ) {
        Some(_) => Seen::Present,
        None if whole.is_some() => Seen::Absent,
        None => Seen::Unknown,
    }
}

/// Reads an answer of the host: the port to which it came, and what it is. `segment` begins with the TCP header.
pub(super) fn answer(segment: &[u8], from: u16) -> Option<(u16, Answer)> {
    let (source, destination, flags) = (be16(segment, 0)?, be16(segment, 2)?, *segment.get(13)?);
    if source != from {
        return None;
    }
    if flags & RST != 0 {
        return Some((destination, Answer::Reset));
    }
    if flags & (SYN | ACK) != SYN | ACK {
        return None;
    }
    let end = usize::from(*segment.get(12)? >> 4) * 4;
    Some((
        destination,
        match mp_capable(segment.get(HEADER..end)?) {
            Some(12) => Answer::Mptcp,
            Some(_) => Answer::Echo,
            None => Answer::Tcp,
        },
    ))
}

/// The length of the MP_CAPABLE option, if there is one.
fn mp_capable(options: &[u8]) -> Option<u8> {
    let mut at = 0;
    loop {
        let length = match *options.get(at)? {
            0 => return None,
            1 => 1,
            kind => {
                let length = *options.get(at + 1)?;
                if kind == OPTION_MPTCP && options.get(at + 2)? >> 4 == 0 {
                    return Some(length);
                }
                usize::from(length).max(2)
            }
        };
        at += length;
    }
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip() -> IpAddr {
        "192.0.2.1".parse().unwrap()
    }

    /// Time exceeded of ICMP, with a packet of IPv4.
    fn exceeded(segment: &[u8]) -> Vec<u8> {
        let mut message = vec![11, 0, 0, 0, 0, 0, 0, 0, 0x45];
        message.resize(8 + 20, 0);
        message[8 + 9] = PROTOCOL_TCP;
        message.extend(segment);
        message
    }

    #[test]
    fn a_quoted_syn_shows_its_option_unless_it_is_cut() {
        let syn = syn(ip(), (4000, 443), ip(), 7);
        assert_eq!(quoted(&exceeded(&syn), false), Some((4000, Seen::Present)));
        // As much as the oldest routers quote.
        assert_eq!(quoted(&exceeded(&syn[..8]), false), Some((4000, Seen::Unknown)));
        let mut stripped = syn.clone();
        stripped[28..].fill(1);
        assert_eq!(quoted(&exceeded(&stripped), false), Some((4000, Seen::Absent)));
        assert_eq!(quoted(&exceeded(&stripped[..30]), false), Some((4000, Seen::Unknown)));
    }

    #[test]
    fn an_echoed_option_is_no_offer() {
        let mut segment = syn(ip(), (443, 4000), ip(), 7);
        segment[13] = SYN | ACK;
        assert_eq!(answer(&segment, 443), Some((4000, Answer::Echo)));
        segment[28..].fill(1);
        assert_eq!(answer(&segment, 443), Some((4000, Answer::Tcp)));
        segment[28..32].copy_from_slice(&[OPTION_MPTCP, 12, 0x01, 0x01]);
        segment.extend([9; 8]);
        segment[12] = 10 << 4;
        assert_eq!(answer(&segment, 443), Some((4000, Answer::Mptcp)));
        segment[13] = RST;
        assert_eq!(answer(&segment, 443), Some((4000, Answer::Reset)));
        assert_eq!(answer(&segment, 80), None);
    }

    #[test]
    fn cut_and_wrong_bytes_are_ignored() {
        let whole = exceeded(&syn(ip(), (4000, 443), ip(), 7));
        for end in 0..whole.len() {
            let _ = (
                quoted(&whole[..end], false),
                quoted(&whole[..end], true),
                answer(&whole[..end], 443),
            );
        }
        for byte in 0..=255 {
            let noise = [byte; 80];
            let _ = (
                quoted(&noise, false),
                quoted(&noise, true),
                answer(&noise, u16::from(byte) * 257),
            );
        }
    }
}
