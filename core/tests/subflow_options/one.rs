//! One of three subflows is changed: BPF and `ss` show that no other changed.

use std::os::fd::AsRawFd;

use subflows::{Connect, ErrorKind, Open, OptionValue, OptionValues, SubflowOption};
use subflows_lab::Net;

use super::common::{connect, open_handed, userspace, ways};
use super::{by_ss, can_set, get, initial, open, set};

/// Each option with a value that no socket has by default, and what is read back if it differs.
const VALUES: &[(SubflowOption, u64, Option<u64>)] = &[
    (SubflowOption::Mark, 0x2a, None),
    (SubflowOption::Priority, 5, None),
    (SubflowOption::TrafficClass, 0x28, None),
    (SubflowOption::MaxPacingRate, 1_234_567, None),
    (SubflowOption::UserTimeout, 12_345, None),
    (SubflowOption::KeepaliveIdle, 77, None),
    (SubflowOption::KeepaliveInterval, 33, None),
    (SubflowOption::KeepaliveCount, 7, None),
    // The kernel doubles what is set.
    (SubflowOption::SendBuffer, 30_000, Some(60_000)),
    (SubflowOption::ReceiveBuffer, 40_000, Some(80_000)),
    (SubflowOption::SynCount, 3, None),
    (SubflowOption::NotSentLowWater, 54_321, None),
    (SubflowOption::WindowClamp, 65_432, None),
];

/// The options that are switched or named.
fn others() -> [(SubflowOption, OptionValue); 3] {
    [
        (SubflowOption::Keepalive, true.into()),
        (SubflowOption::NoDelay, true.into()),
        (SubflowOption::CongestionControl, "cubic".into()),
    ]
}

#[test]
fn every_option_of_one_of_three_changes_that_one_alone() {
    if !can_set() {
        return;
    }
    let net = open_handed(Net::three_paths().unwrap());
    let _inside = net.client.enter().unwrap();
    for pair in ways::controlled(&net) {
        let initial = net.client.run(|| subflows::list(&pair.client)).unwrap().remove(0);
        let all = [initial, open(&net, &pair, 1), open(&net, &pair, 2)];
        let read = |id| net.client.run(|| subflows::options(&pair.client, id)).unwrap();
        for changed in &all {
            let others_before: Vec<_> =
                all.iter().filter(|each| each.id != changed.id).map(|each| read(each.id)).collect();
            let numbers = VALUES.iter().map(|(option, value, expected)| {
                (
                    *option,
                    OptionValue::Number(*value),
                    OptionValue::Number(expected.unwrap_or(*value)),
                )
            });
            let named = others().into_iter().map(|(option, value)| (option, value.clone(), value));
            for (option, value, expected) in numbers.chain(named) {
                if option == SubflowOption::TrafficClass {
                    let set = net.client.run(|| {
                        subflows::set_option(&pair.client, changed.id, option, value.clone())
                    });
                    // Older kernels refuse it for IPv4 on an IPv6 socket, by name.
                    if let Err(error) = set {
                        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
                        assert!(error.to_string().contains("IPv6 socket"), "{error}");
                        continue;
                    }
                }
                set(&net, &pair, changed.id, option, value);
                assert_eq!(get(&net, &pair, changed.id, option), expected, "{option}");
            }
            let shown = by_ss(&net, &pair, changed).details;
            for text in ["fwmark:0x2a", " cubic "] {
                assert!(shown.contains(text), "{text} is not in {shown}");
            }
            let values = read(changed.id);
            assert_eq!((values.mark, values.user_timeout_ms), (Some(42), Some(12_345)));
            assert_eq!((values.no_delay, values.keepalive_idle_s), (Some(true), Some(77)));
            let others_after: Vec<_> =
                all.iter().filter(|each| each.id != changed.id).map(|each| read(each.id)).collect();
            // These follow what is sent and received.
            let steady = |values: Vec<OptionValues>| {
                let steady = values.into_iter().map(|mut values| {
                    (values.max_segment, values.window_clamp) = (None, None);
                    (values.send_buffer, values.receive_buffer) = (None, None);
                    values
                });
                steady.collect::<Vec<_>>()
            };
            assert_eq!(steady(others_before), steady(others_after));
        }
        assert!(pair.moves_data());
    }
}

#[test]
fn the_mark_is_on_one_subflow_alone_as_ss_shows() {
    if !can_set() {
        return;
    }
    let net = open_handed(Net::three_paths().unwrap());
    let _inside = net.client.enter().unwrap();
    for pair in ways::controlled(&net) {
        let initial = net.client.run(|| subflows::list(&pair.client)).unwrap().remove(0);
        let all = [initial, open(&net, &pair, 1), open(&net, &pair, 2)];
        for changed in &all {
            set(&net, &pair, changed.id, SubflowOption::Mark, 0x77);
            for each in &all {
                let is_marked = by_ss(&net, &pair, each).details.contains("fwmark:0x77");
                assert_eq!(is_marked, each.id == changed.id, "{}", each.id);
            }
            set(&net, &pair, changed.id, SubflowOption::Mark, 0);
        }
    }
}

