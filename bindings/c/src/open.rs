//! Opening one more subflow: in one call, or stepped by the caller's loop.

use std::ffi::c_int;
use std::os::fd::{AsRawFd, OwnedFd};

use subflows::{Open, Opening};

use crate::deadline::milliseconds_until;
use crate::descriptor::socket;
use crate::failure::Failure;
use crate::guard::guard;
use crate::handle::{hand_out, handle, take_back};
use crate::mirror::{subflows_open_options, subflows_subflow};
use crate::structs::{check_size, fill, read};

/// Opens one more subflow of a connection and waits until it is usable.
///
/// Usable means fully joined: both ends have acknowledged it, and it carries data. A connection
/// becomes ready for this when its first byte is acknowledged; while data is on its way the call
/// waits for that, and fails at once where nothing is. Options may be NULL; `subflow` may be NULL
/// where nobody wants to know. Neither a signal nor
/// pthread_cancel() ends the wait: use subflows_opening_begin() for that.
///
/// Returns 0, or a negative error; the connection then goes on as before. NOT_CONNECTED, CLOSED,
/// NOT_MPTCP: there is no connection to add to. NOT_READY: send or receive something first.
/// NOT_CONTROLLED, NOT_PERMITTED, OTHER_NAMESPACE: not ours to steer, or not from here.
/// ADDRESS_NOT_AVAILABLE, INVALID_ARGUMENT: the local end, or the two together, cannot be.
/// UNREACHABLE, REFUSED, TIMED_OUT: the network or the peer's host says no, or nothing. PEER_LIMIT:
/// the peer took the subflow back, because it accepts no more.
///
/// # Safety
/// `options` leads to `size` bytes, and `subflow` to `subflow_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_open(
    fd: c_int,
    options: *const subflows_open_options,
    size: usize,
    subflow: *mut subflows_subflow,
    subflow_size: usize,
) -> c_int {
    guard("open", || {
        if !subflow.is_null() {
            check_size(subflow, subflow_size)?;
        }
        // SAFETY: the caller's promise.
        let options: Open = unsafe { read(options, size) }?;
        let opened = subflows::open(&socket(fd)?, &options)?;
        if !subflow.is_null() {
            // SAFETY: the caller's promise.
            unsafe { fill(subflow, subflow_size, &opened) }?;
        }
        Ok(0)
    })
}

/// A subflow that is being opened, for programs that have a loop of their own.
pub struct subflows_opening {
    /// On a duplicate: the caller may close its own meanwhile.
    opening: Opening<OwnedFd>,
}

/// Sends the first segment of one more subflow, and waits for nothing.
///
/// Poll subflows_opening_fd() for readability until subflows_opening_timeout_ms() is up, and call
/// subflows_opening_advance() then, until it says 1 or gives an error; then
/// subflows_opening_cancel() closes the handle. Returns 0 and a handle in `opening`, or a negative
/// error as subflows_open(), for what is known at once.
///
/// # Safety
/// `options` leads to `size` bytes, and `opening` to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_opening_begin(
    fd: c_int,
    options: *const subflows_open_options,
    size: usize,
    opening: *mut *mut subflows_opening,
) -> c_int {
    guard("open", || {
        if opening.is_null() {
            return Err(Failure::argument("the pointer to the handle is NULL"));
        }
        // SAFETY: the caller's promise.
        let options: Open = unsafe { read(options, size) }?;
        let duplicate = socket(fd)?.try_clone_to_owned();
        let sock = duplicate.map_err(|error| {
            Failure::argument(format!("descriptor {fd} cannot be duplicated: {error}"))
        })?;
        let begun = subflows_opening { opening: Opening::begin(sock, &options)? };
        // SAFETY: the caller's promise.
        unsafe { hand_out(opening, begun) }.map(|()| 0)
    })
}

/// The descriptor to poll for readability, the same each time. It is the handle's.
///
/// # Safety
/// `opening` is an open handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_opening_fd(opening: *mut subflows_opening) -> c_int {
    guard("open", || {
        // SAFETY: the caller's promise.
        Ok(unsafe { handle(opening) }?.opening.fd()?.as_raw_fd())
    })
}

/// How long to poll at most, in milliseconds.
///
/// # Safety
/// `opening` is an open handle, or NULL: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_opening_timeout_ms(opening: *const subflows_opening) -> c_int {
    guard("open", || {
        // SAFETY: the caller's promise.
        let opening = unsafe { opening.as_ref() };
        Ok(opening.map_or(0, |opening| milliseconds_until(opening.opening.deadline())))
    })
}

/// Looks whether the subflow is usable: 1 when it is, and `subflow` tells it; 0 when not yet; or a
/// negative error as subflows_open(), after which nothing is left of the attempt.
///
/// `subflow` may be NULL. The handle stays open in any case.
///
/// # Safety
/// `opening` is an open handle, and `subflow` leads to `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_opening_advance(
    opening: *mut subflows_opening,
    subflow: *mut subflows_subflow,
    size: usize,
) -> c_int {
    guard("open", || {
        if !subflow.is_null() {
            check_size(subflow, size)?;
        }
        // SAFETY: the caller's promise.
        let Some(opened) = unsafe { handle(opening) }?.opening.advance()? else { return Ok(0) };
        if !subflow.is_null() {
            // SAFETY: the caller's promise.
            unsafe { fill(subflow, size, &opened) }?;
        }
        Ok(1)
    })
}

/// Closes the handle. A subflow that is not usable yet is closed again; one that is stays. NULL is
/// nothing.
///
/// # Safety
/// `opening` is an open handle, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_opening_cancel(opening: *mut subflows_opening) {
    guard("open", || {
        // SAFETY: the caller's promise.
        drop(unsafe { take_back(opening) });
        Ok(0)
    });
}
