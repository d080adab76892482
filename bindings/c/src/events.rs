//! What happens to connections, as it happens.

use std::time::{Duration, Instant};

use subflows::Events;

use crate::cancel::{self, Waited};
use crate::prelude::*;

/// A stream of events.
pub struct subflows_events {
    stream: Events,
}

/// Poll subflows_events_fd() for readability and take events with subflows_events_next().
#[unsafe(no_mangle)]
pub extern "C" fn subflows_events(
    fd: c_int,
    events: Option<&mut MaybeUninit<Box<subflows_events>>>,
) -> c_int {
    guard("events", || {
        hand_out(events, || Ok(subflows_events { stream: subflows::events(&socket(fd)?)? }))
    })
}

/// Follows every connection and listener of the calling thread's network namespace.
///
/// Otherwise as subflows_events().
#[unsafe(no_mangle)]
pub extern "C" fn subflows_events_of_namespace(
    events: Option<&mut MaybeUninit<Box<subflows_events>>>,
) -> c_int {
    guard("events", || hand_out(events, || Ok(subflows_events { stream: Events::of_namespace()? })))
}

/// Returns the descriptor to poll for readability, which belongs to the handle.
///
/// When it is readable, take events until there are none: the library may have read several from
/// the descriptor at once.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_events_fd(events: Option<&mut subflows_events>) -> c_int {
    guard("events", || Ok(handle::open(events)?.stream.fd().as_raw_fd()))
}

/// Sets how many bytes of events the kernel keeps until they are read; the default is enough for
/// about 256 events. More than net.core.rmem_max requires CAP_NET_ADMIN. Returns 0 or a negative
/// error.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_events_set_buffer(
    events: Option<&mut subflows_events>,
    bytes: u32,
) -> c_int {
    guard("events", || {
        handle::open(events)?.stream.set_buffer(bytes);
        Ok(0)
    })
}

/// Takes the next event: fills `event` and returns 1, or returns 0 if none came in time, or a
/// negative error.
///
/// Waits at most `timeout_ms` milliseconds: 0 does not wait, -1 waits without a limit. A signal
/// that a handler takes ends the wait, with 0. Unless `timeout_ms` is 0 this is a cancellation
/// point: a thread that is cancelled (pthread_cancel) in the wait ends there. No event is lost by
/// that, and the handle stays open, for a cleanup handler to close.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn subflows_events_next(
    mut events: Option<&mut subflows_events>,
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
            // SAFETY: `event` has `size` bytes.
            let out = unsafe { Out::new(event, size) }?;
            let stream = &mut handle::open(events.as_deref_mut())?.stream;
            // If poll(2) does not work here, core reports why.
            let next =
                if cannot_wait { stream.next(Duration::ZERO)? } else { stream.try_next()? };
            if let Some(taken) = next {
                out.fill(&taken);
                return Ok(1);
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

/// Closes the handle. Does nothing if it is NULL.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_events_close(events: Option<Box<subflows_events>>) {
    handle::close("events", events);
}
