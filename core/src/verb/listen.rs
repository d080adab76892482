//! Listening for Multipath TCP connections.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

use crate::error::{Error, Result};
use crate::shared::interface::index_of;
use crate::shared::listener::listen_on;
use crate::shared::new_socket::resolve;
use crate::table::{Type, Typed, operation, options};

const OPERATION: &str = "listen";

options! {
    /// Options of `listen`.
    pub struct Listen {
        optional {
            /// The interface whose connections are accepted, by name (SO_BINDTOIFINDEX). Without it,
            /// those of every interface.
            interface: String,
        }
        default {
            /// The number of connections that may wait to be accepted, at most
            /// `net.core.somaxconn`.
            backlog: u32 = 4096,
            /// Whether an IPv6 listener accepts IPv6 connections only.
            only_v6: bool = false,
        }
    }
}

operation! {
    /// Listens for Multipath TCP connections, and accepts plain TCP clients as well.
    ///
    /// Returns a listener of the language. Without a host, it listens on every address of the host: it
    /// is bound to ::, which accepts IPv4 clients as well, or to 0.0.0.0 if there is no IPv6. Port
    /// 0 chooses a free port. The address can be used again as soon as the program has ended
    /// (SO_REUSEADDR). If the kernel has no Multipath TCP, the result is a TCP listener.
    ///
    /// The network namespace decides what manages the subflows of an accepted connection: the value of
    /// `net.mptcp.path_manager` when the client connects. If it is `userspace`, the kernel accepts
    /// further subflows of clients only while a program of this host follows
    /// [`events`](crate::events), in any network namespace.
    ///
    /// Do not set TCP_DEFER_ACCEPT on the listener: the kernel then drops the handshakes of further
    /// subflows until the time of that option has passed.
    ///
    /// # Errors
    /// `AddressNotAvailable` if the address does not belong to this host, or is in use; `NotPermitted`
    /// for a port below 1024 without the privilege; `InvalidArgument` if the name cannot be resolved, or
    /// if a link-local address has neither a scope nor an interface, or two different ones.
    ///
    /// ```
    /// let listener = subflows::listen("[::1]:0", &subflows::Listen::new())?;
    /// assert_eq!(subflows::status(&listener)?.state, subflows::State::Listening);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// [`listen_any`] listens without a host.
    row LISTEN(address: Type::Address, options: Listen::TYPE) -> Type::NewSocket,
        requires Nothing, since "5.6",
        [AddressNotAvailable NotPermitted];
    pub fn listen(address: impl ToSocketAddrs, options: &Listen) -> Result<TcpListener> {
        let mut last = None;
        for local in resolve(address, OPERATION)? {
            match listen_with(local, options) {
                Ok(listener) => return Ok(listener),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| {
            Error::argument(OPERATION, "the list of addresses is empty")
                .with_remedy("Pass at least one address.")
        }))
    }
}

/// Listens on every address of the host, for IPv6 and IPv4 clients.
///
/// This is [`listen`] without a host. The listener is bound to `::` and accepts clients of both
/// families; with [`only_v6`](Listen::only_v6), IPv6 clients only. If the host has no IPv6, the listener
/// is bound to `0.0.0.0`. Port 0 chooses a free port.
///
/// # Errors
/// As [`listen`]; `AddressNotAvailable` also if the port is in use in one family only; `Os` with
/// `only_v6` on a host without IPv6.
///
/// ```
/// let listener = subflows::listen_any(0, &subflows::Listen::new())?;
/// let port = listener.local_addr()?.port();
/// subflows::connect(("127.0.0.1", port), &subflows::Connect::new())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn listen_any(port: u16, options: &Listen) -> Result<TcpListener> {
    // If the port of `::` is in use, a listener on `0.0.0.0` would miss the IPv6 clients, and the caller
    // would not know.
    let lacks_ipv6 = |error: &Error| error.raw_os_error() == Some(libc::EAFNOSUPPORT);
    match listen_with((Ipv6Addr::UNSPECIFIED, port).into(), options) {
        Err(error) if lacks_ipv6(&error) && !options.only_v6 => {
            listen_with((Ipv4Addr::UNSPECIFIED, port).into(), options)
        }
        listener => listener,
    }
}

fn listen_with(local: SocketAddr, options: &Listen) -> Result<TcpListener> {
    let named = options.interface.as_deref().map(|name| index_of(name, OPERATION)).transpose()?;
    let Listen { backlog, only_v6, .. } = *options;
    listen_on(local, named.unwrap_or(0), backlog, only_v6, OPERATION).map(TcpListener::from)
}
