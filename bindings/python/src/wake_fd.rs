//! Ending the wait of another thread.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Instant;

/// A descriptor (eventfd) that ends the waits of every thread once it is woken.
pub(crate) struct WakeFd(OwnedFd);

impl WakeFd {
    pub(crate) fn new() -> io::Result<WakeFd> {
        // SAFETY: it takes no pointer.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new, and nothing else owns it.
        Ok(WakeFd(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Ends the waits, and those that begin later.
    pub(crate) fn wake(&self) {
        let one = 1_u64.to_ne_bytes();
        // SAFETY: the pointer is valid for eight bytes. It fails only if it was woken 2^64 times.
        unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }

    /// Forgets earlier calls of `wake`: a forked child shares the descriptor, and closing its copy of
    /// a handle must not keep the parent's waits from waiting.
    pub(crate) fn clear(&self) {
        let mut count = [0_u8; 8];
        // SAFETY: the pointer is valid for eight bytes. It fails if there is nothing to forget.
        unsafe { libc::read(self.0.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
    }

    /// Waits until `fd` is readable, until it is woken, until the deadline, or until a signal arrives.
    pub(crate) fn wait(&self, fd: i32, deadline: Option<Instant>) -> io::Result<()> {
        let readable = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let mut entries = [readable(fd), readable(self.0.as_raw_fd())];
        let timeout = deadline.map(|deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            libc::timespec {
                tv_sec: left.as_secs().min(i32::MAX as u64) as libc::time_t,
                // Below a thousand million, which fits in 32 bits.
                tv_nsec: left.subsec_nanos() as libc::c_long,
            }
        });
        let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        // SAFETY: two entries and at most one time, all on this stack; no signal mask.
        if unsafe { libc::ppoll(entries.as_mut_ptr(), 2, timeout, std::ptr::null()) } < 0 {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
        Ok(())
    }
}
