//! Memory that blocks a system call, which keeps the lock of its socket.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// A page that has no memory before [`release`](Self::release): userfaultfd(2).
pub struct Trap {
    page: *mut libc::c_void,
    faults: OwnedFd,
}

// SAFETY: the page is only passed to system calls, and never unmapped.
unsafe impl Sync for Trap {}

const PAGE: usize = 4096;
/// `UFFDIO_API`, `UFFDIO_REGISTER`, `UFFDIO_ZEROPAGE` of <linux/userfaultfd.h>.
const API: libc::c_ulong = 0xc018_aa3f;
const REGISTER: libc::c_ulong = 0xc020_aa00;
const ZEROPAGE: libc::c_ulong = 0xc020_aa04;
/// `UFFD_API`, and `UFFDIO_REGISTER_MODE_MISSING`.
const VERSION: u64 = 0xaa;
const MISSING: u64 = 1;

impl Trap {
    /// Fails if this process may not trap the kernel, as in a user namespace.
    fn new() -> io::Result<Trap> {
        let flags = libc::O_CLOEXEC | libc::O_NONBLOCK;
        // SAFETY: userfaultfd takes flags only.
        let fd = unsafe { libc::syscall(libc::SYS_userfaultfd, flags) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor, and nothing else owns it.
        let faults = unsafe { OwnedFd::from_raw_fd(fd as i32) };
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new anonymous mapping, at an address of the kernel's choice. It is never
        // unmapped: a system call may still be reading it.
        let page = unsafe { libc::mmap(ptr::null_mut(), PAGE, protection, kind, -1, 0) };
        assert_ne!(page, libc::MAP_FAILED, "{}", io::Error::last_os_error());
        let trap = Trap { page, faults };
        // `struct uffdio_api`, and `struct uffdio_register`.
        trap.control(API, &mut [VERSION, 0, 0])?;
        trap.control(REGISTER, &mut [page as u64, PAGE as u64, MISSING, 0])?;
        Ok(trap)
    }

    /// Makes one, or reports a skip if this process may not.
    pub fn new_or_skip() -> Option<Trap> {
        Trap::new().inspect_err(|error| subflows_lab::skip(&format!("userfaultfd: {error}"))).ok()
    }

    /// Sends one byte of the page. Returns only after [`release`](Self::release).
    pub fn send(&self, sock: &impl AsFd) -> io::Result<()> {
        // SAFETY: the page is mapped, and longer than one byte.
        let sent = unsafe { libc::send(sock.as_fd().as_raw_fd(), self.page, 1, 0) };
        if sent == 1 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Becomes readable when a system call waits for the page.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.faults.as_fd()
    }

    /// Lets the system call go on.
    pub fn release(&self) {
        // `struct uffdio_zeropage`.
        self.control(ZEROPAGE, &mut [self.page as u64, PAGE as u64, 0, 0]).unwrap();
    }

    fn control<const WORDS: usize>(
        &self,
        request: libc::c_ulong,
        argument: &mut [u64; WORDS],
    ) -> io::Result<()> {
        // SAFETY: the argument is as long as the struct that the request names.
        let result =
            unsafe { libc::ioctl(self.faults.as_raw_fd(), request, argument.as_mut_ptr()) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

/// Reports whether a descriptor is readable now.
pub fn is_readable(fd: BorrowedFd<'_>) -> bool {
    let mut polled = [PollFd::new(fd, PollFlags::POLLIN)];
    poll(&mut polled, PollTimeout::ZERO).unwrap() == 1
}

impl Drop for Trap {
    /// If a test fails, a blocked thread would otherwise wait forever.
    fn drop(&mut self) {
        let _ = self.control(ZEROPAGE, &mut [self.page as u64, PAGE as u64, 0, 0]);
    }
}