/// What the kernel does to options of a subflow afterwards, as the documentation states.
#[test]
fn the_socket_overwrites_it_and_a_later_subflow_does_not_inherit_it() {
    if !can_set() {
        return;
    }
    let net = open_handed(Net::three_paths().unwrap());
    let _inside = net.client.enter().unwrap();
    for pair in ways::controlled(&net) {
        let second = open(&net, &pair, 1);
        set(&net, &pair, second.id, SubflowOption::Mark, 0x77);
        let third = open(&net, &pair, 2);
        assert_eq!(get(&net, &pair, third.id, SubflowOption::Mark), OptionValue::Number(0));
        let mark = 0x55i32;
        // SAFETY: the pointer and the length describe `mark`.
        let result = unsafe {
            libc::setsockopt(
                pair.client.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_MARK,
                (&raw const mark).cast(),
                size_of::<i32>() as libc::socklen_t,
            )
        };
        assert_eq!(result, 0);
        for id in [initial(&pair.client), second.id, third.id] {
            assert_eq!(get(&net, &pair, id, SubflowOption::Mark), OptionValue::Number(0x55));
        }
    }
}

#[test]
fn raw_options_are_bytes() {
    if !can_set() {
        return;
    }
    let net = open_handed(Net::two_subnets().unwrap());
    let pair = ways::controlled(&net).remove(0);
    net.client.run(|| {
        let (level, name) = (libc::SOL_SOCKET as u32, libc::SO_MARK as u32);
        let set = |level, name, value: &[u8]| {
            subflows::set_raw_option(&pair.client, initial(&pair.client), level, name, value)
        };
        set(level, name, &7u32.to_ne_bytes()).unwrap();
        let read =
            subflows::get_raw_option(&pair.client, initial(&pair.client), level, name, 4).unwrap();
        assert_eq!(read, OptionValue::Bytes(7u32.to_ne_bytes().into()));
        // An option that the kernel does not let BPF programs set, a value that it refuses, and lengths.
        let refused = |result: subflows::Result<()>| result.unwrap_err().kind();
        let (tcp, one, zero) = (libc::IPPROTO_TCP as u32, 1u32.to_ne_bytes(), [0; 4]);
        let quick_ack = libc::TCP_QUICKACK as u32;
        assert_eq!(refused(set(tcp, quick_ack, &one)), ErrorKind::Unsupported);
        let idle = libc::TCP_KEEPIDLE as u32;
        assert_eq!(refused(set(tcp, idle, &zero)), ErrorKind::InvalidArgument);
        assert_eq!(refused(set(level, name, &[])), ErrorKind::InvalidArgument);
        assert_eq!(refused(set(level, name, &[0; 33])), ErrorKind::InvalidArgument);
        let read = subflows::get_raw_option(&pair.client, initial(&pair.client), level, name, 0);
        assert_eq!(read.unwrap_err().kind(), ErrorKind::InvalidArgument);
    });
}

#[test]
fn a_congestion_control_that_is_not_loaded_names_its_module() {
    if !can_set() {
        return;
    }
    let net = open_handed(Net::two_subnets().unwrap());
    let pair = ways::controlled(&net).remove(1);
    let set = net.client.run(|| {
        subflows::set_option(
            &pair.client,
            initial(&pair.client),
            SubflowOption::CongestionControl,
            "no_such",
        )
    });
    let error = set.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    assert!(error.remedy().contains("modprobe tcp_no_such"), "{error}");
}

#[test]
fn one_of_two_hundred() {
    if !can_set() {
        return;
    }
    const MANY: usize = 200;
    let net = open_handed(Net::two_subnets().unwrap());
    userspace(&net.server);
    let pair = connect(&net, net.paths[0].server_v4.into(), &Connect::new().control(true));
    pair.make_ready();
    // A controlled server accepts more subflows than its limit while a program follows its events.
    let _follows = net.server.run(|| subflows::events(&pair.server)).unwrap();
    let ids: Vec<u32> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..20)
            .map(|_| {
                scope.spawn(|| {
                    net.client.run(|| {
                        let options = Open::new().local(net.paths[1].client_v4);
                        let open = |_| subflows::open(&pair.client, &options).unwrap().id;
                        (0..MANY / 20).map(open).collect::<Vec<_>>()
                    })
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    net.client.run(|| {
        for id in [ids[0], ids[MANY / 2], ids[MANY - 1]] {
            subflows::set_option(&pair.client, id, SubflowOption::Mark, id).unwrap();
        }
        for id in &ids {
            let mark = subflows::options(&pair.client, *id).unwrap().mark;
            let is_set = [ids[0], ids[MANY / 2], ids[MANY - 1]].contains(id);
            assert_eq!(mark, Some(if is_set { *id } else { 0 }));
        }
    });
}
