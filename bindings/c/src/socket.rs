//! Making sockets: connected, listening, or made Multipath TCP afterwards.

use std::ffi::{c_char, c_int};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, IntoRawFd};

use libc::{sockaddr, socklen_t};
use subflows::{Connect, Connecting, Family, Listen};

use crate::convert::address;
use crate::deadline::milliseconds_until;
use crate::descriptor::socket;
use crate::failure::Failure;
use crate::guard::guard;
use crate::handle::{hand_out, handle, take_back};
use crate::mirror::{subflows_connect_options, subflows_listen_options};
use crate::resolve::{any_address, resolve};
use crate::structs::read;

/// Makes a stream socket, unconnected and unbound: Multipath TCP, or plain TCP where the kernel has
/// none, or it is switched off or forbidden (subflows_status() then says so).
///
/// `family` is AF_INET or AF_INET6. Returns the descriptor, which is closed on exec and which the
/// caller closes, or a negative error.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_socket(family: c_int) -> c_int {
    guard("socket", || {
        let family = match family {
            libc::AF_INET => Family::V4,
            libc::AF_INET6 => Family::V6,
            other => return Err(Failure::argument(format!("{other} is no family of addresses"))),
        };
        Ok(subflows::socket(family)?.into_raw_fd())
    })
}

/// Connects by Multipath TCP, or by plain TCP where either end has none.
///
/// `host` is a name or an address, `service` a name or a number of a port. Each address that the
/// name has is tried in turn, with the whole timeout each. Options may be NULL. Returns a connected
/// descriptor in blocking mode, closed on exec, which the caller closes, or a negative error:
/// REFUSED, UNREACHABLE, TIMED_OUT, ADDRESS_NOT_AVAILABLE as connect(2) and bind(2) say;
/// NOT_PERMITTED, BUSY, UNSUPPORTED as subflows_take_control() says, when control is asked for;
/// INVALID_ARGUMENT where the name does not resolve.
///
/// A signal does not end the wait, and pthread_cancel() does not: use subflows_connecting_begin() for
/// that.
///
/// # Safety
/// The texts end with a zero; `options` leads to `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_connect(
    host: *const c_char,
    service: *const c_char,
    options: *const subflows_connect_options,
    size: usize,
) -> c_int {
    guard("connect", || {
        // SAFETY: the caller's promise.
        let options: Connect = unsafe { read(options, size) }?;
        let addresses = resolve(host, service)?;
        let stream: TcpStream = subflows::connect(&*addresses, &options)?;
        Ok(stream.into_raw_fd())
    })
}

/// Listens for Multipath TCP connections; plain TCP clients are accepted as well.
///
/// `host` NULL listens on every address, of both families where there is IPv6; `service` "0"
/// chooses a free port, which getsockname() tells. Options may be NULL. Returns a listening
/// descriptor, closed on exec, which the caller closes, or a negative error: ADDRESS_NOT_AVAILABLE,
/// NOT_PERMITTED for a port below 1024, INVALID_ARGUMENT where the name does not resolve.
///
/// Who manages the paths of the connections that it accepts, the namespace decides:
/// net.mptcp.path_manager.
///
/// # Safety
/// The texts end with a zero; `options` leads to `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_listen(
    host: *const c_char,
    service: *const c_char,
    options: *const subflows_listen_options,
    size: usize,
) -> c_int {
    guard("listen", || {
        // SAFETY: the caller's promise.
        let options: Listen = unsafe { read(options, size) }?;
        let listener: TcpListener = if host.is_null() {
            let [both, v4] = any_address(service)?;
            subflows::listen(both, &options).or_else(|_| subflows::listen(v4, &options))?
        } else {
            subflows::listen(&*resolve(host, service)?, &options)?
        };
        Ok(listener.into_raw_fd())
    })
}

