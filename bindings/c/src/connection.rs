//! The Multipath TCP connections of the network namespace.

use std::vec;

use subflows::{Connection, ConnectionsOptions};

use crate::prelude::*;

/// A list of connections, and how far it has been read.
pub struct subflows_connections {
    rest: vec::IntoIter<Connection>,
    current: Option<Connection>,
}

/// Take them with subflows_connections_next().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_connections(
    options: *const subflows_connections_options,
    size: usize,
    connections: Option<&mut MaybeUninit<Box<subflows_connections>>>,
) -> c_int {
    guard("connections", || {
        // SAFETY: `options` has `size` bytes.
        let options: ConnectionsOptions = unsafe { read(options, size) }?;
        hand_out(connections, || {
            let rest = subflows::connections(&options)?.into_iter();
            Ok(subflows_connections { rest, current: None })
        })
    })
}

/// Takes the next connection: fills `connection` and returns 1, or returns 0 at the end of the
/// list, or a negative error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_connections_next(
    connections: Option<&mut subflows_connections>,
    connection: *mut subflows_connection,
    size: usize,
) -> c_int {
    guard("connections", || {
        // SAFETY: `connection` has `size` bytes.
        let out = unsafe { Out::new(connection, size) }?;
        let list = handle::open(connections)?;
        list.current = list.rest.next();
        let Some(current) = &list.current else { return Ok(0) };
        out.fill(current);
        Ok(1)
    })
}

/// Reports the subflows of the connection that was taken last, if the options asked for subflows.
///
/// Fills at most `room` elements of `size` bytes at `details`, and returns how many subflows there
/// are, or a negative error: SUBFLOWS_E_INVALID_STATE before the first connection was taken.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_connections_subflows(
    connections: Option<&mut subflows_connections>,
    details: *mut subflows_details,
    room: usize,
    size: usize,
) -> c_int {
    guard("connections", || {
        // SAFETY: `details` has `room` elements of `size` bytes.
        let out = unsafe { Out::array(details, room, size) }?;
        Ok(out.fill_all(&current(connections)?.subflows))
    })
}

/// Reports the processes that hold the connection that was taken last, if the options asked for processes.
///
/// Fills at most `room` elements of `size` bytes at `processes`, and returns how many processes there
/// are, or a negative error: SUBFLOWS_E_INVALID_STATE before the first connection was taken.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_connections_processes(
    connections: Option<&mut subflows_connections>,
    processes: *mut subflows_process_info,
    room: usize,
    size: usize,
) -> c_int {
    guard("connections", || {
        // SAFETY: `processes` has `room` elements of `size` bytes.
        let out = unsafe { Out::array(processes, room, size) }?;
        Ok(out.fill_all(&current(connections)?.processes))
    })
}

/// The connection that was taken last.
fn current(connections: Option<&mut subflows_connections>) -> Result<&Connection, Failure> {
    handle::open(connections)?.current.as_ref().ok_or(Failure::State(
        "no connection has been taken yet",
        "Call subflows_connections_next() first.",
    ))
}

/// Closes the handle. Does nothing if it is NULL.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_connections_close(connections: Option<Box<subflows_connections>>) {
    handle::close("connections", connections);
}
