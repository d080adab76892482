//! Options that TCP sockets have and Multipath TCP sockets lack, and without which a program works as well.
//!
//! And one that Multipath TCP sockets have, and that does harm: with `TCP_DEFER_ACCEPT`, a listener waits for data on each
//! further subflow of a client as well. No data comes on a subflow that has not joined, so each join takes as long as the option allows.
//!
//! Not among them is what a program relies on for its security or its data: `TCP_ULP` (encryption in the kernel),
//! `TCP_MD5SIG` and `TCP_AO` (authentication), filters and `IP_MINTTL` (what is let in), `IP_TTL` and
//! `IPV6_UNICAST_HOPS` (how far it goes), `SO_ZEROCOPY` (the program then waits for notices that never come),
//! `SO_OOBINLINE` (unless it stays off), `SO_PEEK_OFF` and `TCP_REPAIR` (which data it reads). Those fail as without this
//! library, and programs do without them.

use std::ffi::c_int;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

use libc::{
    EINVAL, ENOPROTOOPT, EOPNOTSUPP, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_MPTCP, IPPROTO_TCP,
    SOL_SOCKET,
};

use crate::next;

/// An option, the values that TCP accepts, and that of a new socket.
struct Soft {
    level: c_int,
    option: c_int,
    range: (c_int, c_int),
    default: c_int,
}

const ANY: (c_int, c_int) = (c_int::MIN, c_int::MAX);

macro_rules! soft {
    ($($level:ident $option:ident = $default:literal, $range:expr;)*) => {
        &[$(Soft { level: $level, option: libc::$option, range: $range, default: $default },)*]
    };
}

/// The ranges are those of the kernel's `do_tcp_setsockopt`, `do_ip_setsockopt` and `do_ipv6_setsockopt`.
static SOFT: &[Soft] = soft! {
    SOL_SOCKET SO_MAX_PACING_RATE = -1, ANY;
    SOL_SOCKET SO_OOBINLINE = 0, (0, 0);
    SOL_SOCKET SO_REUSEADDR = 0, ANY;
    SOL_SOCKET SO_REUSEPORT = 0, ANY;
    IPPROTO_TCP TCP_SYNCNT = 6, (1, 127);
    IPPROTO_TCP TCP_LINGER2 = 60, ANY;
    IPPROTO_TCP TCP_DEFER_ACCEPT = 0, ANY;
    IPPROTO_TCP TCP_WINDOW_CLAMP = 0, (0, c_int::MAX);
    IPPROTO_TCP TCP_QUICKACK = 1, ANY;
    IPPROTO_TCP TCP_THIN_LINEAR_TIMEOUTS = 0, (0, 1);
    IPPROTO_TCP TCP_THIN_DUPACK = 0, (0, 1);
    IPPROTO_TCP TCP_USER_TIMEOUT = 0, (0, c_int::MAX);
    IPPROTO_IP IP_PKTINFO = 0, ANY;
    IPPROTO_IP IP_MTU_DISCOVER = 1, (0, 5);
    IPPROTO_IP IP_RECVERR = 0, ANY;
    IPPROTO_IP IP_RECVTTL = 0, ANY;
    IPPROTO_IP IP_RECVTOS = 0, ANY;
    IPPROTO_IPV6 IPV6_MTU_DISCOVER = 1, (0, 5);
    IPPROTO_IPV6 IPV6_RECVERR = 0, ANY;
    IPPROTO_IPV6 IPV6_RECVPKTINFO = 0, ANY;
    IPPROTO_IPV6 IPV6_DONTFRAG = 0, ANY;
    IPPROTO_IPV6 IPV6_RECVTCLASS = 0, ANY;
    IPPROTO_IPV6 IPV6_FLOWINFO_SEND = 0, ANY;
    IPPROTO_IPV6 IPV6_TCLASS = 0, (-1, 255);
};
const COUNT: usize = 24;
const _: () = assert!(SOFT.len() == COUNT);

/// What was set on one descriptor: the cookie of its socket, a bit for each option that was set, and the values.
struct Remembered {
    cookie: AtomicU64,
    set: AtomicU32,
    values: [AtomicI32; COUNT],
}

/// Descriptors beyond these have their options softened too, but not remembered.
const DESCRIPTORS: usize = 16_384;
static REMEMBERED: [Remembered; DESCRIPTORS] = [const {
    Remembered {
        cookie: AtomicU64::new(0),
        set: AtomicU32::new(0),
        values: [const { AtomicI32::new(0) }; COUNT],
    }
}; DESCRIPTORS];

/// A new socket has this descriptor.
pub(crate) fn forget(fd: c_int) {
    if let Some(remembered) = of(fd) {
        remembered.cookie.store(0, Ordering::Relaxed);
    }
}

