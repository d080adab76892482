//! Every option is carried over, or the error names it.

use std::io;
use std::os::fd::OwnedFd;

use subflows::ErrorKind;
use subflows_lab::{Namespace, skip, skip_unless_ready};

use super::common::raw;
use super::table::{Case, carried, is_of, refused};
use super::{LOOPBACK, MPTCP, family, listen, protocol, tcp, use_it};

const FAMILIES: [i32; 2] = [libc::AF_INET, libc::AF_INET6];

fn read(sock: &OwnedFd, case: &Case) -> Option<Vec<u8>> {
    raw::get(sock, case.level, case.number).ok()
}

/// Options that are set by one name and read by another.
fn read_as(case: &Case) -> Case {
    let number = match case.name {
        "SO_SNDBUFFORCE" => libc::SO_SNDBUF,
        "SO_RCVBUFFORCE" => libc::SO_RCVBUF,
        _ => case.number,
    };
    Case { number, ..*case }
}

/// Whether the kernel does not know the option, or not for TCP.
fn is_lacking(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOPROTOOPT | libc::EOPNOTSUPP))
}

/// Sets the option to the value in the table; returns whether this process may do that.
fn set(sock: &OwnedFd, case: &Case) -> bool {
    match raw::set(sock, case.level, case.number, case.value) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            skip(&format!("{} may be set by the system's root only", case.name));
            false
        }
        Err(error) if is_lacking(&error) => {
            skip(&format!("this kernel has no {}", case.name));
            false
        }
        result => {
            result.expect(case.name);
            true
        }
    }
}

/// Whether Multipath TCP sockets of this kernel can have the option.
fn is_offered(family: i32, case: &Case) -> bool {
    let [tcp, mptcp] = [tcp(family), raw::socket(family, libc::SOCK_STREAM, MPTCP).unwrap()];
    let buffer = |sock| raw::get_i32(sock, libc::SOL_SOCKET, libc::SO_RCVBUF).unwrap();
    let set =
        [&tcp, &mptcp].map(|sock| raw::set(sock, case.level, case.number, case.value).is_ok());
    match set {
        // It enlarges the buffer, which otherwise could not hold as much.
        [true, true] if case.name == "SO_RCVLOWAT" => buffer(&tcp) <= buffer(&mptcp),
        [is_set, is_offered] => is_offered || !is_set,
    }
}

#[test]
fn what_was_set_is_carried() {
    skip_unless_ready!();
    let _inside = Namespace::new().unwrap().enter().unwrap();
    for family in FAMILIES {
        for case in carried().iter().filter(|case| is_of(case, family)) {
            let (sock, shown) = (tcp(family), read_as(case));
            let default = read(&sock, &shown);
            if !set(&sock, case) {
                continue;
            }
            let wanted = read(&sock, &shown);
            assert_ne!(wanted, default, "{} is not changed by this value", case.name);
            let result = subflows::upgrade(&sock);
            if result.is_err() && !is_offered(family, case) {
                skip(&format!("this kernel's Multipath TCP sockets have no {}", case.name));
                refuses(&sock, case.name);
                continue;
            }
            result.expect(case.name);
            assert_eq!(protocol(&sock), MPTCP);
            assert_eq!(read(&sock, &shown), wanted, "{}", case.name);
        }
    }
}

/// In the order of the table and in reverse, because some options change others: the final values
/// count.
#[test]
fn all_at_once_are_carried() {
    skip_unless_ready!();
    let _inside = Namespace::new().unwrap().enter().unwrap();
    for family in FAMILIES {
        // The test above names those that this kernel does not offer.
        let is_carried = |case: &&Case| {
            let sock = tcp(family);
            raw::set(&sock, case.level, case.number, case.value).is_err()
                || subflows::upgrade(&sock).is_ok()
                || is_offered(family, case)
        };
        let all = carried();
        let cases = all.iter().filter(|case| is_of(case, family)).filter(is_carried);
        let cases: Vec<&Case> = cases.collect();
        let backwards: Vec<&Case> = cases.iter().rev().copied().collect();
        for order in [cases, backwards] {
            let sock = tcp(family);
            for case in &order {
                set(&sock, case);
            }
            let wanted: Vec<_> = order.iter().map(|case| read(&sock, &read_as(case))).collect();
            subflows::upgrade(&sock).unwrap();
            assert_eq!(protocol(&sock), MPTCP);
            for (case, wanted) in order.iter().zip(wanted) {
                assert_eq!(read(&sock, &read_as(case)), wanted, "{}", case.name);
            }
        }
    }
}

