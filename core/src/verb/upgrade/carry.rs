//! Carrying the options of a TCP socket over to the Multipath TCP socket that takes its place.

use std::os::fd::{AsFd, BorrowedFd};

use super::options::{CARRIED, Opt, REFUSED, Set};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::socket;

/// Longer than any option whose value is carried.
const LONGEST: usize = 64;

/// The bytes of an option, behind which there are zeroes, and how many they are.
type Value = ([u8; LONGEST], usize);

/// Carries every option of `old` that was changed to `new`, and proves it by reading back.
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
    let compared = |opt| (opt, read(old, opt), read(new, opt));
    let carried: Vec<_> = CARRIED.iter().filter(applies).map(compared).collect();
    // To set one can change others: from then on the new socket is asked again.
    let mut was_set = false;
    let now = |was_set, opt, untouched| if was_set { read(new, opt) } else { untouched };
    for (opt, wanted, untouched) in &carried {
        if *wanted != now(was_set, opt, *untouched) {
            if let Some((value, length)) = wanted {
                set(new, opt, &value[..*length]);
                was_set = true;
            }
        }
    }
    for (opt, wanted, untouched) in carried {
        let got = now(was_set, opt, untouched);
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
fn read(sock: BorrowedFd<'_>, opt: &Opt) -> Option<Value> {
    let mut value = [0u8; LONGEST];
    let length = socket::get_bytes(sock, opt.level, opt.number, &mut value).ok()?;
    Some((value, length))
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
