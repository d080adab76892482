//! Asking `subflows run`, which acts for the program: one Unix socket for each request, by system calls alone: unlike
//! libc's functions, they are not cancellation points, so that a cancelled thread leaves no descriptor behind.

use std::ffi::{CStr, c_int, c_void};
use std::mem;

use libc::{c_uint, socklen_t};
use subflows_run::{ANSWER, Answer, Request};

use crate::next;

/// How long an answer may take, in seconds. Then the program goes on without it.
const PATIENCE: libc::time_t = 10;
/// Room for a control message with one descriptor.
const CONTROL: usize = 32;

/// Sends a request, and returns the answer and the descriptor that came with it. `None` without an answer.
pub(crate) fn ask(
    path: &CStr,
    request: Request,
    sock: Option<c_int>,
) -> Option<(Answer, Option<c_int>)> {
    let session = connect(path)?;
    let answer = send(session, &request, sock).and_then(|()| receive(session));
    // SAFETY: the descriptor is this function's.
    unsafe { next::close_own(session) };
    answer
}

/// Sends a request without a descriptor, and waits for nothing: close(2) in a signal handler has little stack.
pub(crate) fn notify(path: &CStr, request: Request) {
    let Some(session) = connect(path) else { return };
    let _ = send(session, &request, None);
    // SAFETY: the descriptor is this function's.
    unsafe { next::close_own(session) };
}

fn connect(path: &CStr) -> Option<c_int> {
    // SAFETY: all bytes may be zero.
    let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let bytes = path.to_bytes_with_nul();
    for (to, from) in address.sun_path.get_mut(..bytes.len())?.iter_mut().zip(bytes) {
        *to = *from as libc::c_char;
    }
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: no pointer is passed.
    let session = unsafe { next::socket(libc::AF_UNIX, kind, 0) };
    if session < 0 {
        return None;
    }
    let patience = libc::timeval { tv_sec: PATIENCE, tv_usec: 0 };
    let pointer: *const libc::timeval = &patience;
    let size = size_of::<libc::timeval>() as socklen_t;
    // SAFETY: the pointer has as many bytes.
    unsafe { next::setsockopt(session, libc::SOL_SOCKET, libc::SO_RCVTIMEO, pointer.cast(), size) };
    let pointer: *const libc::sockaddr_un = &address;
    let size = size_of::<libc::sockaddr_un>();
    // By the system call, because `connect` is hooked. SAFETY: the pointer has as many bytes.
    let result = unsafe { libc::syscall(libc::SYS_connect, session, pointer, size) };
    if result == 0 {
        return Some(session);
    }
    // SAFETY: the descriptor is this function's.
    unsafe { next::close_own(session) };
    None
}

fn send(session: c_int, request: &Request, sock: Option<c_int>) -> Option<()> {
    let mut bytes = request.encode();
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let mut control = Control([0; CONTROL]);
    // SAFETY: all bytes may be zero.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    if let Some(sock) = sock {
        let size = size_of::<c_int>() as c_uint;
        message.msg_control = control.0.as_mut_ptr().cast();
        // SAFETY: it computes.
        message.msg_controllen = unsafe { libc::CMSG_SPACE(size) } as _;
        // SAFETY: the control message has room for a header.
        let header = unsafe { libc::CMSG_FIRSTHDR(&message) };
        // SAFETY: it computes.
        let length = unsafe { libc::CMSG_LEN(size) };
        let (level, kind) = (libc::SOL_SOCKET, libc::SCM_RIGHTS);
        let filled = libc::cmsghdr { cmsg_len: length as _, cmsg_level: level, cmsg_type: kind };
        // SAFETY: the header is in `control`, which is aligned for it.
        unsafe { header.write(filled) };
        // SAFETY: as above.
        let data = unsafe { libc::CMSG_DATA(header) };
        // SAFETY: `control` has room for a descriptor.
        unsafe { data.cast::<c_int>().write_unaligned(sock) };
    }
    loop {
        let pointer: *const libc::msghdr = &message;
        // SAFETY: the message and what it points to are on this stack.
        let sent =
            unsafe { libc::syscall(libc::SYS_sendmsg, session, pointer, libc::MSG_NOSIGNAL) };
        if sent >= 0 {
            return Some(());
        }
        if crate::errno::get() != libc::EINTR {
            return None;
        }
    }
}

fn receive(session: c_int) -> Option<(Answer, Option<c_int>)> {
    let mut bytes = [0u8; ANSWER];
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let mut control = Control([0; CONTROL]);
    // SAFETY: all bytes may be zero.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast::<c_void>();
    message.msg_controllen = CONTROL as _;
    let length = loop {
        let pointer: *mut libc::msghdr = &mut message;
        let flags = libc::MSG_CMSG_CLOEXEC;
        // SAFETY: the message and what it points to are on this stack.
        let received = unsafe { libc::syscall(libc::SYS_recvmsg, session, pointer, flags) };
        if let Ok(length) = usize::try_from(received) {
            break length;
        }
        if crate::errno::get() != libc::EINTR {
            return None;
        }
    };
    // SAFETY: the kernel has written the control message.
    let header = unsafe { libc::CMSG_FIRSTHDR(&message) };
    // SAFETY: it is null, or in `control`.
    let fd = unsafe { header.as_ref() }.filter(|header| {
        (header.cmsg_level, header.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS)
    });
    let fd = fd.map(|header| {
        // SAFETY: as above.
        let data = unsafe { libc::CMSG_DATA(header) };
        // SAFETY: such a message has at least one descriptor.
        unsafe { data.cast::<c_int>().read_unaligned() }
    });
    let answer = bytes.get(..length).and_then(Answer::parse);
    if let (None, Some(fd)) = (answer, fd) {
        // SAFETY: the kernel has made this descriptor for this function.
        unsafe { next::close_own(fd) };
    }
    Some((answer?, fd))
}

/// A buffer that is aligned for `struct cmsghdr`.
#[repr(C, align(8))]
struct Control([u8; CONTROL]);
