//! Listening for Multipath TCP connections.

use std::net::{TcpListener, ToSocketAddrs};

use crate::error::{Error, Result};
use crate::shared::listener::{Listen, listen_on, listen_on_any};
use crate::shared::new_socket::resolve;
use crate::table::{Type, Typed, operation};

operation! {
    /// Listens for Multipath TCP connections; plain TCP clients are accepted as well.
    ///
    /// The result is the language's own listener. Without a host (in Rust: [`listen_any`]) it is bound
    /// to `::`, which accepts IPv4 clients as well, or to `0.0.0.0` if there is no IPv6. The address
    /// may be taken again at once after the program ends (SO_REUSEADDR). Where the kernel has no
    /// Multipath TCP it is a TCP listener. Who manages the paths of accepted connections is decided
    /// by the network namespace (`net.mptcp.path_manager`) when a client connects: there is nothing
    /// to set here. Where that is `userspace`, the kernel takes further subflows of clients only
    /// while some program of the host follows [`events`](crate::events).
    ///
    /// # Errors
    /// `AddressNotAvailable` where the address is not ours or is taken; `NotPermitted` for a port
    /// below 1024 without the right; `InvalidArgument` where the name does not resolve.
    ///
    /// ```
    /// let listener = subflows::listen("[::1]:0", &subflows::Listen::new())?;
    /// assert_eq!(subflows::status(&listener)?.state, subflows::State::Listening);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
        Err(last.unwrap_or_else(|| Error::argument("listen", "the name has no address")))
    }
}

/// Listens on every local address, for clients of IPv6 and of IPv4.
///
/// As [`listen`] with a host that is left out. The listener is bound to `::` and accepts clients of
/// both families; with [`only_v6`](Listen::only_v6) it accepts IPv6 clients only. If the host has no
/// IPv6, the listener is bound to `0.0.0.0`. Port 0 chooses a free port.
///
/// # Errors
/// As [`listen`]. If the port is taken in either family: `AddressNotAvailable`. With `only_v6` on a
/// host without IPv6: `Os`.
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
