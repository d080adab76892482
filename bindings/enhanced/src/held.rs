//! Sockets of the program.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use rustix::net::sockopt::socket_cookie;

use crate::errno::{Errno, NOT_MPTCP};

/// A socket of the program, which may close it at any time: its descriptor, and what identifies it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    fd: RawFd,
    pub(crate) cookie: u64,
}

impl Held {
    pub(crate) fn new(sock: BorrowedFd<'_>) -> Result<Held, Errno> {
        let cookie = socket_cookie(sock).map_err(|_| NOT_MPTCP)?;
        Ok(Held { fd: sock.as_raw_fd(), cookie })
    }

    /// Reports whether the descriptor still is that of the socket.
    pub(crate) fn is_open(&self) -> bool {
        socket_cookie(self).is_ok_and(|cookie| cookie == self.cookie)
    }
}

impl AsFd for Held {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the number is not -1. The program may have closed the descriptor: `is_open` is asked before
        // each use, and a command for another socket fails, because it names this connection by its token.
        unsafe { BorrowedFd::borrow_raw(self.fd) }
    }
}
