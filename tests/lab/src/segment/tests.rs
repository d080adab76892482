//! Frames built by hand, and frames of random bytes.

use proptest::prelude::*;

use super::*;

const MP_CAPABLE: [u8; 12] = [30, 12, 0x01, 0x81, 1, 2, 3, 4, 5, 6, 7, 8];
const MP_JOIN: [u8; 12] = [30, 12, 0x10, 2, 9, 9, 9, 9, 8, 8, 8, 8];
const TIMESTAMPS: [u8; 12] = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
const DSS: [u8; 8] = [30, 8, 0x20, 0x01, 7, 7, 7, 7];
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// A whole Ethernet frame with a correct checksum.
fn frame(is_v6: bool, flags: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    assert_eq!(options.len() % 4, 0);
    let mut tcp = vec![0x30, 0x39, 0x00, 0x50, 0, 0, 0, 1, 0, 0, 0, 2];
    tcp.push((((TCP_HEADER_MIN + options.len()) / 4) << 4) as u8);
    tcp.extend([flags, 0xff, 0xff, 0, 0, 0, 0]);
    tcp.extend(options);
    tcp.extend(payload);
    let len = tcp.len() as u16;
    let mut packet;
    if is_v6 {
        packet = vec![0x60, 0, 0, 0];
        packet.extend(len.to_be_bytes());
        packet.extend([PROTOCOL_TCP, 64]);
        packet.extend("2001:db8::1".parse::<Ipv6Addr>().unwrap().octets());
        packet.extend("2001:db8::2".parse::<Ipv6Addr>().unwrap().octets());
    } else {
        packet = vec![0x45, 0];
        packet.extend((len + 20).to_be_bytes());
        packet.extend([0, 0, 0x40, 0, 64, PROTOCOL_TCP, 0, 0]);
        packet.extend([192, 0, 2, 1]);
        packet.extend([192, 0, 2, 2]);
    }
    let mut whole = vec![0xee; 12];
    whole.extend(if is_v6 { ETHERTYPE_IPV6 } else { ETHERTYPE_IPV4 }.to_be_bytes());
    let checksum_at = ETHERNET_HEADER + packet.len() + 16;
    whole.extend(packet);
    whole.extend(tcp);
    let checksum = !checksum_sum(&whole);
    whole[checksum_at..checksum_at + 2].copy_from_slice(&checksum.to_be_bytes());
    whole
}

/// The sum over pseudo header and segment: all ones if the checksum is correct.
fn checksum_sum(frame: &[u8]) -> u16 {
    let layout = Layout::of(frame).unwrap();
    let len = layout.tcp.len() as u32;
    let mut covered = Vec::new();
    for address in [layout.source, layout.destination] {
        match address {
            IpAddr::V4(v4) => covered.extend(v4.octets()),
            IpAddr::V6(v6) => covered.extend(v6.octets()),
        }
    }
    covered.extend(len.to_be_bytes());
    covered.extend([0, PROTOCOL_TCP]);
    covered.extend(&frame[layout.tcp]);
    sum_of_words(&covered)
}

#[test]
fn a_syn_is_read() {
    for is_v6 in [false, true] {
        let bytes = frame(is_v6, SYN, &[&TIMESTAMPS[..], &MP_CAPABLE].concat(), b"");
        let segment = Segment::parse(Direction::ToServer, &bytes).unwrap();
        assert!(segment.is_syn && !segment.is_ack && !segment.is_fin && !segment.is_rst);
        assert_eq!(segment.source.port(), 12345);
        assert_eq!(segment.destination.port(), 80);
        assert_eq!(segment.source.is_ipv6(), is_v6);
        assert_eq!((segment.sequence, segment.acknowledgement), (1, 2));
        assert_eq!(segment.payload_len, 0);
        let options: Vec<_> = segment.mptcp().collect();
        assert_eq!(options, [MptcpOption { subtype: Subtype::MpCapable, bytes: &MP_CAPABLE }]);
        assert!(!segment.has(Subtype::MpJoin));
    }
}

