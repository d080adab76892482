//! The names of ports, such as `https`.

use std::ffi::CString;
use std::ptr::{null, null_mut};

use crate::failure::Failure;

/// The port of a service, as getaddrinfo(3) knows it.
pub(crate) fn port(service: &str) -> Result<u16, Failure> {
    let unknown = || {
        let text = format!("{service:?} is not the name or the number of a port");
        Failure::argument(text, "Pass a number, such as \"443\".")
    };
    // getaddrinfo takes any number, and cuts it to 16 bits: 65616 would be 80.
    let digits = service.trim_start().trim_start_matches(['+', '-']);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(unknown());
    }
    let name = CString::new(service).map_err(|_| unknown())?;
    // SAFETY: it consists of integers and pointers, which may be zero.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_family = libc::AF_INET;
    hints.ai_socktype = libc::SOCK_STREAM;
    let mut found = null_mut();
    // SAFETY: the name ends with a zero, the hints are filled, and `found` is written on success.
    if unsafe { libc::getaddrinfo(null(), name.as_ptr(), &hints, &mut found) } != 0 {
        return Err(unknown());
    }
    // SAFETY: the call succeeded, so that `found` has at least one entry, of AF_INET as requested.
    let first = unsafe { (*found).ai_addr };
    // SAFETY: as above: it points to an address of that family.
    let first = unsafe { first.cast::<libc::sockaddr_in>().read_unaligned() };
    // SAFETY: it came from getaddrinfo and is not used any more.
    unsafe { libc::freeaddrinfo(found) };
    Ok(u16::from_be(first.sin_port))
}
