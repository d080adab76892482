//! Opening one more subflow: in one call, or stepped by the caller's loop.

use std::os::fd::OwnedFd;

use subflows::{Open, Opening};

use crate::prelude::*;

/// `subflow` may be NULL. Neither a signal nor pthread_cancel() ends the wait: use
/// subflows_opening_begin() for that.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_open(
    fd: c_int,
    options: *const subflows_open_options,
    size: usize,
    subflow: *mut subflows_subflow,
    subflow_size: usize,
) -> c_int {
    guard("open", || {
        // SAFETY: `subflow` has `subflow_size` bytes.
        let out = unsafe { Out::if_wanted(subflow, subflow_size) }?;
        // SAFETY: `options` has `size` bytes.
        let options: Open = unsafe { read(options, size) }?;
        let opened = subflows::open(&socket(fd)?, &options)?;
        Ok(out.map_or(0, |out| out.fill(&opened)))
    })
}

/// A subflow that is being opened, for programs that have a loop of their own. It works on a
/// duplicate of the descriptor, so that the caller may close its own in the meantime.
pub struct subflows_opening(Opening<OwnedFd>);

/// Starts to open one more subflow, and returns without waiting.
///
/// Poll subflows_opening_fd() for readability, for at most subflows_opening_timeout_ms(), and then
/// call subflows_opening_advance(). Repeat until that returns 1 or an error, and close the handle
/// with subflows_opening_cancel(). Returns 0 and a handle in `opening`, or a negative error as
/// subflows_open(), if the error is known at once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_opening_begin(
    fd: c_int,
    options: *const subflows_open_options,
    size: usize,
    opening: Option<&mut MaybeUninit<Box<subflows_opening>>>,
) -> c_int {
    guard("open", || {
        // SAFETY: `options` has `size` bytes.
        let options: Open = unsafe { read(options, size) }?;
        hand_out(opening, || {
            // As subflows_open(), also if the process has no descriptor left.
            let duplicate = socket(fd)?.try_clone_to_owned();
            let sock = duplicate.map_err(Failure::System)?;
            Ok(subflows_opening(Opening::begin(sock, &options)?))
        })
    })
}

/// Returns the descriptor to poll for readability, which belongs to the handle and is the same each
/// time.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_opening_fd(opening: Option<&mut subflows_opening>) -> c_int {
    guard("open", || Ok(handle::open(opening)?.0.fd()?.as_raw_fd()))
}

/// Returns how long to poll at most, in milliseconds; 0 if the handle is NULL.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_opening_timeout_ms(opening: Option<&subflows_opening>) -> c_int {
    guard("open", || Ok(opening.map_or(0, |opening| milliseconds_until(opening.0.deadline()))))
}

/// Continues without waiting: fills `subflow` and returns 1 if the subflow is usable, or returns 0
/// if it is not usable yet, or a negative error as subflows_open(), after which nothing is left of
/// the attempt.
///
/// `subflow` may be NULL. The handle stays open in any case.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_opening_advance(
    opening: Option<&mut subflows_opening>,
    subflow: *mut subflows_subflow,
    size: usize,
) -> c_int {
    guard("open", || {
        // SAFETY: `subflow` has `size` bytes.
        let out = unsafe { Out::if_wanted(subflow, size) }?;
        let Some(opened) = handle::open(opening)?.0.advance()? else { return Ok(0) };
        out.map(|out| out.fill(&opened));
        Ok(1)
    })
}

/// Closes the handle. Does nothing if it is NULL. A subflow that is not usable yet is closed as
/// well; a usable one stays open.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_opening_cancel(opening: Option<Box<subflows_opening>>) {
    handle::close("open", opening);
}
