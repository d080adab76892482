//! `SO_ORIGINAL_DST` of a transparent proxy: where a connection went before the host's rules redirected it. The kernel has
//! no answer for Multipath TCP sockets. A program with `CAP_NET_ADMIN` gets it from the kernel's table of connections.

use std::ffi::c_int;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::BorrowedFd;

use libc::{
    AF_INET, AF_INET6, EFAULT, EINVAL, ENOENT, EPERM, IPPROTO_IP, IPPROTO_IPV6, SO_ORIGINAL_DST,
};
use subflows::bare;

use crate::kernel::{self, ANSWER};
use crate::option_call::Getting;
use crate::{memory, soften};

/// What getsockopt(2) answers on a TCP socket. `None`: another option or socket, or the program may not ask.
pub(crate) fn get(call: Getting) -> Option<Result<(), c_int>> {
    let Getting { fd, level, option, .. } = call;
    // The numbers are the same for both families.
    let is_asked = option == SO_ORIGINAL_DST && [IPPROTO_IP, IPPROTO_IPV6].contains(&level);
    if !is_asked || !soften::is_mptcp(fd) {
        return None;
    }
    asked(call)
}

/// Apart from the check, because its answer takes much of the stack, which getsockopt(2) is not to need otherwise.
#[inline(never)]
fn asked(call: Getting) -> Option<Result<(), c_int>> {
    // SAFETY: it is open: the kernel has just answered for it.
    let sock = unsafe { BorrowedFd::borrow_raw(call.fd) };
    let Some(question) = bare::destination_question(sock) else {
        return Some(write(call, None));
    };
    let mut answer = [0; ANSWER];
    let read = kernel::asked(libc::NETLINK_NETFILTER, question.as_ref(), &mut answer)?;
    let destination = bare::original_destination(answer.get(..read)?);
    // Without the right, or in a kernel without the table.
    if matches!(destination, Err(0 | EPERM)) {
        return None;
    }
    Some(write(call, destination.ok()))
}

/// Writes an address as `struct sockaddr_in` or `struct sockaddr_in6`, with the kernel's errors for TCP sockets. The length
/// stays as it is, as with those.
fn write(call: Getting, destination: Option<SocketAddr>) -> Result<(), c_int> {
    let mut bytes = [0u8; size_of::<libc::sockaddr_in6>()];
    let (family, size) = match call.level {
        IPPROTO_IP => (AF_INET, size_of::<libc::sockaddr_in>()),
        _ => (AF_INET6, bytes.len()),
    };
    if call.room()? < size {
        return Err(EINVAL);
    }
    let destination = destination.filter(|to| to.is_ipv4() == (family == AF_INET)).ok_or(ENOENT)?;
    bytes[..2].copy_from_slice(&(family as libc::sa_family_t).to_ne_bytes());
    bytes[2..4].copy_from_slice(&destination.port().to_be_bytes());
    match destination.ip() {
        IpAddr::V4(ip) => bytes[4..8].copy_from_slice(&ip.octets()),
        IpAddr::V6(ip) => bytes[8..24].copy_from_slice(&ip.octets()),
    }
    memory::write(call.value, &bytes[..size]).then_some(()).ok_or(EFAULT)
}
