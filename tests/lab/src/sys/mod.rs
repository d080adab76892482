//! The system calls that neither `std` nor `nix` wraps, and all the `unsafe` of this crate.

pub(crate) mod interface;
pub(crate) mod packet;
pub(crate) mod process;
pub(crate) mod socket;
pub(crate) mod wait;

/// Turns the C convention of -1 and `errno` into a `Result`.
pub(crate) fn check(result: libc::c_int) -> std::io::Result<libc::c_int> {
    if result < 0 { Err(std::io::Error::last_os_error()) } else { Ok(result) }
}
