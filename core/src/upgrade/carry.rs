//! The options that `upgrade` carries from a TCP socket to the Multipath TCP socket that takes its
//! place, and those that it must refuse.
//!
//! What a Multipath TCP socket takes: `net/mptcp/sockopt.c`, `mptcp_setsockopt`.

use std::os::fd::{AsFd, BorrowedFd};

use crate::connect::os;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::socket;

const IP_LOCAL_PORT_RANGE: i32 = 51;
const IPV6_FREEBIND: i32 = 78;
const TCP_INQ: i32 = 36;

/// Which sockets have an option.
#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    Both,
    V6,
}

/// How an option is set again from what was read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Set {
    /// By the same bytes.
    Same,
    /// The kernel doubles a buffer's size when it is set.
    Half,
}

struct Opt {
    name: &'static str,
    level: i32,
    number: i32,
    on: On,
    set: Set,
}

const fn opt(name: &'static str, level: i32, number: i32) -> Opt {
    Opt { name, level, number, on: On::Both, set: Set::Same }
}

const fn on_v6(name: &'static str, number: i32) -> Opt {
    Opt { name, level: libc::IPPROTO_IPV6, number, on: On::V6, set: Set::Same }
}

const fn buffer(name: &'static str, number: i32) -> Opt {
    Opt { name, level: libc::SOL_SOCKET, number, on: On::Both, set: Set::Half }
}

const SOCKET: i32 = libc::SOL_SOCKET;
const IP: i32 = libc::IPPROTO_IP;
const TCP: i32 = libc::IPPROTO_TCP;

/// Carried, and read back.
const CARRIED: &[Opt] = &[
    opt("SO_REUSEADDR", SOCKET, libc::SO_REUSEADDR),
    opt("SO_REUSEPORT", SOCKET, libc::SO_REUSEPORT),
    opt("SO_KEEPALIVE", SOCKET, libc::SO_KEEPALIVE),
    opt("SO_LINGER", SOCKET, libc::SO_LINGER),
    opt("SO_PRIORITY", SOCKET, libc::SO_PRIORITY),
    opt("SO_MARK", SOCKET, libc::SO_MARK),
    opt("SO_RCVLOWAT", SOCKET, libc::SO_RCVLOWAT),
    opt("SO_RCVTIMEO", SOCKET, libc::SO_RCVTIMEO),
    opt("SO_SNDTIMEO", SOCKET, libc::SO_SNDTIMEO),
    buffer("SO_SNDBUF", libc::SO_SNDBUF),
    buffer("SO_RCVBUF", libc::SO_RCVBUF),
    opt("SO_BINDTODEVICE", SOCKET, libc::SO_BINDTODEVICE),
    opt("SO_INCOMING_CPU", SOCKET, libc::SO_INCOMING_CPU),
    opt("SO_BUSY_POLL", SOCKET, libc::SO_BUSY_POLL),
    opt("IP_TOS", IP, libc::IP_TOS),
    opt("IP_FREEBIND", IP, libc::IP_FREEBIND),
    opt("IP_TRANSPARENT", IP, libc::IP_TRANSPARENT),
    opt("IP_BIND_ADDRESS_NO_PORT", IP, libc::IP_BIND_ADDRESS_NO_PORT),
    opt("IP_LOCAL_PORT_RANGE", IP, IP_LOCAL_PORT_RANGE),
    on_v6("IPV6_V6ONLY", libc::IPV6_V6ONLY),
    on_v6("IPV6_TRANSPARENT", libc::IPV6_TRANSPARENT),
    on_v6("IPV6_FREEBIND", IPV6_FREEBIND),
    opt("TCP_CONGESTION", TCP, libc::TCP_CONGESTION),
    opt("TCP_NODELAY", TCP, libc::TCP_NODELAY),
    opt("TCP_CORK", TCP, libc::TCP_CORK),
    opt("TCP_KEEPIDLE", TCP, libc::TCP_KEEPIDLE),
    opt("TCP_KEEPINTVL", TCP, libc::TCP_KEEPINTVL),
    opt("TCP_KEEPCNT", TCP, libc::TCP_KEEPCNT),
    opt("TCP_NOTSENT_LOWAT", TCP, libc::TCP_NOTSENT_LOWAT),
    opt("TCP_INQ", TCP, TCP_INQ),
    opt("TCP_FASTOPEN_CONNECT", TCP, libc::TCP_FASTOPEN_CONNECT),
    opt("TCP_DEFER_ACCEPT", TCP, libc::TCP_DEFER_ACCEPT),
    opt("TCP_FASTOPEN", TCP, libc::TCP_FASTOPEN),
    opt("TCP_MAXSEG", TCP, libc::TCP_MAXSEG),
];

