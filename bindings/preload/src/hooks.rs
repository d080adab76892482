//! The functions that replace libc's: the only names that this library exports.

use std::ffi::{c_int, c_void};
use std::os::fd::BorrowedFd;

use libc::{
    AF_INET, AF_INET6, EFAULT, EINVAL, IPPROTO_MPTCP, IPPROTO_TCP, Ioctl, SOCK_CLOEXEC,
    SOCK_NONBLOCK, SOCK_STREAM, c_long, epoll_event, sockaddr, socklen_t,
};
use subflows::bare;

use crate::option_call::{Getting, Setting};
use crate::{
    choose, enhanced, errno, jail, memory, next, original, report, settings, soften, steer, watch,
};

/// Makes a socket of Multipath TCP, or of TCP if that is not possible.
///
/// # Safety
/// As socket(2).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int {
    let is_stream = kind & !(SOCK_NONBLOCK | SOCK_CLOEXEC) == SOCK_STREAM;
    let is_internet = [AF_INET, AF_INET6].contains(&domain);
    let is_ours = is_stream && is_internet && [0, IPPROTO_TCP, IPPROTO_MPTCP].contains(&protocol);
    if is_ours && (protocol == IPPROTO_MPTCP || errno::kept(|| jail::may_make_tcp(domain))) {
        // SAFETY: no pointer is passed.
        let made = errno::kept(|| unsafe { next::socket(domain, kind, IPPROTO_MPTCP) });
        if made >= 0 {
            errno::kept(|| steer::made(made));
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
    if let Some(answer) = enhanced::set(Setting { fd, level, option, value, length }) {
        return given(answer, before);
    }
    if !errno::kept(|| soften::is_withheld(fd, level, option)) {
        // SAFETY: the caller promises the same.
        let result = unsafe { next::setsockopt(fd, level, option, value, length) };
        if result == 0 || !soften::may_soften(fd, level, option, errno::get()) {
            return result;
        }
    }
    if (length as usize) < size_of::<c_int>() || length > c_int::MAX as socklen_t {
        return given(Err(EINVAL), before);
    }
    let Some(number) = memory::number(value) else { return given(Err(EFAULT), before) };
    given(soften::set(fd, level, option, number), before)
}

/// Gets an option. If it is one that [`setsockopt`] remembers, returns the value that was set, or the value that a new
/// TCP socket has.
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
    let call = Getting { fd, level, option, value, length };
    if let Some(answer) = enhanced::get(call) {
        return given(answer, before);
    }
    // SAFETY: the caller promises the same.
    let result = unsafe { next::getsockopt(fd, level, option, value, length) };
    let is_known = result == 0;
    if !is_known && !soften::is_lack(errno::get()) {
        return result;
    }
    let Some(number) = soften::get(fd, level, option, is_known) else {
        let error = errno::get();
        let Some(answer) = original::get(call) else {
            errno::set(error);
            return result;
        };
        return given(answer, before);
    };
    given(call.give(&number.to_ne_bytes()), before)
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
    let refusal = errno::kept(|| {
        choose::connects(fd, address, length).err().or_else(|| jail::refusal(fd, address, length))
    });
    if let Some(error) = refusal {
        errno::set(error);
        return -1;
    }
    // SAFETY: the caller promises the same.
    let result = unsafe { next::connect(fd, address, length) };
    if result == 0 || errno::get() == libc::EINPROGRESS {
        errno::kept(|| steer::connected(fd));
    }
    result
}

/// Changes an epoll set, and remembers how a socket was added, in case another socket replaces it.
///
/// # Safety
/// As epoll_ctl(2).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn epoll_ctl(
    epoll: c_int,
    operation: c_int,
    fd: c_int,
    event: *mut epoll_event,
) -> c_int {
    // SAFETY: the caller promises the same.
    let result = unsafe { next::epoll_ctl(epoll, operation, fd, event) };
    if result == 0 && settings::has_destinations() {
        // SAFETY: the kernel has read it, except for a removal.
        let event = (operation != libc::EPOLL_CTL_DEL).then(|| unsafe { event.read_unaligned() });
        errno::kept(|| watch::changed(epoll, operation, fd, event));
    }
    result
}

/// Asks the kernel or a driver. How many bytes of a Multipath TCP socket can be read, `FIONREAD`, is answered as for a
/// TCP socket; every other request passes through.
///
/// ioctl(2) is variadic. As libc's own, this function takes one argument, whether the program passes one or not: on all
/// systems that Linux has, an argument of a pointer's size is at the same place in both kinds of calls.
///
/// # Safety
/// As ioctl(2).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn ioctl(fd: c_int, request: Ioctl, argument: *mut c_void) -> c_int {
    // SAFETY: the caller promises the same.
    let result = unsafe { next::ioctl(fd, request, argument) };
    if result == 0 && request == libc::FIONREAD && errno::kept(|| soften::is_mptcp(fd)) {
        let place = argument.cast::<c_int>();
        // SAFETY: the kernel has just written the number.
        let reported = unsafe { place.read_unaligned() };
        // SAFETY: it is open: the kernel has just answered for it.
        let sock = unsafe { BorrowedFd::borrow_raw(fd) };
        let unread = errno::kept(|| bare::unread(sock, reported));
        // SAFETY: as for reading.
        unsafe { place.write_unaligned(unread) };
    }
    result
}

/// Listens, by Multipath TCP unless the program uses it to some destinations only.
///
/// # Safety
/// As listen(2).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn listen(fd: c_int, backlog: c_int) -> c_int {
    if let Err(error) = errno::kept(|| choose::listens(fd)) {
        errno::set(error);
        return -1;
    }
    // SAFETY: no pointer is passed.
    unsafe { next::listen(fd, backlog) }
}

/// Reports a connection, and closes the descriptor.
///
/// # Safety
/// As close(2).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn close(fd: c_int) -> c_int {
    closing(fd, || {
        // SAFETY: the caller promises the same.
        unsafe { next::close(fd) }
    })
}

/// Makes a system call. libuv, and so Node, closes descriptors in this way; every other call passes through.
///
/// syscall(2) is variadic. As libc's own, this function takes six arguments, however many the program passes: on all
/// systems that Linux has, arguments of a register's size are at the same places in both kinds of calls.
///
/// # Safety
/// As syscall(2).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn syscall(
    number: c_long,
    first: c_long,
    second: c_long,
    third: c_long,
    fourth: c_long,
    fifth: c_long,
    sixth: c_long,
) -> c_long {
    let call = || {
        // SAFETY: the caller promises the same.
        unsafe { next::syscall(number, [first, second, third, fourth, fifth, sixth]) }
    };
    if number == libc::SYS_close { closing(first as c_int, call) } else { call() }
}

/// The program closes a descriptor.
fn closing<T>(fd: c_int, close: impl FnOnce() -> T) -> T {
    let notified = errno::kept(|| {
        if let Some(file) = settings::report_file() {
            report::connection(fd, file);
        }
        steer::closing(fd)
    });
    let result = close();
    if let Some(cookie) = notified {
        errno::kept(|| steer::closed(cookie));
    }
    result
}

/// Returns the result of a call that this library answers instead of the kernel.
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
