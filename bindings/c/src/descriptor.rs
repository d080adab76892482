//! The descriptors that C passes.

use std::ffi::c_int;
use std::os::fd::BorrowedFd;

use crate::failure::Failure;

/// The descriptor that C passed, for the time of the call.
pub(crate) fn socket<'call>(fd: c_int) -> Result<BorrowedFd<'call>, Failure> {
    if fd < 0 {
        return Err(Failure::argument(format!("{fd} is no file descriptor")));
    }
    // SAFETY: it is not -1. That it stays open during the call is the caller's promise; where it is
    // not even open now, the first system call says so.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}