#[test]
fn padding_is_no_payload() {
    let mut bytes = frame(false, ACK, &[], b"");
    bytes.extend([0; 6]);
    let segment = Segment::parse(Direction::ToClient, &bytes).unwrap();
    assert!(segment.is_pure_ack());
    let bytes = frame(true, ACK, &DSS, b"data");
    let segment = Segment::parse(Direction::ToClient, &bytes).unwrap();
    assert_eq!(segment.payload_len, 4);
    assert!(!segment.is_pure_ack());
}

#[test]
fn bytes_that_are_not_a_segment_are_rejected() {
    let good = frame(false, ACK, &[], b"");
    let broken = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        Segment::parse(Direction::ToServer, &bytes).is_none()
    };
    assert!(broken(12, 0x86), "unknown ether type");
    assert!(broken(ETHERNET_HEADER + 9, 17), "UDP");
    assert!(broken(ETHERNET_HEADER + 6, 0x20), "a fragment");
    assert!(broken(ETHERNET_HEADER + 7, 1), "a later fragment");
    assert!(broken(ETHERNET_HEADER + 20 + 12, 0x40), "a header too short");
    assert!(broken(ETHERNET_HEADER + 20 + 12, 0x60), "a header too long");
    assert!(broken(ETHERNET_HEADER + 3, 41), "cut short");
}

#[test]
fn ipv6_extension_headers_are_passed_over() {
    let mut bytes = frame(true, SYN, &MP_JOIN, b"");
    let at = ETHERNET_HEADER + 40;
    bytes.splice(at..at, [PROTOCOL_TCP, 0, 1, 4, 0, 0, 0, 0]);
    bytes[ETHERNET_HEADER + 6] = 60;
    bytes[ETHERNET_HEADER + 5] += 8;
    assert!(Segment::parse(Direction::ToServer, &bytes).unwrap().has(Subtype::MpJoin));
}

#[test]
fn stripping_leaves_the_other_options() {
    let options = [&TIMESTAMPS[..], &DSS].concat();
    let mut bytes = frame(false, ACK, &options, b"data");
    assert_eq!(strip_mptcp(&mut bytes), 1);
    let nops = [&TIMESTAMPS[..], &[OPTION_NOP; 8]].concat();
    assert_eq!(bytes, frame(false, ACK, &nops, b"data"));
    assert_eq!(strip_mptcp(&mut bytes), 0);
}

fn any_options() -> impl Strategy<Value = Vec<u8>> {
    let mptcp =
        (0_u8..16, prop::collection::vec(any::<u8>(), 1..10)).prop_map(|(subtype, rest)| {
            let mut option = vec![OPTION_MPTCP, rest.len() as u8 + 3, subtype << 4];
            option.extend(rest);
            option
        });
    let one = prop_oneof![Just(TIMESTAMPS.to_vec()), Just(vec![OPTION_NOP]), mptcp];
    prop::collection::vec(one, 0..4).prop_map(|options| {
        let mut all = options.concat();
        all.truncate(40);
        all.resize(all.len().next_multiple_of(4), OPTION_END);
        all
    })
}

