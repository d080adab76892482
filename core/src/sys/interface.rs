//! The names of interfaces.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::socket::check;
use super::uapi::{SIOCGIFFLAGS, SIOCGIFNAME, ifreq};
use crate::kernel_name::KernelName;

/// Every network namespace has its loopback interface at this index (`LOOPBACK_IFINDEX`).
pub(crate) const LOOPBACK: u32 = 1;

/// Returns the name of an interface in the socket's network namespace. The socket may be of any
/// kind.
pub(crate) fn name(sock: BorrowedFd<'_>, index: u32) -> io::Result<KernelName> {
    let mut request = ifreq { index, ..ifreq::default() };
    let pointer: *mut ifreq = &mut request;
    // SAFETY: the kernel reads and writes one `ifreq`, to which the pointer points.
    check(unsafe { libc::ioctl(sock.as_raw_fd(), SIOCGIFNAME as _, pointer) })?;
    let name = request.name.split(|byte| *byte == 0).next().unwrap_or_default();
    if name.is_empty() {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    Ok(KernelName::from(&*String::from_utf8_lossy(name)))
}

/// Reports whether an interface in the socket's network namespace is up and has a carrier. One that
/// does not exist any more has none; if the kernel does not answer, the answer is yes.
pub(crate) fn has_carrier(sock: BorrowedFd<'_>, index: u32) -> bool {
    let is_gone = |error: &io::Error| error.raw_os_error() == Some(libc::ENODEV);
    let name = match name(sock, index) {
        Ok(name) => name,
        Err(error) => return !is_gone(&error),
    };
    let mut request = ifreq { name: name.bytes(), ..ifreq::default() };
    let pointer: *mut ifreq = &mut request;
    // SAFETY: the kernel reads and writes one `ifreq`, which the pointer leads to.
    match check(unsafe { libc::ioctl(sock.as_raw_fd(), SIOCGIFFLAGS as _, pointer) }) {
        Ok(_) => {
            // The flags are the first two bytes of the union.
            let [low, high, ..] = request.index.to_ne_bytes();
            let flags = i32::from(u16::from_ne_bytes([low, high]));
            let wanted = libc::IFF_UP | libc::IFF_RUNNING;
            flags & wanted == wanted
        }
        Err(error) => !is_gone(&error),
    }
}
