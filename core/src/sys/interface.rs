//! The names of interfaces.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::socket::check;
use super::uapi::{SIOCGIFNAME, ifreq};
use crate::kernel_name::KernelName;

/// Returns the name of an interface in the socket's network namespace. The socket may be of any
/// kind.
pub(crate) fn name(sock: BorrowedFd<'_>, index: u32) -> io::Result<KernelName> {
    let mut request = ifreq { index, ..ifreq::default() };
    let pointer: *mut ifreq = &mut request;
    // SAFETY: the kernel reads and writes one `ifreq`, to which the pointer points.
    check(unsafe { libc::ioctl(sock.as_raw_fd(), SIOCGIFNAME as _, pointer) })?;
    let name = request.name.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(KernelName::from(&*String::from_utf8_lossy(name)))
}
