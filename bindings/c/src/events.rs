//! What happens to connections, as it happens.

use std::ffi::{c_char, c_int};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use subflows::Events;

use crate::cancel::{self, Waited};
use crate::deadline::milliseconds_until;
use crate::descriptor::socket;
use crate::enum_name::enum_name;
use crate::guard::guard;
use crate::handle::{hand_out, handle, take_back};
use crate::mirror::{SUBFLOWS_EVENT_KIND_NAMES, subflows_event};
use crate::structs::{check_size, fill};

/// A stream of events.
pub struct subflows_events {
    events: Events,
}

/// Follows what happens to one connection, from now on.
///
/// Poll subflows_events_fd() for readability and take them with subflows_events_next(). Reading
/// slower than events come loses some (the kernel keeps about 256): the stream then gives
/// SUBFLOWS_EVENT_KIND_LOST, followed by events marked `is_resync` for every subflow that came or
/// went meanwhile. The kernel does not tell the end of every connection: one that times out ends
/// silently, so ask subflows_status() as well.
///
/// Returns 0 and a handle in `events`, or a negative error: NOT_CONNECTED before connect was called;
/// CLOSED where the connection is over; NOT_MPTCP for plain TCP and after fallback; NOT_PERMITTED;
/// OTHER_NAMESPACE from another network namespace.
///
/// # Safety
/// `events` leads to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_events(fd: c_int, events: *mut *mut subflows_events) -> c_int {
    guard("events", || {
        let stream = subflows_events { events: subflows::events(&socket(fd)?)? };
        // SAFETY: the caller's promise.
        unsafe { hand_out(events, stream) }.map(|()| 0)
    })
}

/// Follows every connection and listener of the calling thread's network namespace.
///
/// Otherwise as subflows_events().
///
/// # Safety
/// `events` leads to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_events_of_namespace(events: *mut *mut subflows_events) -> c_int {
    guard("events", || {
        let stream = subflows_events { events: Events::of_namespace()? };
        // SAFETY: the caller's promise.
        unsafe { hand_out(events, stream) }.map(|()| 0)
    })
}

/// The descriptor to poll for readability; it is the handle's.
///
/// When it is readable, take events until there are none: some may be out of the descriptor already.
///
/// # Safety
/// `events` is an open handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_events_fd(events: *mut subflows_events) -> c_int {
    guard("events", || {
        // SAFETY: the caller's promise.
        Ok(unsafe { handle(events) }?.events.fd().as_raw_fd())
    })
}

/// How many bytes of events the kernel is to keep for us; about 256 events' worth by default. More
/// than net.core.rmem_max needs CAP_NET_ADMIN. Returns 0 or a negative error.
///
/// # Safety
/// `events` is an open handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_events_set_buffer(
    events: *mut subflows_events,
    bytes: u32,
) -> c_int {
    guard("events", || {
        // SAFETY: the caller's promise.
        unsafe { handle(events) }?.events.set_buffer(bytes);
        Ok(0)
    })
}

/// Takes the next event: 1 and `event` is filled, 0 when none came in time, or a negative error.
///
/// Waits at most `timeout_ms` milliseconds: 0 not at all, -1 without end. A signal that a handler
/// takes ends the wait, with 0. Unless `timeout_ms` is 0 this is a cancellation point: a thread that
/// is cancelled (pthread_cancel) in the wait ends there. No event is lost by that, and the handle
/// stays open, for a cleanup handler to close.
///
/// # Safety
/// `events` is an open handle, and `event` leads to `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn subflows_events_next(
    events: *mut subflows_events,
    event: *mut subflows_event,
    size: usize,
    timeout_ms: c_int,
) -> c_int {
    // A cancelled thread leaves this frame by unwinding: nothing in it may need to be dropped.
    if timeout_ms != 0 {
        cancel::test();
    }
    let (mut fd, mut left_ms, mut deadline, mut cannot_wait) = (-1, timeout_ms, None, false);
    loop {
        let taken = guard("events", || {
            check_size(event, size)?;
            // SAFETY: the caller's promise.
            let stream = &mut unsafe { handle(events) }?.events;
            let next = match cannot_wait {
                // Core says why.
                true => stream.next(Duration::ZERO)?,
                false => stream.try_next()?,
            };
            if let Some(taken) = next {
                // SAFETY: the caller's promise.
                return unsafe { fill(event, size, &taken) }.map(|()| 1);
            }
            if let Ok(limit) = u64::try_from(timeout_ms) {
                let limit = Duration::from_millis(limit);
                left_ms =
                    milliseconds_until(*deadline.get_or_insert_with(|| Instant::now() + limit));
            }
            fd = stream.fd().as_raw_fd();
            Ok(0)
        });
        if taken != 0 || left_ms == 0 || cannot_wait {
            return taken;
        }
        match cancel::wait(fd, left_ms) {
            Waited::Signal => return 0,
            Waited::Failed => cannot_wait = true,
            Waited::Over => {}
        }
    }
}

/// Closes the handle; NULL is nothing.
///
/// # Safety
/// `events` is an open handle, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_events_close(events: *mut subflows_events) {
    guard("events", || {
        // SAFETY: the caller's promise.
        drop(unsafe { take_back(events) });
        Ok(0)
    });
}

/// The name of an enum subflows_event_kind: "SubflowClosed". Never NULL; "Unknown" for other
/// numbers.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_event_kind_name(kind: c_int) -> *const c_char {
    enum_name(SUBFLOWS_EVENT_KIND_NAMES, kind)
}
