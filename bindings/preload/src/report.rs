//! A line of JSON for each connection, appended to a file when the program closes it, or at the program's end.

use std::ffi::{CStr, c_int};
use std::fmt::Write;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{IPPROTO_MPTCP, IPPROTO_TCP, SOL_SOCKET};
use subflows::bare::{self, Kind, Scratch};

use crate::soften::{cookie, number};
use crate::text::{Memory, Pages, Text};
use crate::why;
use crate::{next, settings};

/// Appends the line of a connection. Does nothing for other descriptors.
pub(crate) fn connection(fd: c_int, file: &CStr) {
    let protocol = number::<c_int>(fd, SOL_SOCKET, libc::SO_PROTOCOL);
    if fd < 0 || ![Some(IPPROTO_MPTCP), Some(IPPROTO_TCP)].contains(&protocol) {
        return;
    }
    if number::<c_int>(fd, SOL_SOCKET, libc::SO_TYPE) != Some(libc::SOCK_STREAM) {
        return;
    }
    // SAFETY: it is open: the kernel has just answered for it.
    let sock = unsafe { BorrowedFd::borrow_raw(fd) };
    let Some(mut pages) = Pages::new() else { return };
    let Memory { text, scratch, answer } = pages.memory();
    let Some(ends) = bare::ends(sock) else { return };
    let state = match (protocol, bare::kind(sock)) {
        (Some(IPPROTO_TCP), _) => ("Tcp", Some(why::is_tcp(fd))),
        (_, Kind::FellBack) => ("FellBack", Some(why::fell_back(fd, ends, answer))),
        (_, Kind::Mptcp) => ("Mptcp", None),
    };
    // Writing to the text does not fail. It is written at once, so that lines of several processes do not mix.
    let _ = describe(text, scratch, sock, ends, state);
    if !text.is_full() {
        append(file, text.bytes());
    }
}

fn describe(
    line: &mut Text,
    scratch: &mut Scratch,
    sock: BorrowedFd<'_>,
    (local, remote): (SocketAddr, SocketAddr),
    (state, why): (&str, Option<&str>),
) -> std::fmt::Result {
    // SAFETY: no pointer is passed.
    let process = unsafe { libc::getpid() };
    let cookie = cookie(sock.as_raw_fd()).unwrap_or(0);
    write!(line, "{{\"process\":{process},\"connection\":{cookie}")?;
    write!(line, ",\"local\":\"{local}\",\"remote\":\"{remote}\"")?;
    write!(line, ",\"state\":\"{state}\"")?;
    if let Some(why) = why {
        write!(line, ",\"why\":\"{why}\"")?;
    }
    write!(line, ",\"paths\":[")?;
    let mut is_first = true;
    let count = bare::each_subflow(sock, scratch, &mut |path| {
        let comma = if is_first { "" } else { "," };
        is_first = false;
        let _ = write!(
            line,
            "{comma}{{\"local\":\"{}\",\"remote\":\"{}\",\"bytes_sent\":{},\"bytes_received\":{}}}",
            path.local, path.remote, path.bytes_sent, path.bytes_received
        );
    });
    writeln!(line, "],\"subflows\":{count}}}")
}

extern "C" fn unload() {
    if let Some(file) = settings::report_file() {
        all(file);
    }
}

/// Called by the dynamic linker at exit(3).
#[used]
#[unsafe(link_section = ".fini_array")]
static UNLOAD: extern "C" fn() = unload;

/// Appends the lines of all connections that are open, at the end of the process.
fn all(file: &CStr) {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: the path ends with a zero.
    let folder = unsafe { libc::open(c"/proc/self/fd".as_ptr(), flags) };
    if folder < 0 {
        return;
    }
    let mut entries = [0u8; 2048];
    loop {
        let (place, room) = (entries.as_mut_ptr(), entries.len());
        // SAFETY: the pointer has as many bytes.
        let length = unsafe { libc::syscall(libc::SYS_getdents64, folder, place, room) };
        let Ok(length @ 1..) = usize::try_from(length) else { break };
        each_number(&entries[..length.min(room)], |fd| connection(fd, file));
    }
    // SAFETY: the descriptor is this function's.
    unsafe { next::close(folder) };
}

/// Calls `each` with the names in an answer of getdents64(2) that are numbers.
fn each_number(mut entries: &[u8], mut each: impl FnMut(c_int)) {
    /// `struct linux_dirent64`: the length of the entry, and its name.
    const LENGTH: usize = 16;
    const NAME: usize = 19;
    while let Some(&[low, high]) = entries.get(LENGTH..LENGTH + 2) {
        let length = usize::from(u16::from_ne_bytes([low, high]));
        let Some(entry) = entries.get(..length).filter(|entry| entry.len() > NAME) else { return };
        let name = entry[NAME..].split(|byte| *byte == 0).next().unwrap_or(&[]);
        if let Some(number) = std::str::from_utf8(name).ok().and_then(|name| name.parse().ok()) {
            each(number);
        }
        entries = &entries[length..];
    }
}

fn append(file: &CStr, line: &[u8]) {
    // None of these calls waits, and none is a cancellation point.
    let flags =
        libc::O_WRONLY | libc::O_APPEND | libc::O_CLOEXEC | libc::O_NOCTTY | libc::O_NONBLOCK;
    // SAFETY: the path ends with a zero.
    let fd = unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, file.as_ptr(), flags, 0) };
    if fd < 0 {
        return;
    }
    // SAFETY: the pointer has as many bytes. The program is not to learn of an error.
    unsafe { libc::syscall(libc::SYS_write, fd, line.as_ptr(), line.len()) };
    // SAFETY: the descriptor is this function's.
    unsafe { next::close_own(fd as c_int) };
}
