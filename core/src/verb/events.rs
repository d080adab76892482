//! Following what happens to one connection.

use std::os::fd::AsFd;

use crate::error::{Error, ErrorKind, Result};
use crate::shared::socket_state::{MptcpState, SocketState, not_mptcp_error, state_of};
use crate::sys::mptcp;
use crate::table::{Type, operation};
use crate::wait::events::Events;

const OPERATION: &str = "events";

operation! {
    /// Follows what happens to one connection, from now on.
    ///
    /// Reading slower than events come loses some (the kernel keeps about 256): the stream then
    /// gives `Lost`, followed by events marked `is_resync` for every subflow that came or went
    /// meanwhile. The kernel does not tell the end of every connection: one that times out ends
    /// silently, so ask `status` as well. The stream has no end of its own: after
    /// `EventKind::Closed` nothing more comes, however long it is waited for. Our own `set_backup`
    /// is told to the peer only.
    ///
    /// # Errors
    /// `NotConnected` before connect was called; `Closed` where the connection is over; `NotMptcp` for plain TCP and after fallback;
    /// `NotPermitted` without the right; `OtherNamespace` from another network namespace.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// # let stream = std::net::TcpStream::connect("server.example:443")?;
    /// let mut events = subflows::events(&stream)?;
    /// while let Some(event) = events.next(Duration::from_secs(1))? {
    ///     println!("{} {:?}", event.kind, event.remote);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    row EVENTS(sock: Type::Socket) -> Type::Handle("Events"),
        requires NetAdmin, since "5.16",
        [NotConnected Closed NotMptcp NotPermitted OtherNamespace];
    pub fn events(sock: &impl AsFd) -> Result<Events> {
        let sock = sock.as_fd();
        let info = mptcp::info(sock).map_err(|error| not_mptcp_error(sock, OPERATION, &error))?;
        match state_of(sock, OPERATION)? {
            SocketState::Mptcp(_, MptcpState::Closed) => Err(Error::new(ErrorKind::Closed, OPERATION)),
            _ if info.raw.mptcpi_token == 0 => Err(Error::new(ErrorKind::NotConnected, OPERATION)),
            _ => Events::open(Some(sock), Some(info.raw.mptcpi_token)),
        }
    }
}
