//! The functions that take the place of libc's. The only names that this library exports.

use std::ffi::{c_int, c_void};

use libc::{
    AF_INET, AF_INET6, IPPROTO_MPTCP, IPPROTO_TCP, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM,
    sockaddr, socklen_t,
};

use crate::{enhanced, errno, next, report, settings, soften, steer};

/// Makes a socket of Multipath TCP, or of TCP if that is not possible.
///
/// # Safety
/// As socket(2).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int {
    let is_stream = kind & !(SOCK_NONBLOCK | SOCK_CLOEXEC) == SOCK_STREAM;
    let is_tcp = [AF_INET, AF_INET6].contains(&domain) && [0, IPPROTO_TCP].contains(&protocol);
    if is_stream && is_tcp {
        if let Some(made) = errno::kept(|| steer::socket(domain, kind)) {
            soften::forget(made);
            return made;
        }
        // SAFETY: no pointer is passed.
        let made = errno::kept(|| unsafe { next::socket(domain, kind, IPPROTO_MPTCP) });
        if made >= 0 {
            soften::forget(made);
            return made;
        }
    }
    // SAFETY: no pointer is passed.
    unsafe { next::socket(domain, kind, protocol) }
}

/// Sets an option. One that a TCP socket has, and that a Multipath TCP socket can do without, is remembered.
///
/// # Safety
/// As setsockopt(2).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn setsockopt(
    fd: c_int,
    level: c_int,
    option: c_int,
    value: *const c_void,
    length: socklen_t,
) -> c_int {
    let before = errno::get();
    // SAFETY: `value` has `length` bytes, as the caller promises.
    if let Some(answer) = unsafe { enhanced::set(fd, level, option, value, length) } {
        return given(answer, before);
    }
    // SAFETY: the caller promises the same.
    let result = unsafe { next::setsockopt(fd, level, option, value, length) };
    if result == 0 || value.is_null() || (length as usize) < size_of::<c_int>() {
        return result;
    }
    // SAFETY: there are as many bytes.
    let number = unsafe { value.cast::<c_int>().read_unaligned() };
    match soften::set(fd, level, option, number, errno::get()) {
        soften::Answer::Failed => result,
        soften::Answer::Done => {
            errno::set(before);
            0
        }
        soften::Answer::Refused(error) => {
            errno::set(error);
            -1
        }
    }
}

/// Gets an option. Of those that [`setsockopt`] remembers, the value that was set, or the one that a new TCP
/// socket has.
///
/// # Safety
/// As getsockopt(2).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn getsockopt(
    fd: c_int,
    level: c_int,
    option: c_int,
    value: *mut c_void,
    length: *mut socklen_t,
) -> c_int {
    let before = errno::get();
    // SAFETY: the pointers are those of the value and its length, as the caller promises.
    if let Some(answer) = unsafe { enhanced::get(fd, level, option, value, length) } {
        return given(answer, before);
    }
    // SAFETY: the caller promises the same.
    let result = unsafe { next::getsockopt(fd, level, option, value, length) };
    if value.is_null() || length.is_null() {
        return result;
    }
    let Some(number) = soften::get(fd, level, option, result == 0) else { return result };
    // SAFETY: the pointer is not null, and the caller promises that it is that of the length.
    let room = unsafe { length.read_unaligned() } as usize;
    let bytes = number.to_ne_bytes();
    let written = room.min(bytes.len());
    // SAFETY: `value` has as many bytes.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), value.cast(), written) };
    // SAFETY: as above.
    unsafe { length.write_unaligned(written as socklen_t) };
    errno::set(before);
    0
}

/// Connects. Further paths of the connection are opened as soon as that is possible.
///
/// # Safety
/// As connect(2).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn connect(
    fd: c_int,
    address: *const sockaddr,
    length: socklen_t,
) -> c_int {
    // SAFETY: the caller promises the same.
    let result = unsafe { next::connect(fd, address, length) };
    if result == 0 || errno::get() == libc::EINPROGRESS {
        errno::kept(|| steer::connected(fd));
    }
    result
}

/// Reports a connection, and closes the descriptor.
///
/// # Safety
/// As close(2).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn close(fd: c_int) -> c_int {
    errno::kept(|| {
        if let Some(file) = settings::report_file() {
            report::connection(fd, file);
        }
        steer::closing(fd);
    });
    // SAFETY: the caller promises the same.
    unsafe { next::close(fd) }
}

/// What an option of the enhanced socket API returns.
fn given(answer: Result<(), c_int>, before: c_int) -> c_int {
    match answer {
        Ok(()) => {
            errno::set(before);
            0
        }
        Err(error) => {
            errno::set(error);
            -1
        }
    }
}
