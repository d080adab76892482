//! The enhanced socket API of the patched kernels of 2016, for programs that were written for it.

use std::ffi::{c_int, c_uint, c_void};
use std::os::fd::BorrowedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::{mem, ptr};

use libc::{EBADF, EFAULT, EINVAL, EIO, IPPROTO_MPTCP, IPPROTO_TCP};
use subflows_enhanced::Errno;
use subflows_enhanced::layout::{self, LegacyInfo, SubGetsockopt, SubSetsockopt};

use crate::cancel::uncancelled;
use crate::prelude::*;

/// The longest structure that a caller passes by value, and the longest list: 255 subflows.
const ROOM: usize = 512;

/// socket(2) for programs of that time. A stream socket of IPv4 or IPv6 becomes one of Multipath TCP that the
/// program controls, as far as it is permitted to: see subflows_take_control(). Without Multipath TCP in the
/// kernel it is plain TCP. Sets errno.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_enhanced_socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int {
    let is_stream = kind & !(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC) == libc::SOCK_STREAM;
    let is_tcp = [libc::AF_INET, libc::AF_INET6].contains(&domain) && is_stream;
    if !is_tcp || ![0, IPPROTO_TCP].contains(&protocol) {
        // SAFETY: no pointer is passed.
        return unsafe { libc::socket(domain, kind, protocol) };
    }
    // SAFETY: no pointer is passed.
    let made = unsafe { libc::socket(domain, kind, IPPROTO_MPTCP) };
    if made < 0 {
        // SAFETY: no pointer is passed.
        return unsafe { libc::socket(domain, kind, protocol) };
    }
    answer(|| {
        // Without control the program can still list its subflows.
        if let Err(error) = subflows::take_control(&borrow(made)?) {
            crate::last_error::remember("take_control", error.into());
        }
        Ok(())
    });
    made
}

/// getsockopt(2) with the options 66 to 71 and 42 to 45 of the patched kernels, whose structures are in
/// <subflows/enhanced.h>. Other options go to the kernel. Returns 0, or -1 and sets errno: EOPNOTSUPP if the
/// socket is not, or no longer, Multipath TCP; EINVAL if the buffer is too short or no subflow has the id; EPERM
/// if the program may not open a subflow; EFAULT for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_enhanced_getsockopt(
    fd: c_int,
    level: c_int,
    option: c_int,
    value: *mut c_void,
    length: *mut socklen_t,
) -> c_int {
    if level != IPPROTO_TCP || !layout::is_option(option) {
        // SAFETY: the caller promises what getsockopt(2) requires.
        return unsafe { libc::getsockopt(fd, level, option, value, length) };
    }
    // SAFETY: `length` is NULL or that of `value`, as the caller promises.
    answer(|| unsafe { get(fd, option, value.cast(), length) })
}

/// setsockopt(2) with the options 72 and 42 to 45 of the patched kernels. Other options go to the kernel. Returns
/// 0, or -1 and sets errno, as subflows_enhanced_getsockopt() does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_enhanced_setsockopt(
    fd: c_int,
    level: c_int,
    option: c_int,
    value: *const c_void,
    length: socklen_t,
) -> c_int {
    if level != IPPROTO_TCP || !layout::is_option(option) {
        // SAFETY: the caller promises what setsockopt(2) requires.
        return unsafe { libc::setsockopt(fd, level, option, value, length) };
    }
    // SAFETY: `value` has `length` bytes, as the caller promises.
    answer(|| unsafe { set(fd, option, value.cast(), length as usize) })
}

/// Runs a call that no panic and no cancellation leaves. Returns 0, or -1 and sets errno.
fn answer(mut call: impl FnMut() -> Result<(), Errno>) -> c_int {
    let result = uncancelled(|| catch_unwind(AssertUnwindSafe(&mut call)).unwrap_or(Err(EIO)));
    match result {
        Ok(()) => 0,
        Err(number) => {
            // SAFETY: no pointer is passed.
            let errno = unsafe { libc::__errno_location() };
            // SAFETY: the pointer is that of this thread's errno.
            unsafe { errno.write(number) };
            -1
        }
    }
}