proptest! {
    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = bytes;
        if let Some(segment) = Segment::parse(Direction::ToServer, &bytes) {
            prop_assert!(segment.mptcp().count() <= 40);
        }
        strip_mptcp(&mut bytes);
    }

    #[test]
    fn damaged_segments_never_panic(
        is_v6: bool,
        options in any_options(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = frame(is_v6, ACK, &options, b"some data");
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        if let Some(segment) = Segment::parse(Direction::ToServer, &bytes) {
            prop_assert!(segment.mptcp().count() <= 40);
        }
        strip_mptcp(&mut bytes);
    }

    #[test]
    fn stripping_keeps_the_checksum_right(
        is_v6: bool,
        flags: u8,
        options in any_options(),
        payload in prop::collection::vec(any::<u8>(), 0..50),
    ) {
        let original = frame(is_v6, flags, &options, &payload);
        prop_assert_eq!(checksum_sum(&original), 0xffff);
        let mut bytes = original.clone();
        let before = Segment::parse(Direction::ToServer, &original).unwrap().mptcp().count();
        prop_assert_eq!(strip_mptcp(&mut bytes), before);
        prop_assert_eq!(checksum_sum(&bytes), 0xffff);
        let after = Segment::parse(Direction::ToServer, &bytes).unwrap();
        prop_assert_eq!(after.mptcp().count(), 0);
        prop_assert_eq!(after.payload_len, payload.len());
        prop_assert_eq!(bytes.len(), original.len());
    }
}

/// What middleboxes make of a frame is a frame with correct checksums.
#[test]
fn made_and_changed_frames_have_correct_checksums() {
    for is_v6 in [false, true] {
        let original = frame(is_v6, ACK, &[&TIMESTAMPS[..], &DSS].concat(), b"payload");
        let new = edit::NewSegment {
            sequence: 7,
            acknowledgement: 8,
            flags: SYN | ACK,
            options: &MP_CAPABLE,
            payload: b"odd",
        };
        let like = new.like(&original).unwrap();
        let answer = new.answering(&original).unwrap();
        let reset = edit::reset_answering(&original).unwrap();
        let mut shifted = original.clone();
        edit::shift_sequences(&mut shifted, 5, u32::MAX).unwrap();
        let mut changed = original.clone();
        edit::change_payload(&mut changed, |payload| payload.fill(b'x')).unwrap();
        for made in [&like, &answer, &reset, &shifted, &changed] {
            assert_eq!(checksum_sum(made), 0xffff);
        }
        let parse = |frame| Segment::parse(Direction::ToServer, frame).unwrap();
        let (old, like, answer) = (parse(&original), parse(&like), parse(&answer));
        assert_eq!((like.source, like.destination), (old.source, old.destination));
        assert_eq!((answer.source, answer.destination), (old.destination, old.source));
        assert!(answer.is_syn && answer.has(Subtype::MpCapable) && answer.payload_len == 3);
        let (reset, shifted) = (parse(&reset), parse(&shifted));
        assert!(reset.is_rst);
        assert_eq!(reset.sequence, old.acknowledgement);
        assert_eq!(shifted.sequence, old.sequence + 5);
        assert_eq!(shifted.acknowledgement, old.acknowledgement.wrapping_sub(1));
    }
}

#[test]
fn selective_acknowledgements_are_shifted_as_acknowledgements_are() {
    let sack = [1, 1, OPTION_SACK, 10, 0, 0, 0, 9, 0, 0, 0, 12];
    let mut shifted = frame(false, ACK, &sack, b"");
    edit::shift_sequences(&mut shifted, 100, 1).unwrap();
    assert_eq!(edit::options(&shifted).unwrap()[4..], [0, 0, 0, 10, 0, 0, 0, 13]);
}

proptest! {
    #[test]
    fn noise_is_edited_without_a_panic(
        is_v6: bool,
        flags: u8,
        words in prop::collection::vec(any::<[u8; 4]>(), 0..10),
        noise in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        for mut frame in [frame(is_v6, flags, &words.concat(), &noise), noise.clone()] {
            let new = edit::NewSegment {
                sequence: 1,
                acknowledgement: 1,
                flags,
                options: &[],
                payload: &noise,
            };
            let _ = (new.like(&frame), new.answering(&frame), edit::reset_answering(&frame));
            let _ = edit::shift_sequences(&mut frame, u32::MAX, 1);
            let _ = edit::change_payload(&mut frame, |payload| payload.fill(0));
            let _ = edit::set_source_port(&mut frame, 1);
            let _ = edit::set_destination_port(&mut frame, 1);
        }
    }
}