/// Multipath TCP does not have these: refused where they were changed.
const REFUSED: &[Opt] = &[
    opt("SO_MAX_PACING_RATE", SOCKET, libc::SO_MAX_PACING_RATE),
    opt("SO_ZEROCOPY", SOCKET, libc::SO_ZEROCOPY),
    opt("SO_OOBINLINE", SOCKET, libc::SO_OOBINLINE),
    opt("SO_PEEK_OFF", SOCKET, libc::SO_PEEK_OFF),
    opt("SO_ATTACH_FILTER", SOCKET, libc::SO_ATTACH_FILTER),
    opt("SO_LOCK_FILTER", SOCKET, libc::SO_LOCK_FILTER),
    opt("SO_TIMESTAMP", SOCKET, libc::SO_TIMESTAMP),
    opt("SO_TIMESTAMPNS", SOCKET, libc::SO_TIMESTAMPNS),
    opt("SO_TIMESTAMPING", SOCKET, libc::SO_TIMESTAMPING),
    opt("IP_TTL", IP, libc::IP_TTL),
    opt("IP_MINTTL", IP, libc::IP_MINTTL),
    opt("IP_MTU_DISCOVER", IP, libc::IP_MTU_DISCOVER),
    opt("IP_RECVERR", IP, libc::IP_RECVERR),
    opt("IP_OPTIONS", IP, libc::IP_OPTIONS),
    opt("IP_UNICAST_IF", IP, libc::IP_UNICAST_IF),
    on_v6("IPV6_TCLASS", libc::IPV6_TCLASS),
    on_v6("IPV6_UNICAST_HOPS", libc::IPV6_UNICAST_HOPS),
    on_v6("IPV6_MTU_DISCOVER", libc::IPV6_MTU_DISCOVER),
    on_v6("IPV6_RECVERR", libc::IPV6_RECVERR),
    opt("TCP_USER_TIMEOUT", TCP, libc::TCP_USER_TIMEOUT),
    opt("TCP_SYNCNT", TCP, libc::TCP_SYNCNT),
    opt("TCP_LINGER2", TCP, libc::TCP_LINGER2),
    opt("TCP_WINDOW_CLAMP", TCP, libc::TCP_WINDOW_CLAMP),
    opt("TCP_SAVE_SYN", TCP, libc::TCP_SAVE_SYN),
    opt("TCP_QUICKACK", TCP, libc::TCP_QUICKACK),
    opt("TCP_THIN_LINEAR_TIMEOUTS", TCP, libc::TCP_THIN_LINEAR_TIMEOUTS),
    opt("TCP_ULP", TCP, libc::TCP_ULP),
];

/// Longer than any option above.
const LONGEST: usize = 64;

/// Carries every option of `old` that was changed to `new`, and proves it by reading it back.
pub(crate) fn carry(
    old: BorrowedFd<'_>,
    new: BorrowedFd<'_>,
    family: i32,
    operation: &'static str,
) -> Result<()> {
    let fresh = socket::new(family, libc::SOCK_STREAM, libc::IPPROTO_TCP)
        .map_err(|error| os(operation, &error))?;
    let applies = |opt: &&Opt| opt.on == On::Both || family == libc::AF_INET6;
    for opt in REFUSED.iter().filter(applies) {
        if read(old, opt) != read(fresh.as_fd(), opt) {
            return Err(refusal(opt, operation));
        }
    }
    for opt in CARRIED.iter().filter(applies) {
        let wanted = read(old, opt);
        if wanted == read(new, opt) {
            continue;
        }
        let is_default = wanted == read(fresh.as_fd(), opt);
        if let Some(value) = &wanted {
            set(new, opt, value);
        }
        // A default that differs between the two protocols is not something that was set.
        if wanted != read(new, opt) && !is_default {
            return Err(refusal(opt, operation));
        }
    }
    Ok(())
}

fn refusal(opt: &Opt, operation: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, operation)
        .detail(format!("{} was set, and Multipath TCP cannot take it over", opt.name))
        .with_remedy(format!("Leave {} as it is, or use plain TCP.", opt.name))
}

/// `None` where the socket does not have the option.
fn read(sock: BorrowedFd<'_>, opt: &Opt) -> Option<Vec<u8>> {
    let mut value = vec![0u8; LONGEST];
    let length = socket::get_bytes(sock, opt.level, opt.number, &mut value).ok()?;
    value.truncate(length);
    Some(value)
}

/// Whether it worked, reading back will tell.
fn set(sock: BorrowedFd<'_>, opt: &Opt, value: &[u8]) {
    let half = match (opt.set, <[u8; 4]>::try_from(value)) {
        (Set::Half, Ok(bytes)) => Some(i32::from_ne_bytes(bytes) / 2),
        _ => None,
    };
    let Some(half) = half else {
        let _ = socket::set_bytes(sock, opt.level, opt.number, value);
        return;
    };
    let force = match opt.number {
        libc::SO_SNDBUF => libc::SO_SNDBUFFORCE,
        _ => libc::SO_RCVBUFFORCE,
    };
    // What was set with the right to exceed the limit can be set again only with it.
    if socket::set_i32(sock, opt.level, force, half).is_err() {
        let _ = socket::set_i32(sock, opt.level, opt.number, half);
    }
}
