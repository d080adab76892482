//! Interface flags and offloads by ioctl: without a child process, a namespace costs microseconds.
//! Everything here concerns the calling thread's network namespace.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use super::check;

// From <linux/ethtool.h>, which libc does not have.
const ETHTOOL_SGRO: u32 = 0x2c;
const ETHTOOL_STXCSUM: u32 = 0x17;
const ETHTOOL_STSO: u32 = 0x1f;

/// `struct ethtool_value` of <linux/ethtool.h>.
#[repr(C)]
struct EthtoolValue {
    cmd: u32,
    data: u32,
}

const _: () = assert!(size_of::<EthtoolValue>() == 8);

/// Sets an interface up, as `ip link set dev NAME up` does.
pub(crate) fn bring_up(name: &str) -> io::Result<()> {
    let mut request = named_request(name)?;
    let socket = any_socket()?;
    // SAFETY: SIOCGIFFLAGS reads the name and writes the flags of this one `ifreq` on the stack.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &mut request) })?;
    // SAFETY: the call above has just filled this member of the union.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    request.ifr_ifru.ifru_flags = flags | libc::IFF_UP as libc::c_short;
    // SAFETY: SIOCSIFFLAGS only reads this one `ifreq` on the stack.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &request) })?;
    Ok(())
}

/// Limits an interface to what a cable could carry: frames of at most one MTU with complete
/// checksums. The receiver may merge them again, as network cards do.
pub(crate) fn behave_like_hardware(name: &str) -> io::Result<()> {
    ethtool(name, ETHTOOL_STXCSUM, 0)?;
    ethtool(name, ETHTOOL_STSO, 0)?;
    ethtool(name, ETHTOOL_SGRO, 1)
}

fn ethtool(name: &str, cmd: u32, data: u32) -> io::Result<()> {
    let mut value = EthtoolValue { cmd, data };
    let mut request = named_request(name)?;
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    let socket = any_socket()?;
    // SAFETY: the kernel reads the `ifreq` and the `ethtool_value` that its data member points to;
    // both live on this stack frame until the call returns.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &mut request) })?;
    Ok(())
}

/// Interface ioctls use a socket only to select the namespace: any unbound socket works.
fn any_socket() -> io::Result<UdpSocket> {
    UdpSocket::bind(("0.0.0.0", 0))
}

fn named_request(name: &str) -> io::Result<libc::ifreq> {
    // SAFETY: `ifreq` is plain old data, for which all zeroes are valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.is_empty() || name.len() >= request.ifr_name.len() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("`{name}` is not an interface name: a name has 1 to 15 bytes"),
        ));
    }
    for (target, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *target = byte as libc::c_char;
    }
    Ok(request)
}
