//! A connection as netlink commands and the kernel's socket table name it.

use std::os::fd::BorrowedFd;

use crate::sys::mptcp::RawInfo;

/// A socket, together with the token of its connection, by which netlink knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connected<'a> {
    pub(crate) sock: BorrowedFd<'a>,
    /// The local token; 0 if the socket has no connection.
    pub(crate) token: u32,
}

impl<'a> Connected<'a> {
    pub(crate) fn new(sock: BorrowedFd<'a>, info: &RawInfo) -> Connected<'a> {
        Connected { sock, token: info.raw.mptcpi_token }
    }
}
