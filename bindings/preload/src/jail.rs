//! Programs that may not use TCP, by rules that know TCP sockets only, and would let Multipath TCP through: Landlock's,
//! filters of socket(2) by seccomp, and BPF programs of the control group that watch sockets being made. Those that watch
//! connect(2) and bind(2) see Multipath TCP as TCP, because the kernel calls them for the subflow.

use std::ffi::c_int;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};

use libc::{AF_INET, AF_INET6, EACCES, SOCK_CLOEXEC, SOCK_STREAM, sockaddr, socklen_t};

use crate::{memory, next, soften};

/// Whether the program may make TCP sockets of this family. Tested once, but at each call of a program that may have
/// confined itself since.
pub(crate) fn may_make_tcp(family: c_int) -> bool {
    static IS_KNOWN: [AtomicBool; 2] = [const { AtomicBool::new(false) }; 2];
    let known = &IS_KNOWN[usize::from(family == AF_INET6)];
    if known.load(Ordering::Relaxed) && !may_be_confined() {
        return true;
    }
    // SAFETY: no pointer is passed.
    let probe = unsafe { next::socket(family, SOCK_STREAM | SOCK_CLOEXEC, libc::IPPROTO_TCP) };
    if probe < 0 {
        return false;
    }
    // SAFETY: the descriptor is this function's.
    unsafe { next::close_own(probe) };
    known.store(true, Ordering::Relaxed);
    true
}

/// The error with which a TCP socket could not connect there. `None`: nothing forbids it.
///
/// A TCP socket is connected to the same port of an address that no socket connects to, after the rules have been
/// asked: broadcast, or multicast. No segment is sent.
pub(crate) fn refusal(fd: c_int, address: *const sockaddr, length: socklen_t) -> Option<c_int> {
    if !may_be_confined() || !soften::is_mptcp(fd) {
        return None;
    }
    let mut head = [0u8; 4];
    if (length as usize) < head.len() || !memory::read(address.cast(), &mut head) {
        return None;
    }
    let family = c_int::from(u16::from_ne_bytes([head[0], head[1]]));
    let port = u16::from_ne_bytes([head[2], head[3]]);
    match family {
        AF_INET => {
            // SAFETY: all bytes may be zero.
            let mut to: libc::sockaddr_in = unsafe { mem::zeroed() };
            to.sin_family = family as libc::sa_family_t;
            to.sin_port = port;
            to.sin_addr.s_addr = u32::MAX;
            is_refused(family, &to)
        }
        AF_INET6 => {
            // SAFETY: all bytes may be zero.
            let mut to: libc::sockaddr_in6 = unsafe { mem::zeroed() };
            to.sin6_family = family as libc::sa_family_t;
            to.sin6_port = port;
            to.sin6_addr.s6_addr[0] = 0xff;
            is_refused(family, &to)
        }
        _ => None,
    }
}

/// Landlock and seccomp require it, except of a process with `CAP_SYS_ADMIN`; the libraries that use Landlock set it always.
fn may_be_confined() -> bool {
    // SAFETY: no pointer is passed.
    unsafe { libc::prctl(libc::PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 }
}

fn is_refused<T>(family: c_int, to: &T) -> Option<c_int> {
    // SAFETY: no pointer is passed.
    let probe = unsafe { next::socket(family, SOCK_STREAM | SOCK_CLOEXEC, libc::IPPROTO_TCP) };
    if probe < 0 {
        return None;
    }
    let pointer: *const T = to;
    // By the system call, which is not a cancellation point. SAFETY: the pointer has as many bytes.
    let result = unsafe { libc::syscall(libc::SYS_connect, probe, pointer, size_of::<T>()) };
    let is_denied = result < 0 && crate::errno::get() == EACCES;
    // SAFETY: the descriptor is this function's.
    unsafe { next::close_own(probe) };
    is_denied.then_some(EACCES)
}