fn borrow<'a>(fd: c_int) -> Result<BorrowedFd<'a>, Errno> {
    // SAFETY: no pointer is passed.
    if fd < 0 || unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0 {
        return Err(EBADF);
    }
    // SAFETY: it is open, and the caller promises that it stays so during the call.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// # Safety
/// `length` is NULL, or points to the number of bytes at `value`.
unsafe fn get(
    fd: c_int,
    option: c_int,
    value: *mut u8,
    length: *mut socklen_t,
) -> Result<(), Errno> {
    let sock = borrow(fd)?;
    if value.is_null() || length.is_null() {
        return Err(EFAULT);
    }
    // SAFETY: as the caller promised.
    let size = unsafe { length.read_unaligned() } as usize;
    let mut room = [0; ROOM];
    let room = &mut room[..size.min(ROOM)];
    let written = match option {
        layout::GET_SUB_IDS => {
            layout::write_ids(&subflows_enhanced::ids(sock)?, room).ok_or(EINVAL)?
        }
        layout::CLOSE_SUB_ID | layout::GET_SUB_TUPLE => {
            subflows_enhanced::require_mptcp(sock)?;
            // SAFETY: there is at least one byte.
            let id = if size == 0 { return Err(EINVAL) } else { unsafe { value.read() } };
            if option == layout::CLOSE_SUB_ID {
                return subflows_enhanced::close(sock, id);
            }
            let (local, remote) = subflows_enhanced::tuple(sock, id)?;
            layout::write_tuple(id, local, remote, room).ok_or(EINVAL)?
        }
        layout::OPEN_SUB_TUPLE => {
            subflows_enhanced::require_mptcp(sock)?;
            // SAFETY: `room` has no more bytes than `value`.
            unsafe { ptr::copy_nonoverlapping(value, room.as_mut_ptr(), room.len()) };
            let (local, remote) =
                layout::read_tuple(if size > ROOM { &[] } else { room }).ok_or(EINVAL)?;
            room[0] = subflows_enhanced::open(sock, local, remote)?;
            // SAFETY: there is more than one byte.
            unsafe { value.write(room[0]) };
            return Ok(());
        }
        layout::SUB_GETSOCKOPT => {
            subflows_enhanced::require_mptcp(sock)?;
            if size != mem::size_of::<SubGetsockopt>() {
                return Err(EINVAL);
            }
            // SAFETY: there are as many bytes.
            let request = unsafe { value.cast::<SubGetsockopt>().read_unaligned() };
            // SAFETY: as the caller promised.
            return unsafe { get_of_subflow(sock, request) };
        }
        layout::INFO => {
            if size < mem::size_of::<LegacyInfo>() {
                return Err(EINVAL);
            }
            // SAFETY: there are as many bytes.
            return unsafe { legacy_info(sock, value.cast()) };
        }
        _ => subflows_enhanced::get_legacy(sock, option, room)?,
    };
    // SAFETY: `room` has no more bytes than `value`.
    unsafe { ptr::copy_nonoverlapping(room.as_ptr(), value, written) };
    // SAFETY: as the caller promised.
    unsafe { length.write_unaligned(written as socklen_t) };
    Ok(())
}

/// # Safety
/// The pointers are NULL, or `length` points to the number of bytes at `value`.
unsafe fn get_of_subflow(sock: BorrowedFd<'_>, request: SubGetsockopt) -> Result<(), Errno> {
    if request.value.is_null() || request.length.is_null() {
        return Err(EFAULT);
    }
    // SAFETY: as the caller promised.
    let size = unsafe { request.length.read_unaligned() } as usize;
    let mut room = [0; ROOM];
    let room = &mut room[..size.min(ROOM)];
    let (level, option) = (request.level, request.option);
    let written = subflows_enhanced::get_option(sock, request.id, level, option, room)?;
    // SAFETY: `room` has no more bytes than `value`.
    unsafe { ptr::copy_nonoverlapping(room.as_ptr(), request.value, written) };
    // SAFETY: as the caller promised.
    unsafe { request.length.write_unaligned(written as c_uint) };
    Ok(())
}

/// # Safety
/// `value` has `length` bytes.
unsafe fn set(fd: c_int, option: c_int, value: *const u8, length: usize) -> Result<(), Errno> {
    let sock = borrow(fd)?;
    if value.is_null() {
        return Err(EFAULT);
    }
    if option != layout::SUB_SETSOCKOPT {
        // SAFETY: as the caller promised.
        let bytes = unsafe { std::slice::from_raw_parts(value, length.min(ROOM)) };
        return subflows_enhanced::set_legacy(sock, option, bytes);
    }
    subflows_enhanced::require_mptcp(sock)?;
    if length != mem::size_of::<SubSetsockopt>() {
        return Err(EINVAL);
    }
    // SAFETY: there are as many bytes.
    let request = unsafe { value.cast::<SubSetsockopt>().read_unaligned() };
    if request.value.is_null() {
        return Err(EFAULT);
    }
    // SAFETY: as the caller promised.
    let bytes =
        unsafe { std::slice::from_raw_parts(request.value, (request.length as usize).min(ROOM)) };
    subflows_enhanced::set_option(sock, request.id, request.level, request.option, bytes)
}

/// Fills in what the caller has room for, and writes the lengths.
///
/// # Safety
/// `to` points to the structure, whose pointers are NULL or have as many bytes as its lengths state.
unsafe fn legacy_info(sock: BorrowedFd<'_>, to: *mut LegacyInfo) -> Result<(), Errno> {
    // SAFETY: as the caller promised.
    let mut info = unsafe { to.read_unaligned() };
    let answer = subflows_enhanced::info(sock, info.tcp_info_len as usize)?;
    let stride = answer.subflows.first().map_or(0, Vec::len);
    // SAFETY: as the caller promised.
    unsafe { fill(info.meta_info, &mut info.meta_len, &answer.meta) };
    let mut initial = info.tcp_info_len;
    // SAFETY: as the caller promised.
    unsafe { fill(info.initial, &mut initial, answer.subflows.first().map_or(&[], |one| one)) };
    info.tcp_info_len = stride as u32;
    let counters = whole(&answer.subflows, info.sub_len);
    // SAFETY: as the caller promised.
    unsafe { fill(info.subflows, &mut info.sub_len, &counters) };
    let each = (info.sub_info_len as usize).min(layout::SUB_INFO);
    let addresses: Vec<&[u8]> = answer.addresses.iter().map(|one| &one[..each]).collect();
    info.sub_info_len = each as u32;
    let addresses = whole(&addresses, info.total_sub_info_len);
    // SAFETY: as the caller promised.
    unsafe { fill(info.subflow_info, &mut info.total_sub_info_len, &addresses) };
    // SAFETY: as the caller promised.
    unsafe { to.write_unaligned(info) };
    Ok(())
}

/// As many elements as fit as a whole, one after the other.
fn whole(elements: &[impl AsRef<[u8]>], room: u32) -> Vec<u8> {
    let size = elements.first().map_or(1, |one| one.as_ref().len()).max(1);
    elements.iter().take(room as usize / size).flat_map(|one| one.as_ref()).copied().collect()
}

/// Copies as much as there is room for, and writes how much that is.
///
/// # Safety
/// `to` is NULL or has `room` bytes.
unsafe fn fill(to: *mut u8, room: &mut u32, bytes: &[u8]) {
    let length = if to.is_null() { 0 } else { bytes.len().min(*room as usize) };
    if length > 0 {
        // SAFETY: as the caller promised.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), to, length) };
    }
    *room = length as u32;
}
