//! The descriptors that C passes.

use std::ffi::c_int;
use std::os::fd::BorrowedFd;

use crate::failure::Failure;

/// The descriptor that C passed, for the time of the call.
pub(crate) fn socket<'call>(fd: c_int) -> Result<BorrowedFd<'call>, Failure> {
    if fd < 0 {
        return Err(Failure::argument(
            format!("{fd} is not a file descriptor"),
            "Check the result of the call that made it: it failed.",
        ));
    }
    // SAFETY: it is not negative. The caller keeps it open during the call; if it is not open, the
    // first system call fails.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}
