//! Making sockets: connected, listening, or made Multipath TCP afterwards.

use std::net::{TcpListener, TcpStream};

use subflows::{Connect, Connecting, Family, Listen};

use crate::prelude::*;
use crate::resolve::{any_host, port, resolve};

/// `family` is AF_INET or AF_INET6.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_socket(family: c_int) -> c_int {
    guard("socket", || {
        let family = match family {
            libc::AF_INET => Family::V4,
            libc::AF_INET6 => Family::V6,
            other => {
                let text = format!("{other} is not an address family");
                return Err(Failure::argument(text, "Pass AF_INET or AF_INET6."));
            }
        };
        Ok(subflows::socket(family)?.into_raw_fd())
    })
}

/// `host` is a name or an address, `service` the name or the number of a port. Neither a signal nor
/// pthread_cancel() ends the wait: use subflows_connecting_begin() for that. Fails with
/// SUBFLOWS_E_INVALID_ARGUMENT if the name does not resolve.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_connect(
    host: *const c_char,
    service: *const c_char,
    options: *const subflows_connect_options,
    size: usize,
) -> c_int {
    guard("connect", || {
        // SAFETY: `options` has `size` bytes.
        let options: Connect = unsafe { read(options, size) }?;
        let addresses = resolve(host, service)?;
        let stream: TcpStream = subflows::connect(&*addresses, &options)?;
        Ok(stream.into_raw_fd())
    })
}

/// If `host` is NULL or "", it listens on every local address, for IPv6 and IPv4 clients, or for IPv4
/// clients if the host has no IPv6. If `service` is "0", it chooses a free port, which getsockname()
/// returns. Fails with SUBFLOWS_E_INVALID_ARGUMENT if the name does not resolve.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_listen(
    host: *const c_char,
    service: *const c_char,
    options: *const subflows_listen_options,
    size: usize,
) -> c_int {
    guard("listen", || {
        // SAFETY: `options` has `size` bytes.
        let options: Listen = unsafe { read(options, size) }?;
        let listener: TcpListener = if any_host(host)? {
            subflows::listen_any(port(service)?, &options)?
        } else {
            subflows::listen(&*resolve(host, service)?, &options)?
        };
        Ok(listener.into_raw_fd())
    })
}

/// A connection that is being made, for programs that have a loop of their own.
pub struct subflows_connecting(Connecting);

/// Starts to connect, and returns without waiting. With `control`, it waits for other processes that take
/// control at the same time, at most one second.
///
/// Poll subflows_connecting_fd() for writability, for at most subflows_connecting_timeout_ms(), and
/// then call subflows_connecting_advance(). Repeat until that returns 1;
/// subflows_connecting_finish() then returns the socket. Returns 0 and a handle in `connecting`, or
/// a negative error as subflows_connect().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_connecting_begin(
    remote: *const sockaddr,
    length: socklen_t,
    options: *const subflows_connect_options,
    size: usize,
    connecting: Option<&mut MaybeUninit<Box<subflows_connecting>>>,
) -> c_int {
    guard("connect", || {
        // SAFETY: `options` has `size` bytes.
        let options: Connect = unsafe { read(options, size) }?;
        let remote = convert::address(remote, length, "remote")?;
        let remote = convert::required(remote, "remote", convert::AN_ADDRESS)?;
        hand_out(connecting, || Ok(subflows_connecting(Connecting::begin(&[remote], &options)?)))
    })
}

/// Returns the descriptor to poll for writability, which belongs to the handle.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_connecting_fd(connecting: Option<&mut subflows_connecting>) -> c_int {
    guard("connect", || Ok(handle::open(connecting)?.0.fd().as_raw_fd()))
}

/// Returns how long to poll at most, in milliseconds: -1, as for poll(2), if the options set no
/// timeout; 0 if the handle is NULL.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_connecting_timeout_ms(
    connecting: Option<&subflows_connecting>,
) -> c_int {
    guard("connect", || {
        let Some(connecting) = connecting else { return Ok(0) };
        Ok(connecting.0.deadline().map_or(-1, milliseconds_until))
    })
}

/// Continues without waiting: returns 1 if the connection is made, 0 if it is not made yet, or a
/// negative error.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_connecting_advance(
    connecting: Option<&mut subflows_connecting>,
) -> c_int {
    guard("connect", || Ok(c_int::from(handle::open(connecting)?.0.advance()?)))
}

/// Returns the connected descriptor, in blocking mode, and closes the handle in any case.
///
/// Returns a negative error if subflows_connecting_advance() has not returned 1 yet.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_connecting_finish(
    connecting: Option<Box<subflows_connecting>>,
) -> c_int {
    guard("connect", || Ok(handle::open(connecting)?.0.finish()?.into_raw_fd()))
}

/// Gives up the attempt and closes the handle. Does nothing if it is NULL.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_connecting_cancel(connecting: Option<Box<subflows_connecting>>) {
    handle::close("connect", connecting);
}
