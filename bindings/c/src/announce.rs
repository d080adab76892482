//! Telling the peer of a local address.

use std::ffi::c_int;
use std::os::fd::AsRawFd;

use libc::{sockaddr, sockaddr_storage, socklen_t};
use subflows::{Announce, Announced};

use crate::convert::{StringArena, ToC, ip};
use crate::descriptor::socket;
use crate::failure::Failure;
use crate::guard::guard;
use crate::handle::{hand_out, handle, take_back};
use crate::mirror::subflows_announce_options;
use crate::structs::read;

/// An address that the peer was told of.
pub struct subflows_announced {
    announced: Announced,
}

/// Tells the peer of one more local address, so that it can open subflows to it (ADD_ADDR).
///
/// The handle owns the announcement: closed, the address is withdrawn, and subflows that use it are
/// closed. With a port it keeps a listener for the peer: poll subflows_announced_fd() for
/// readability and call subflows_announced_turn_away() then, and strangers who connect there are
/// reset. The port of `address` does not count, that of the options does.
///
/// Returns 0 and a handle in `announced`, or a negative error: NOT_CONNECTED, CLOSED, NOT_MPTCP:
/// there is no peer to tell. NOT_READY: send or receive something first. NOT_CONTROLLED,
/// NOT_PERMITTED, OTHER_NAMESPACE: not ours to steer, or not from here. ADDRESS_NOT_AVAILABLE for a
/// port that is taken, or an address with one that is not ours. UNSUPPORTED for IPv6 with a port that
/// was not left to us, beside TCP timestamps.
///
/// # Safety
/// `address` leads to `length` bytes, `options` to `size`, `announced` to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_announce(
    fd: c_int,
    address: *const sockaddr,
    length: socklen_t,
    options: *const subflows_announce_options,
    size: usize,
    announced: *mut *mut subflows_announced,
) -> c_int {
    guard("announce", || {
        if announced.is_null() {
            return Err(Failure::argument("the pointer to the handle is NULL"));
        }
        // SAFETY: the caller's promise.
        let options: Announce = unsafe { read(options, size) }?;
        let ip = ip(address, length, "address")?;
        let ip = ip.ok_or_else(|| Failure::argument("`address` is NULL"))?;
        let told = subflows::announce(&socket(fd)?, ip, &options)?;
        // SAFETY: the caller's promise.
        unsafe { hand_out(announced, subflows_announced { announced: told }) }.map(|()| 0)
    })
}

/// The address id that the peer knows it by (RFC 8684, section 3.4.1): 1 to 255.
///
/// # Safety
/// `announced` is an open handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_announced_id(announced: *mut subflows_announced) -> c_int {
    guard("announce", || {
        // SAFETY: the caller's promise.
        Ok(c_int::from(unsafe { handle(announced) }?.announced.id()))
    })
}

/// Tells the address; its port is 0 where none was announced.
///
/// # Safety
/// `announced` is an open handle, and `address` leads to a struct sockaddr_storage.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_announced_address(
    announced: *mut subflows_announced,
    address: *mut sockaddr_storage,
) -> c_int {
    guard("announce", || {
        if address.is_null() {
            return Err(Failure::argument("`address` is NULL"));
        }
        // SAFETY: the caller's promise.
        let announced = unsafe { handle(announced) }?;
        let told = announced.announced.address().to_c(&mut StringArena::default());
        // SAFETY: the caller's promise; it is not null.
        unsafe { address.write_unaligned(told) };
        Ok(0)
    })
}

/// The listener, which becomes readable when a stranger has connected; it is the handle's. A peer
/// that joins us does not show here. Fails with SUBFLOWS_E_INVALID_STATE (negative) where no port
/// was announced: there is none.
///
/// # Safety
/// `announced` is an open handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_announced_fd(announced: *mut subflows_announced) -> c_int {
    guard("announce", || {
        // SAFETY: the caller's promise.
        let fd = unsafe { handle(announced) }?.announced.fd();
        fd.map(|fd| fd.as_raw_fd()).ok_or(Failure::State("this announcement has no listener"))
    })
}

/// Resets every stranger who waits at the listener; returns how many, or a negative error. Never
/// waits.
///
/// # Safety
/// `announced` is an open handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_announced_turn_away(announced: *mut subflows_announced) -> c_int {
    guard("announce", || {
        // SAFETY: the caller's promise.
        let count = unsafe { handle(announced) }?.announced.turn_away()?;
        Ok(c_int::try_from(count).unwrap_or(c_int::MAX))
    })
}

/// Withdraws the address, closes its subflows, and closes the handle in any case; NULL is nothing.
///
/// Returns 0, or SUBFLOWS_E_CLOSED (negative) where the connection is over: there was nothing left
/// to withdraw.
///
/// # Safety
/// `announced` is an open handle, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_announced_withdraw(announced: *mut subflows_announced) -> c_int {
    guard("announce", || {
        // SAFETY: the caller's promise.
        if let Some(handle) = unsafe { take_back(announced) } {
            handle.announced.withdraw()?;
        }
        Ok(0)
    })
}