/// Makes an unconnected, unbound TCP socket a Multipath TCP socket, under the same descriptor.
///
/// The options that were set are carried over. Returns 0, or a negative error: INVALID_STATE for a
/// socket that is bound, connected, listening, watched by epoll through another descriptor, or has
/// an option that cannot be carried (the message names it); UNSUPPORTED where the kernel has no
/// Multipath TCP; OTHER_NAMESPACE from another network namespace. It is then as it was.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_upgrade(fd: c_int) -> c_int {
    guard("upgrade", || {
        subflows::upgrade(&socket(fd)?)?;
        Ok(0)
    })
}

/// A connection that is being made, for programs that have a loop of their own.
pub struct subflows_connecting {
    connecting: Connecting,
}

/// Starts to connect, and waits for nothing.
///
/// Poll subflows_connecting_fd() for writability until the time is up, and call
/// subflows_connecting_advance() then, until it says 1; subflows_connecting_finish() gives the
/// socket. Returns 0 and a handle in `connecting`, or a negative error as subflows_connect().
///
/// # Safety
/// `remote` leads to `length` bytes, `options` to `size`, `connecting` to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_connecting_begin(
    remote: *const sockaddr,
    length: socklen_t,
    options: *const subflows_connect_options,
    size: usize,
    connecting: *mut *mut subflows_connecting,
) -> c_int {
    guard("connect", || {
        if connecting.is_null() {
            return Err(Failure::argument("the pointer to the handle is NULL"));
        }
        // SAFETY: the caller's promise.
        let options: Connect = unsafe { read(options, size) }?;
        let remote = address(remote, length, "remote")?;
        let remote = remote.ok_or_else(|| Failure::argument("`remote` is NULL"))?;
        let begun = subflows_connecting { connecting: Connecting::begin(&[remote], &options)? };
        // SAFETY: the caller's promise.
        unsafe { hand_out(connecting, begun) }.map(|()| 0)
    })
}

/// The descriptor to poll for writability. It is the handle's.
///
/// # Safety
/// `connecting` is an open handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_connecting_fd(connecting: *mut subflows_connecting) -> c_int {
    guard("connect", || {
        // SAFETY: the caller's promise.
        Ok(unsafe { handle(connecting) }?.connecting.fd().as_raw_fd())
    })
}

/// How long to poll at most, in milliseconds; -1 where no timeout was asked for, as poll(2) has it.
///
/// # Safety
/// `connecting` is an open handle, or NULL: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_connecting_timeout_ms(
    connecting: *const subflows_connecting,
) -> c_int {
    guard("connect", || {
        // SAFETY: the caller's promise.
        let connecting = unsafe { connecting.as_ref() };
        let Some(connecting) = connecting else { return Ok(0) };
        Ok(connecting.connecting.deadline().map_or(-1, milliseconds_until))
    })
}

/// Looks whether the connection is made: 1 when it is, 0 when not yet, or a negative error.
///
/// # Safety
/// `connecting` is an open handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_connecting_advance(
    connecting: *mut subflows_connecting,
) -> c_int {
    guard("connect", || {
        // SAFETY: the caller's promise.
        Ok(c_int::from(unsafe { handle(connecting) }?.connecting.advance()?))
    })
}

/// Gives the connected descriptor, in blocking mode, and closes the handle in any case.
///
/// Returns a negative error before subflows_connecting_advance() said 1.
///
/// # Safety
/// `connecting` is an open handle, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_connecting_finish(connecting: *mut subflows_connecting) -> c_int {
    guard("connect", || {
        // SAFETY: the caller's promise.
        let connecting = unsafe { take_back(connecting) };
        let connecting = connecting.ok_or_else(|| Failure::argument("the handle is NULL"))?;
        Ok(connecting.connecting.finish()?.into_raw_fd())
    })
}

/// Gives up and closes the handle; NULL is nothing.
///
/// # Safety
/// `connecting` is an open handle, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_connecting_cancel(connecting: *mut subflows_connecting) {
    guard("connect", || {
        // SAFETY: the caller's promise.
        drop(unsafe { take_back(connecting) });
        Ok(0)
    });
}
