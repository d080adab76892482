//! Listening for Multipath TCP connections.

use std::net::{TcpListener, ToSocketAddrs};

use crate::error::{Error, Result};
use crate::shared::listener::{Listen, listen_on, listen_on_any};
use crate::shared::new_socket::resolve;
use crate::table::{Type, Typed, operation};

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
        for local in resolve(address, "listen")? {
            match listen_on(local, options) {
                Ok(listener) => return Ok(TcpListener::from(listener)),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| {
            Error::argument("listen", "the list of addresses is empty")
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
    listen_on_any(port, options).map(TcpListener::from)
}
