//! Carrying the options of a TCP socket over to the Multipath TCP socket that takes its place.

use std::os::fd::{AsFd, BorrowedFd};

use super::options::{CARRIED, Opt, REFUSED, Set};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::socket;

/// Longer than any option whose value is carried.
const LONGEST: usize = 64;

/// Carries every option of `old` that was changed to `new`, and proves it by reading all back.
pub(crate) fn carry(
    old: BorrowedFd<'_>,
    new: BorrowedFd<'_>,
    family: i32,
    operation: &'static str,
) -> Result<()> {
    let fresh = socket::new(family, libc::SOCK_STREAM, libc::IPPROTO_TCP)
        .map_err(|error| Error::from_io(operation, &error))?;
    let fresh = fresh.as_fd();
    let applies = |opt: &&Opt| opt.level != libc::IPPROTO_IPV6 || family == libc::AF_INET6;
    for opt in REFUSED.iter().filter(applies) {
        if read(old, opt) != read(fresh, opt) {
            return Err(refusal(opt, operation));
        }
    }
    let carried = || CARRIED.iter().filter(applies);
    let untouched: Vec<_> = carried().map(|opt| read(new, opt)).collect();
    for opt in carried() {
        let wanted = read(old, opt);
        if wanted != read(new, opt) {
            if let Some(value) = &wanted {
                set(new, opt, value);
            }
        }
    }
    for (opt, untouched) in carried().zip(untouched) {
        let (wanted, got) = (read(old, opt), read(new, opt));
        // A default that differs between the two protocols is not something that was set.
        if wanted != got && (wanted != read(fresh, opt) || got != untouched) {
            return Err(refusal(opt, operation));
        }
    }
    Ok(())
}

fn refusal(opt: &Opt, operation: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, operation)
        .detail(format!("{} was set, and Multipath TCP cannot take it over", opt.name))
        .with_remedy(format!("Leave {} as it is, or use plain TCP.", opt.name))
}

/// `None` where the socket does not have the option, or does not show it.
fn read(sock: BorrowedFd<'_>, opt: &Opt) -> Option<Vec<u8>> {
    let mut value = vec![0u8; LONGEST];
    let length = socket::get_bytes(sock, opt.level, opt.number, &mut value).ok()?;
    value.truncate(length);
    Some(value)
}

/// Whether it worked, reading back will tell.
fn set(sock: BorrowedFd<'_>, opt: &Opt, value: &[u8]) {
    let number = <[u8; 4]>::try_from(value).map_or(0, i32::from_ne_bytes);
    match opt.set {
        Set::Same => {
            let _ = socket::set_bytes(sock, opt.level, opt.number, value);
        }
        Set::Half => set_size(sock, opt.number, number),
        Set::Sizes => {
            for (bit, name) in [(1, libc::SO_SNDBUF), (2, libc::SO_RCVBUF)] {
                let size = socket::get_i32(sock, opt.level, name);
                if let (Ok(size), true) = (size, number & bit != 0) {
                    set_size(sock, name, size);
                }
            }
        }
    }
}

/// Makes a buffer's size read as `size`.
fn set_size(sock: BorrowedFd<'_>, name: i32, size: i32) {
    let force = match name {
        libc::SO_SNDBUF => libc::SO_SNDBUFFORCE,
        _ => libc::SO_RCVBUFFORCE,
    };
    // What was set with the right to exceed the limit can be set again only with it.
    if socket::set_i32(sock, libc::SOL_SOCKET, force, size / 2).is_err() {
        let _ = socket::set_i32(sock, libc::SOL_SOCKET, name, size / 2);
    }
}
