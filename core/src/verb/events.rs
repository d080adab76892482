//! Following the events of one connection.

use std::os::fd::AsFd;

use crate::error::{Error, ErrorKind, Result};
use crate::shared::socket_state::{MptcpState, SocketState, not_mptcp_error, state_of};
use crate::sys::mptcp;
use crate::table::{Type, operation};
use crate::wait::events::Events;

const OPERATION: &str = "events";

operation! {
    /// Follows the events of one connection, from now on.
    ///
    /// If the program reads too slowly, events are lost: the kernel keeps about 256. The stream
    /// then returns `Lost`, and an event with `is_resync` for each subflow that was opened or
    /// closed while events were lost. The kernel does not report the end of every connection: no
    /// event comes for one that times out, so call `status` as well. The stream does not end with
    /// its connection: after `EventKind::Closed` no further event comes. A `set_backup` of this end
    /// causes an event on the peer only.
    ///
    /// # Errors
    /// `NotConnected` before connect(2) was called; `Closed` if the connection has ended; `NotMptcp`
    /// for plain TCP and after fallback; `NotPermitted` without the privilege; `OtherNamespace` from
    /// another network namespace.
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
