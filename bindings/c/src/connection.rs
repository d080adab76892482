//! The Multipath TCP connections of the network namespace.

use std::ffi::c_int;
use std::vec;

use subflows::{Connection, ConnectionsOptions};

use crate::failure::Failure;
use crate::guard::guard;
use crate::handle::{hand_out, handle, take_back};
use crate::mirror::{subflows_connection, subflows_connections_options, subflows_details};
use crate::structs::{check_size, fill, fill_array, read};

/// A list of connections, and how far it has been read.
pub struct subflows_connections {
    rest: vec::IntoIter<Connection>,
    current: Option<Connection>,
}

/// Lists every Multipath TCP connection of the calling thread's network namespace, on request with
/// its subflows.
///
/// Take them with subflows_connections_next(). They come in the kernel's order, and the list is not
/// taken at one moment: what opens or closes meanwhile may be in it or not. Options may be NULL.
/// Returns 0 and a handle in `connections`, or a negative error: UNSUPPORTED where the kernel has no
/// mptcp_diag, which in a container the host has to load.
///
/// # Safety
/// `options` leads to `size` bytes, and `connections` to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_connections(
    options: *const subflows_connections_options,
    size: usize,
    connections: *mut *mut subflows_connections,
) -> c_int {
    guard("connections", || {
        // SAFETY: the caller's promise.
        let options: ConnectionsOptions = unsafe { read(options, size) }?;
        let rest = subflows::connections(&options)?.into_iter();
        // SAFETY: the caller's promise.
        unsafe { hand_out(connections, subflows_connections { rest, current: None }) }.map(|()| 0)
    })
}

/// Takes the next connection: 1 and `connection` is filled, 0 at the end, or a negative error.
///
/// # Safety
/// `connections` is an open handle, and `connection` leads to `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_connections_next(
    connections: *mut subflows_connections,
    connection: *mut subflows_connection,
    size: usize,
) -> c_int {
    guard("connections", || {
        check_size(connection, size)?;
        // SAFETY: the caller's promise.
        let list = unsafe { handle(connections) }?;
        list.current = list.rest.next();
        let Some(current) = &list.current else { return Ok(0) };
        // SAFETY: the caller's promise.
        unsafe { fill(connection, size, current) }.map(|()| 1)
    })
}

/// Tells the subflows of the connection that was taken last, where they were asked for.
///
/// Fills as many of the `room` elements of `size` bytes at `details` as there are, and returns how
/// many there are; or a negative error: INVALID_STATE before the first connection was taken.
///
/// # Safety
/// `connections` is an open handle, and `details` leads to `room` elements of `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_connections_subflows(
    connections: *mut subflows_connections,
    details: *mut subflows_details,
    room: usize,
    size: usize,
) -> c_int {
    guard("connections", || {
        // SAFETY: the caller's promise.
        let current = &unsafe { handle(connections) }?.current;
        let current = current.as_ref().ok_or(Failure::State("no connection was taken"))?;
        // SAFETY: the caller's promise.
        unsafe { fill_array(details, room, size, &current.subflows) }
    })
}

/// Closes the list; NULL is nothing.
///
/// # Safety
/// `connections` is an open handle, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_connections_close(connections: *mut subflows_connections) {
    guard("connections", || {
        // SAFETY: the caller's promise.
        drop(unsafe { take_back(connections) });
        Ok(0)
    });
}

/// Looks up one connection of the calling thread's network namespace by its local token, in
/// constant time, without its subflows.
///
/// Returns 0, or a negative error: CLOSED where no connection has that token; UNSUPPORTED where the
/// kernel has no mptcp_diag. A thread that has moved to another network namespace may still be told
/// about a connection of the one that it has left.
///
/// # Safety
/// `connection` leads to `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_connection(
    token: u32,
    connection: *mut subflows_connection,
    size: usize,
) -> c_int {
    guard("connection", || {
        check_size(connection, size)?;
        let found = subflows::connection(token)?;
        // SAFETY: the caller's promise.
        unsafe { fill(connection, size, &found) }.map(|()| 0)
    })
}
