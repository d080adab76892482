//! A filter that lets through the path manager's events of one connection only.

use std::io;
use std::mem::size_of_val;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::socket::{self, check};
use super::uapi::pm;

/// Where the attributes of a message of generic netlink begin: after both headers.
const ATTRIBUTES: u32 = 20;

/// Attaches the filter, which cannot be removed or replaced afterwards. `family` is the number of `mptcp_pm`.
///
/// The kernel runs it on every message before the socket receives it. It passes a message of that family
/// whose attribute TOKEN has the value, in the byte order in which the kernel wrote it.
pub(super) fn attach(netlink: BorrowedFd<'_>, family: u16, token: u32) -> io::Result<()> {
    // The machine of the filter loads numbers in network order.
    let family = u32::from(u16::from_be_bytes(family.to_ne_bytes()));
    let token = u32::from_be_bytes(token.to_ne_bytes());
    let load = |size: u32, from: u32, at: i32| step(libc::BPF_LD | size | from, 0, 0, at as u32);
    let unless = |value: u32, skipped: u8| step(libc::BPF_JMP | libc::BPF_JEQ, 0, skipped, value);
    let mut program = [
        // The kind of the message is the number of its family.
        load(libc::BPF_H, libc::BPF_ABS, 4),
        unless(family, 8),
        // A becomes the place of the attribute, or 0.
        step(libc::BPF_LD | libc::BPF_IMM, 0, 0, ATTRIBUTES),
        step(libc::BPF_LDX | libc::BPF_IMM, 0, 0, u32::from(pm::EVENT_ATTR_TOKEN)),
        load(libc::BPF_W, libc::BPF_ABS, libc::SKF_AD_OFF + libc::SKF_AD_NLATTR),
        step(libc::BPF_JMP | libc::BPF_JEQ, 4, 0, 0),
        step(libc::BPF_MISC | libc::BPF_TAX, 0, 0, 0),
        load(libc::BPF_W, libc::BPF_IND, 4),
        unless(token, 1),
        step(libc::BPF_RET, 0, 0, u32::MAX),
        step(libc::BPF_RET, 0, 0, 0),
    ];
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    let (pointer, length) = (&raw const program, size_of_val(&program) as libc::socklen_t);
    let (level, option) = (libc::SOL_SOCKET, libc::SO_ATTACH_FILTER);
    // SAFETY: the pointer and the length describe `program`, which leads to an array of that many steps;
    // the kernel copies both.
    check(unsafe { libc::setsockopt(netlink.as_raw_fd(), level, option, pointer.cast(), length) })?;
    socket::set_i32(netlink, libc::SOL_SOCKET, libc::SO_LOCK_FILTER, 1)
}

fn step(code: u32, yes: u8, no: u8, value: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: yes, jf: no, k: value }
}
