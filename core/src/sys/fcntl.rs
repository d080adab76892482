//! What `fcntl` reads and writes: the flags of a descriptor, those of the open file behind it, and
//! the signals that the file sends.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::socket::check;
use super::uapi::{self, f_owner_ex};

/// Sets or clears O_NONBLOCK. Returns whether it was set before.
pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>, on: bool) -> io::Result<bool> {
    let flags = status_flags(fd)?;
    let mut wanted = flags;
    wanted.set(OFlag::O_NONBLOCK, on);
    if wanted != flags {
        fcntl(fd, FcntlArg::F_SETFL(wanted))?;
    }
    Ok(flags.contains(OFlag::O_NONBLOCK))
}

/// Copies the status flags of `from` to `to`: O_NONBLOCK, but not O_ASYNC.
pub(crate) fn copy_status_flags(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    let flags = status_flags(from)? & !OFlag::O_ASYNC;
    fcntl(to, FcntlArg::F_SETFL(flags)).map(drop).map_err(io::Error::from)
}

/// Reports whether the descriptor is closed when another program is executed.
pub(crate) fn closes_on_exec(fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(fcntl(fd, FcntlArg::F_GETFD)? & libc::FD_CLOEXEC != 0)
}

/// Which signal the kernel sends, and to which process, when the socket becomes ready.
pub(crate) struct Signals {
    owner: f_owner_ex,
    signal: i32,
    are_on: bool,
}

/// Reads F_GETOWN_EX, F_GETSIG and O_ASYNC.
pub(crate) fn signals(sock: BorrowedFd<'_>) -> io::Result<Signals> {
    let mut owner = f_owner_ex::default();
    let pointer: *mut f_owner_ex = &mut owner;
    // SAFETY: the kernel writes one `f_owner_ex`, to which the pointer points.
    check(unsafe { libc::fcntl(sock.as_raw_fd(), uapi::F_GETOWN_EX, pointer) })?;
    // SAFETY: this command takes numbers only.
    let signal = check(unsafe { libc::fcntl(sock.as_raw_fd(), uapi::F_GETSIG) })?;
    let are_on = status_flags(sock)?.contains(OFlag::O_ASYNC);
    Ok(Signals { owner, signal, are_on })
}

/// Writes F_SETOWN_EX and F_SETSIG.
pub(crate) fn set_signals(sock: BorrowedFd<'_>, signals: &Signals) -> io::Result<()> {
    if signals.owner.pid != 0 {
        let pointer: *const f_owner_ex = &signals.owner;
        // SAFETY: the kernel reads one `f_owner_ex`, to which the pointer points.
        check(unsafe { libc::fcntl(sock.as_raw_fd(), uapi::F_SETOWN_EX, pointer) })?;
    }
    // SAFETY: this command takes numbers only.
    check(unsafe { libc::fcntl(sock.as_raw_fd(), uapi::F_SETSIG, signals.signal) }).map(drop)
}

/// Sets O_ASYNC if it was set when `signals` was read. The kernel stores the number of the
/// descriptor through which O_ASYNC was set, and passes it with each signal.
pub(crate) fn start_signals(sock: BorrowedFd<'_>, signals: &Signals) -> io::Result<()> {
    if signals.are_on {
        fcntl(sock, FcntlArg::F_SETFL(status_flags(sock)? | OFlag::O_ASYNC))?;
    }
    Ok(())
}

fn status_flags(fd: BorrowedFd<'_>) -> io::Result<OFlag> {
    Ok(OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?))
}