#[test]
fn what_cannot_be_carried_is_refused_by_name() {
    skip_unless_ready!();
    let _inside = Namespace::new().unwrap().enter().unwrap();
    for ip in LOOPBACK {
        for case in refused().iter().filter(|case| is_of(case, family(ip))) {
            let sock = tcp(family(ip));
            let default = read(&sock, case);
            // On IPv6 sockets IP_MULTICAST_ALL is off from the start.
            let is_default = default.as_deref() == Some(case.value);
            let value = if is_default { &1i32.to_ne_bytes() } else { case.value };
            match raw::set(&sock, case.level, case.number, value) {
                Err(error) if is_lacking(&error) => {
                    skip(&format!("this kernel has no {}", case.name));
                    continue;
                }
                result => result.expect(case.name),
            }
            let wanted = read(&sock, case);
            assert_ne!(wanted, default, "{} is not changed by this value", case.name);
            refuses(&sock, case.name);
            assert_eq!(read(&sock, case), wanted, "{}", case.name);
            // These cannot connect: a header before a route that is missing, and repair mode.
            if !["IPV6_RTHDRDSTOPTS", "TCP_REPAIR"].contains(&case.name) {
                let pair = use_it(sock, &listen(tcp(family(ip)), ip));
                assert_eq!(protocol(&pair.client), libc::IPPROTO_TCP);
            }
        }
    }
}

#[track_caller]
fn refuses(sock: &OwnedFd, name: &str) {
    let error = subflows::upgrade(sock).expect_err(name);
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{name}: {error}");
    assert!(error.to_string().contains(name), "{name} is not named: {error}");
    assert_eq!(protocol(sock), libc::IPPROTO_TCP, "{name}");
}

/// A size that was set and then released for the kernel to change: a Multipath TCP socket cannot
/// have one.
#[test]
fn a_size_that_was_set_and_freed_is_refused() {
    skip_unless_ready!();
    let _inside = Namespace::new().unwrap().enter().unwrap();
    for family in FAMILIES {
        let sock = tcp(family);
        raw::set_i32(&sock, libc::SOL_SOCKET, libc::SO_RCVBUF, 20_000).unwrap();
        raw::set_i32(&sock, libc::SOL_SOCKET, libc::SO_BUF_LOCK, 0).unwrap();
        refuses(&sock, "SO_BUF_LOCK");
        assert_eq!(raw::get_i32(&sock, libc::SOL_SOCKET, libc::SO_RCVBUF).unwrap(), 40_000);
        raw::set_i32(&sock, libc::SOL_SOCKET, libc::SO_BUF_LOCK, 2).unwrap();
        subflows::upgrade(&sock).unwrap();
        assert_eq!(raw::get_i32(&sock, libc::SOL_SOCKET, libc::SO_RCVBUF).unwrap(), 40_000);
    }
}

/// The kernel counts filters in instructions: a buffer of bytes would be overrun by a long one.
#[test]
fn a_filter_of_any_length_is_refused() {
    skip_unless_ready!();
    let _inside = Namespace::new().unwrap().enter().unwrap();
    for ip in LOOPBACK {
        for length in [1, 7, 8, 9, 63, 64, 65, 4096u16] {
            let sock = tcp(family(ip));
            // Each of them accepts everything.
            let accept = libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: u32::MAX };
            let program = vec![accept; usize::from(length)];
            // `struct sock_fprog`: the length, padding, a pointer.
            let mut filter = [0u8; 2 * size_of::<usize>()];
            filter[..2].copy_from_slice(&length.to_ne_bytes());
            filter[size_of::<usize>()..].copy_from_slice(&program.as_ptr().addr().to_ne_bytes());
            match raw::set(&sock, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &filter) {
                // By net.core.optmem_max, which is smaller before Linux 6.7.
                Err(error) if error.kind() == io::ErrorKind::OutOfMemory && length > 1000 => {
                    skip(&format!("this kernel attaches no filter of {length} instructions"));
                    continue;
                }
                attached => attached.unwrap(),
            }
            refuses(&sock, "SO_ATTACH_FILTER");
            use_it(sock, &listen(tcp(family(ip)), ip));
        }
    }
}

