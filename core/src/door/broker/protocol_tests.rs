use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

fn end() -> impl Strategy<Value = SocketAddr> {
    let v4 = any::<(Ipv4Addr, u16)>().prop_map(SocketAddr::from);
    let v6 = any::<(Ipv6Addr, u16, u32)>()
        .prop_map(|(ip, port, scope)| SocketAddrV6::new(ip, port, 0, scope).into());
    prop_oneof![v4, v6]
}

fn local() -> impl Strategy<Value = Local> {
    any::<(IpAddr, u16, u8, u32, bool)>().prop_map(|(ip, port, id, interface, is_backup)| Local {
        ip,
        port,
        id,
        interface,
        is_backup,
    })
}

fn value() -> impl Strategy<Value = (u32, [u8; ROOM])> {
    (0..=ROOM as u32, proptest::array::uniform32(any::<u8>())).prop_map(|(length, bytes)| {
        let mut value = [0; ROOM];
        value[..32].copy_from_slice(&bytes);
        (length, value)
    })
}

fn step() -> impl Strategy<Value = Step> {
    (any::<bool>(), any::<i32>(), any::<i32>(), value()).prop_map(
        |(is_set, level, number, (length, value))| Step { is_set, level, number, length, value },
    )
}

fn act() -> impl Strategy<Value = Act> {
    let steps = proptest::collection::vec(step(), 0..=STEPS);
    prop_oneof![
        Just(Act::TakeControl),
        Just(Act::Events),
        (any::<u32>(), local(), end()).prop_map(|(token, local, remote)| Act::Create {
            token,
            local,
            remote
        }),
        (any::<u32>(), end(), end()).prop_map(|(token, local, remote)| Act::Destroy {
            token,
            local,
            remote
        }),
        (end(), end(), any::<u32>(), any::<u64>()).prop_map(
            |(local, remote, interface, cookie)| Act::Abort { local, remote, interface, cookie }
        ),
        (any::<u32>(), end(), end(), any::<bool>()).prop_map(
            |(token, local, remote, is_backup)| Act::SetBackup { token, local, remote, is_backup }
        ),
        (any::<u32>(), local()).prop_map(|(token, local)| Act::Announce { token, local }),
        any::<u32>().prop_map(|handle| Act::Withdraw { handle }),
        any::<(u32, u8)>().prop_map(|(token, id)| Act::Remove { token, id }),
        any::<u32>().prop_map(|token| Act::PathManager { token }),
        any::<u16>().prop_map(|right| Act::Check { right }),
        (any::<u64>(), steps).prop_map(|(cookie, steps)| Act::Options { cookie, steps }),
    ]
}

fn answer() -> impl Strategy<Value = Answer> {
    let text = |most: usize| {
        any::<String>().prop_filter("fits", move |text| text.len() < most && !text.contains('\0'))
    };
    let kind = proptest::sample::select(ErrorKind::ALL);
    let refusal = (kind, any::<i32>(), text(KERNEL_TEXT), text(DETAIL), text(REMEDY)).prop_map(
        |(kind, errno, kernel_text, detail, remedy)| Refusal {
            kind,
            errno,
            kernel_text,
            detail,
            remedy,
        },
    );
    let outcome = (any::<i32>(), value()).prop_map(|(result, (length, value))| Outcome {
        result,
        length,
        value,
    });
    let outcomes = proptest::option::of(proptest::collection::vec(outcome, 0..=STEPS));
    let result = prop_oneof![any::<u32>().prop_map(Ok), refusal.prop_map(Err)];
    (any::<u64>(), result, outcomes).prop_map(|(number, result, outcomes)| Answer {
        number,
        result,
        outcomes,
    })
}

proptest! {
    #[test]
    fn a_request_arrives_as_it_was_sent(number: u64, act in act()) {
        let request = Request { number, act };
        let bytes = request.encode();
        prop_assert!(bytes.len() <= LONGEST);
        prop_assert_eq!(Request::parse(&bytes), Ok(request));
    }

    #[test]
    fn an_answer_arrives_as_it_was_sent(answer in answer()) {
        prop_assert_eq!(Answer::parse(&answer.encode()), Ok(answer));
    }

    #[test]
    fn random_bytes_are_rejected(bytes: Vec<u8>) {
        prop_assert!(Request::parse(&bytes).is_err());
        prop_assert!(Answer::parse(&bytes).is_err());
    }

    /// One wrong byte, or another length, makes another request or none: no byte is ignored.
    #[test]
    fn random_bytes_in_a_request_are_noticed(
        act in act(), at: prop::sample::Index, byte: u8, length in 0..2 * LONGEST,
    ) {
        let request = Request { number: 7, act };
        let mut bytes = request.encode();
        let at = at.index(bytes.len());
        let is_same = bytes[at] == byte;
        bytes[at] = byte;
        prop_assert_eq!(is_same, Request::parse(&bytes) == Ok(request.clone()));
        let mut bytes = request.encode();
        let is_same = bytes.len() == length;
        bytes.resize(length, 0);
        prop_assert_eq!(is_same, Request::parse(&bytes) == Ok(request));
    }

    #[test]
    fn random_bytes_in_an_answer_do_no_harm(answer in answer(), at: prop::sample::Index, byte: u8) {
        let mut bytes = answer.encode();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = Answer::parse(&bytes);
    }
}

#[test]
fn another_version_is_named() {
    let mut bytes = Request { number: 1, act: Act::Events }.encode();
    bytes[4] = 9;
    assert_eq!(Request::parse(&bytes), Err(Malformed::Version(9)));
}

/// The example of PROTOCOL.md, byte by byte.
#[test]
fn the_example_of_the_specification_is_right() {
    let local =
        Local { ip: [192, 0, 2, 1].into(), port: 40000, id: 3, interface: 2, is_backup: true };
    let act = Act::Create { token: 0x4f2a_9c01, local, remote: ([198, 51, 100, 7], 443).into() };
    let text = include_str!("PROTOCOL.md");
    let example = text.split("```hex\n").nth(1).unwrap().split("```").next().unwrap();
    let bytes: Vec<u8> =
        example.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    assert_eq!(bytes, Request { number: 5, act }.encode());
}

#[test]
fn an_error_arrives_with_its_texts() {
    let sent = Error::os("SUBFLOW_CREATE", libc::ENOTCONN).kernel(Some("not yet".into()));
    let answer = Answer { number: 1, result: Err((&sent).into()), outcomes: None };
    let refusal = Answer::parse(&answer.encode()).unwrap().result.unwrap_err();
    let error = refusal.error("SUBFLOW_CREATE");
    assert_eq!(error.to_string(), sent.to_string());
    assert_eq!((error.kind(), error.raw_os_error()), (sent.kind(), sent.raw_os_error()));
}
