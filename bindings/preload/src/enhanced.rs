//! The options of the enhanced socket API of 2016, which `subflows run --enhanced` answers.

use std::ffi::{CStr, c_int, c_void};
use std::mem;

use libc::{EBADF, EFAULT, EINVAL, ENOPROTOOPT, EOPNOTSUPP, IPPROTO_TCP, socklen_t};
use subflows_enhanced::layout::{self, SubGetsockopt, SubSetsockopt};
use subflows_run::{Answer, Request, Value};

use crate::agent::ask;
use crate::{settings, soften, steer};

/// Answers getsockopt(2). `None` for other options.
///
/// # Safety
/// `length` is NULL, or points to the number of bytes at `value`.
pub(crate) unsafe fn get(
    fd: c_int,
    level: c_int,
    option: c_int,
    value: *mut c_void,
    length: *mut socklen_t,
) -> Option<Result<(), c_int>> {
    let agent = of(level, option)?;
    if value.is_null() || length.is_null() {
        return Some(Err(EFAULT));
    }
    // SAFETY: as the caller promised.
    let room = unsafe { length.read_unaligned() };
    if !soften::is_mptcp(fd) {
        return Some(Err(other(fd)));
    }
    if option == layout::SUB_GETSOCKOPT {
        if room as usize != mem::size_of::<SubGetsockopt>() {
            return Some(Err(EINVAL));
        }
        // SAFETY: there are as many bytes.
        let request = unsafe { value.cast::<SubGetsockopt>().read_unaligned() };
        let SubGetsockopt { id, level, option, value, length } = request;
        if value.is_null() || length.is_null() {
            return Some(Err(EFAULT));
        }
        // SAFETY: as the caller promised.
        let room = unsafe { length.read_unaligned() };
        let answer = asked(agent, fd, Request::GetOfSubflow { id, level, option, room });
        // SAFETY: as the caller promised.
        return Some(answer.map(|answer| unsafe { give(&answer, value, room, length) }));
    }
    // As much as a request has: the values that are read are shorter.
    let mut bytes = [0u8; subflows_run::VALUE];
    let given = (room as usize).min(bytes.len());
    // SAFETY: `value` has as many bytes.
    unsafe { std::ptr::copy_nonoverlapping(value.cast::<u8>(), bytes.as_mut_ptr(), given) };
    let answer = asked(agent, fd, Request::Get { option, value: Value::of(&bytes[..given]), room });
    Some(answer.map(|answer| {
        // The kernel left the length alone.
        if option != layout::CLOSE_SUB_ID {
            // SAFETY: as the caller promised.
            unsafe { give(&answer, value.cast(), room, length) };
        }
    }))
}

/// Answers setsockopt(2). `None` for other options.
///
/// # Safety
/// `value` is NULL or has `length` bytes.
pub(crate) unsafe fn set(
    fd: c_int,
    level: c_int,
    option: c_int,
    value: *const c_void,
    length: socklen_t,
) -> Option<Result<(), c_int>> {
    let agent = of(level, option)?;
    if value.is_null() {
        return Some(Err(EFAULT));
    }
    if !soften::is_mptcp(fd) {
        return Some(Err(other(fd)));
    }
    if option != layout::SUB_SETSOCKOPT {
        // SAFETY: as the caller promised.
        let bytes = unsafe { std::slice::from_raw_parts(value.cast::<u8>(), length as usize) };
        let request = Request::Set { option, value: Value::of(bytes) };
        return Some(asked(agent, fd, request).map(|_| ()));
    }
    if length as usize != mem::size_of::<SubSetsockopt>() {
        return Some(Err(EINVAL));
    }
    // SAFETY: there are as many bytes.
    let request = unsafe { value.cast::<SubSetsockopt>().read_unaligned() };
    let SubSetsockopt { id, level, option, value, length } = request;
    if value.is_null() {
        return Some(Err(EFAULT));
    }
    // SAFETY: as the caller promised.
    let bytes = unsafe { std::slice::from_raw_parts(value, length as usize) };
    let request = Request::SetOfSubflow { id, level, option, value: Value::of(bytes) };
    Some(asked(agent, fd, request).map(|_| ()))
}

/// The agent that answers this option. The counters of option 45 refer to memory of the program, which the agent
/// cannot fill.
fn of(level: c_int, option: c_int) -> Option<&'static CStr> {
    let is_ours = option != layout::INFO && layout::is_option(option);
    settings::enhanced().filter(|_| level == IPPROTO_TCP && is_ours)
}

/// The error for a descriptor that is not a Multipath TCP socket.
fn other(fd: c_int) -> c_int {
    // SAFETY: no pointer is passed.
    if unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0 { EBADF } else { EOPNOTSUPP }
}

fn asked(agent: &CStr, fd: c_int, request: Request) -> Result<Answer, c_int> {
    steer::tell(fd);
    match ask(agent, request, Some(fd)) {
        Some((answer, _)) if answer.error == 0 => Ok(answer),
        Some((answer, _)) => Err(answer.error),
        // `subflows run` has ended.
        None => Err(ENOPROTOOPT),
    }
}

/// Writes a value and its length.
///
/// # Safety
/// `value` has `room` bytes, and `length` is a pointer to write to.
unsafe fn give(answer: &Answer, value: *mut u8, room: u32, length: *mut u32) {
    let bytes = answer.value.bytes();
    let written = bytes.len().min(room as usize);
    // SAFETY: as the caller promised.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), value, written) };
    // SAFETY: as the caller promised.
    unsafe { length.write_unaligned(written as u32) };
}
