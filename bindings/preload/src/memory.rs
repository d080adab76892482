//! Memory of the program behind pointers that nothing has checked yet: a wrong one is `EFAULT`, as it is in the kernel.

use std::ffi::{c_int, c_void};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use libc::{AF_INET, AF_INET6, sockaddr, socklen_t};

/// Copies from the program's memory. Returns whether all of it could be read.
pub(crate) fn read(from: *const c_void, to: &mut [u8]) -> bool {
    let local = libc::iovec { iov_base: to.as_mut_ptr().cast(), iov_len: to.len() };
    let remote = libc::iovec { iov_base: from.cast_mut(), iov_len: to.len() };
    copied(libc::SYS_process_vm_readv, &local, &remote)
}

/// Copies into the program's memory. Returns whether all of it could be written.
pub(crate) fn write(to: *mut c_void, from: &[u8]) -> bool {
    let local = libc::iovec { iov_base: from.as_ptr().cast_mut().cast(), iov_len: from.len() };
    let remote = libc::iovec { iov_base: to, iov_len: from.len() };
    copied(libc::SYS_process_vm_writev, &local, &remote)
}

fn copied(call: libc::c_long, local: &libc::iovec, remote: &libc::iovec) -> bool {
    if local.iov_len == 0 {
        return true;
    }
    // SAFETY: no pointer is passed.
    let this = unsafe { libc::getpid() };
    let (local, length): (*const libc::iovec, _) = (local, local.iov_len);
    let remote: *const libc::iovec = remote;
    // SAFETY: both describe as many bytes, the local one valid ones; the kernel checks the others.
    let done = unsafe { libc::syscall(call, this, local, 1usize, remote, 1usize, 0usize) };
    usize::try_from(done) == Ok(length)
}

/// Reads a number.
pub(crate) fn number(from: *const c_void) -> Option<i32> {
    let mut bytes = [0; 4];
    read(from, &mut bytes).then(|| i32::from_ne_bytes(bytes))
}

/// Reads an address of IPv4 or IPv6. A v4-mapped one is the IPv4 address that it maps.
pub(crate) fn address(from: *const sockaddr, length: socklen_t) -> Option<SocketAddr> {
    let mut bytes = [0u8; size_of::<libc::sockaddr_in6>()];
    let length = (length as usize).min(bytes.len());
    if !read(from.cast(), &mut bytes[..length]) {
        return None;
    }
    let family = c_int::from(u16::from_ne_bytes([bytes[0], bytes[1]]));
    let port = u16::from_be_bytes([bytes[2], bytes[3]]);
    match family {
        AF_INET if length >= size_of::<libc::sockaddr_in>() => {
            let ip: [u8; 4] = bytes[4..8].try_into().ok()?;
            Some((Ipv4Addr::from(ip), port).into())
        }
        // The scope was added later.
        AF_INET6 if length >= 24 => {
            let ip: [u8; 16] = bytes[8..24].try_into().ok()?;
            let scope = u32::from_ne_bytes(bytes[24..28].try_into().ok()?);
            let address = SocketAddrV6::new(Ipv6Addr::from(ip), port, 0, scope);
            Some(match address.ip().to_ipv4_mapped() {
                Some(mapped) => (mapped, port).into(),
                None => address.into(),
            })
        }
        _ => None,
    }
}