const LEVELS: [(i32, i32); 4] = [
    (libc::SOL_SOCKET, 128),
    (libc::IPPROTO_IP, 96),
    (libc::IPPROTO_IPV6, 96),
    (libc::IPPROTO_TCP, 64),
];

/// Reading these has a side effect, or its result differs from socket to socket and from call to
/// call.
const NOT_ASKED: [(i32, i32); 6] = [
    (libc::SOL_SOCKET, libc::SO_ERROR),
    (libc::SOL_SOCKET, libc::SO_COOKIE),
    (libc::SOL_SOCKET, libc::SO_MEMINFO),
    (libc::IPPROTO_TCP, libc::TCP_INFO),
    (libc::IPPROTO_TCP, libc::TCP_TIMESTAMP),
    (libc::IPPROTO_TCP, libc::TCP_ZEROCOPY_RECEIVE),
];

/// All options that this kernel may have, whether the library knows them or not.
fn every_option() -> impl Iterator<Item = (i32, i32)> {
    let numbers = |(level, end)| (1..end).map(move |number| (level, number));
    LEVELS.into_iter().flat_map(numbers).filter(|option| !NOT_ASKED.contains(option))
}

type Shown = Vec<((i32, i32), Option<Vec<u8>>)>;

fn all_shown(sock: &OwnedFd) -> Shown {
    every_option().map(|(level, name)| ((level, name), raw::get(sock, level, name).ok())).collect()
}

fn values() -> Vec<Vec<u8>> {
    let numbers = [1, 0, 2, 3, 5, 10, 100, 1000, 5000, 100_000, -1, 16_777_216];
    let mut values: Vec<Vec<u8>> = numbers.iter().map(|n: &i32| n.to_ne_bytes().to_vec()).collect();
    values.extend([4, 8, 12, 20].map(|length| vec![0u8; length]));
    values.extend([[1u8, 0, 0, 0, 7, 0, 0, 0].to_vec(), [1u8; 8].to_vec(), [9u8; 16].to_vec()]);
    values.push(vec![3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    values
}

/// Every option that a program can set on a TCP socket and read back has the same value afterwards,
/// or `upgrade` has failed. This also covers options that are in no list.
#[test]
fn nothing_that_can_be_read_back_is_lost() {
    skip_unless_ready!();
    let _inside = Namespace::new().unwrap().enter().unwrap();
    let names = [libc::TCP_CONGESTION, libc::TCP_ULP].map(|name| (libc::IPPROTO_TCP, name));
    for family in FAMILIES {
        let fresh = all_shown(&tcp(family));
        let (mut carried, mut refused) = (0, 0);
        // The two options whose values are names would make the kernel look for modules of any
        // name.
        for (level, name) in every_option().filter(|option| !names.contains(option)) {
            for value in values() {
                let sock = tcp(family);
                if raw::set(&sock, level, name, &value).is_err() {
                    continue;
                }
                let before = all_shown(&sock);
                if before == fresh {
                    continue;
                }
                let result = subflows::upgrade(&sock);
                let after = all_shown(&sock);
                if let Err(error) = result {
                    assert_eq!(error.kind(), ErrorKind::Unsupported, "{level} {name}: {error}");
                    assert_eq!(after, before, "{level} {name} {value:?}");
                    refused += 1;
                    continue;
                }
                assert_eq!(protocol(&sock), MPTCP);
                for ((was, default), is) in before.iter().zip(&fresh).zip(&after) {
                    // What the kernel derives from the option, and what Multipath TCP does not
                    // report: since 7.2, TCP_WINDOW_CLAMP of SO_RCVBUF.
                    let is_derived = was.0 != (level, name) && is.1.is_none();
                    let lost = was != default && is != was && !is_derived;
                    assert!(!lost, "{level} {name} {value:?}: {was:?} became {is:?}");
                }
                carried += 1;
            }
        }
        assert!(carried > 50 && refused > 50, "{carried} carried, {refused} refused");
    }
}