/// Whether the kernel's error means that Multipath TCP sockets lack an option.
pub(crate) fn is_lack(error: c_int) -> bool {
    [EOPNOTSUPP, ENOPROTOOPT].contains(&error)
}

/// Reports whether the kernel is not to know that an option was set.
pub(crate) fn is_withheld(fd: c_int, level: c_int, option: c_int) -> bool {
    (level, option) == (IPPROTO_TCP, libc::TCP_DEFER_ACCEPT) && is_mptcp(fd)
}

/// Reports whether an option that could not be set, by this error, is one to soften.
pub(crate) fn may_soften(fd: c_int, level: c_int, option: c_int, error: c_int) -> bool {
    // Sockets that are connected do not accept the two that decide about binding, which matter no more.
    let is_late = level == SOL_SOCKET && error == EINVAL;
    find(level, option).is_some() && (is_lack(error) || is_late) && is_mptcp(fd)
}

/// Remembers the value of an option that is to be softened. Fails as TCP would for a value that it does not accept.
pub(crate) fn set(fd: c_int, level: c_int, option: c_int, value: c_int) -> Result<(), c_int> {
    let Some(index) = find(level, option) else { return Err(ENOPROTOOPT) };
    let (least, most) = SOFT[index].range;
    if !(least..=most).contains(&value) {
        // TCP accepts all values of these, and the kernel has refused this one.
        return Err(if level == SOL_SOCKET { EOPNOTSUPP } else { EINVAL });
    }
    if let (Some(remembered), Some(cookie)) = (of(fd), cookie(fd)) {
        if remembered.cookie.swap(cookie, Ordering::Relaxed) != cookie {
            remembered.set.store(0, Ordering::Relaxed);
        }
        remembered.values[index].store(value, Ordering::Relaxed);
        remembered.set.fetch_or(1 << index, Ordering::Relaxed);
    }
    Ok(())
}

/// The value of an option that was softened. `is_known`: the kernel has answered. `None`: its answer stands.
pub(crate) fn get(fd: c_int, level: c_int, option: c_int, is_known: bool) -> Option<c_int> {
    let index = find(level, option)?;
    let remembered = of(fd).filter(|one| {
        one.set.load(Ordering::Relaxed) & (1 << index) != 0
            && Some(one.cookie.load(Ordering::Relaxed)) == cookie(fd)
    });
    match remembered {
        Some(one) => Some(one.values[index].load(Ordering::Relaxed)),
        None => (!is_known && is_mptcp(fd)).then_some(SOFT[index].default),
    }
}

/// Sets the options that are remembered of a socket on the TCP socket that replaces it.
pub(crate) fn carry(from: c_int, to: c_int) {
    let Some(remembered) = of(from) else { return };
    if Some(remembered.cookie.load(Ordering::Relaxed)) != cookie(from) {
        return;
    }
    let set = remembered.set.load(Ordering::Relaxed);
    let is_set = |(index, _): &(usize, _)| set & (1 << index) != 0;
    for (index, soft) in SOFT.iter().enumerate().filter(is_set) {
        let value = remembered.values[index].load(Ordering::Relaxed);
        let pointer: *const c_int = &value;
        let size = size_of::<c_int>() as libc::socklen_t;
        // SAFETY: the pointer has as many bytes.
        unsafe { next::setsockopt(to, soft.level, soft.option, pointer.cast(), size) };
    }
}

fn find(level: c_int, option: c_int) -> Option<usize> {
    SOFT.iter().position(|soft| (soft.level, soft.option) == (level, option))
}

fn of(fd: c_int) -> Option<&'static Remembered> {
    REMEMBERED.get(usize::try_from(fd).ok()?)
}

/// Reports whether a descriptor is that of a Multipath TCP socket, also after a fallback.
pub(crate) fn is_mptcp(fd: c_int) -> bool {
    number::<c_int>(fd, SOL_SOCKET, libc::SO_PROTOCOL) == Some(IPPROTO_MPTCP)
}

/// The cookie by which the kernel identifies the socket.
pub(crate) fn cookie(fd: c_int) -> Option<u64> {
    number(fd, SOL_SOCKET, libc::SO_COOKIE)
}

/// The value of an option, or its first bytes. `None` if there is none.
pub(crate) fn number<T: Default + Copy>(fd: c_int, level: c_int, option: c_int) -> Option<T> {
    let mut number = T::default();
    let mut length = size_of::<T>() as libc::socklen_t;
    let pointer: *mut T = &mut number;
    // SAFETY: the pointer has as many bytes as the length.
    let result = unsafe { next::getsockopt(fd, level, option, pointer.cast(), &mut length) };
    (result == 0).then_some(number)
}
