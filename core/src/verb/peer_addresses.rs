//! The addresses that the peer of a connection has announced.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

use crate::door::common::peers;
use crate::error::{Error, ErrorKind, Result};
use crate::shared::socket_state::not_mptcp_error;
use crate::sys::mptcp;
use crate::table::{Type, Typed, operation, record};

record! {
    /// An address that the peer of a connection has announced.
    pub struct PeerAddress {
        /// The peer's address id (RFC 8684, section 3.4.1).
        id: u8,
        /// The address, with the port at which the peer accepts subflows: the one that it announced, or that
        /// of the connection.
        remote: SocketAddr,
    }
}

operation! {
    /// Lists the addresses that the peer has announced and not withdrawn, in the order of their ids.
    ///
    /// The kernel reports them by events and forgets them. The library remembers them from the process's
    /// first `connect` with control on: for that connection, and for those of the same network namespace
    /// that begin later. For other connections, follow [`events`](crate::events).
    ///
    /// # Errors
    /// - `InvalidState` if the process has not followed the connection from its beginning: the connection
    ///   began before the process's first `connect` with control, is in another network namespace than the
    ///   process's main thread, or has been forgotten, which happens when 4096 others have begun since. The
    ///   process also needs the right to follow events.
    /// - `NotMptcp` for plain TCP and after fallback.
    ///
    /// ```no_run
    /// # // Requires CAP_NET_ADMIN, and a server that announces addresses.
    /// use subflows::{Connect, Open};
    ///
    /// let stream = subflows::connect("server.example:443", &Connect::new().control(true))?;
    /// for peer in subflows::peer_addresses(&stream)? {
    ///     subflows::open(&stream, &Open::new().remote(peer.remote))?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    row PEER_ADDRESSES(sock: Type::Socket) -> Type::List(&PeerAddress::TYPE),
        requires Nothing, since "5.19", [InvalidState NotMptcp];
    pub fn peer_addresses(sock: &impl AsFd) -> Result<Vec<PeerAddress>> {
        peer_addresses_fd(sock.as_fd())
    }
}

fn peer_addresses_fd(sock: BorrowedFd<'_>) -> Result<Vec<PeerAddress>> {
    const OPERATION: &str = "peer_addresses";
    let info = mptcp::info(sock).map_err(|error| not_mptcp_error(sock, OPERATION, &error))?;
    let peer = peers::peer(sock, info.raw.mptcpi_token).ok_or_else(|| {
        Error::new(ErrorKind::InvalidState, OPERATION)
            .detail("this process has not followed the connection from its beginning")
            .with_remedy(
                "Connect with `control`, or follow the events of the namespace before the connection begins.",
            )
    })?;
    let addresses = peer.addresses.into_iter();
    Ok(addresses.map(|(id, remote)| PeerAddress { id, remote }).collect())
}
