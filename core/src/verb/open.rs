//! Opening a further subflow.
//!
//! The options are in `wait/opening/options.rs`.

use std::os::fd::AsFd;

use crate::error::Result;
use crate::shared::subflow::Subflow;
use crate::table::{Type, Typed, operation};
use crate::wait::opening::{Open, Opening};

operation! {
    /// Opens a further subflow of a connection and waits until it is usable.
    ///
    /// A subflow is usable when it has joined: both ends have acknowledged it, and it carries data. A
    /// connection is ready for further subflows when its first byte is acknowledged. If data is on its
    /// way, the call waits for that; otherwise it fails at once. If the subflow cannot be opened, the
    /// connection stays as it was.
    ///
    /// An IPv6 address that the kernel is still checking for duplicates, and a route that is missing, are
    /// waited for within the timeout: both often come a moment after the interface. An unreachable,
    /// prohibit or blackhole route makes the call fail at once.
    ///
    /// If the peer accepts no further subflow to its initial address (the C flag of RFC 8684), pass an
    /// address that it has announced as `remote`: without one, the call fails with `PeerLimit`. The
    /// kernel reports the flag and the announcements by events only, so the library knows the flag of
    /// connections that its `connect` made with control. For other connections, follow the events of the
    /// namespace before connecting.
    ///
    /// If the round-trip time is at most a millisecond, the subflow is held back for another 50 ms
    /// after it has joined (longer on a busy host, at most half a second), and joins as a backup until
    /// then: Linux 6.15 to 6.18 damages data that arrives on a new subflow while the receiver's socket
    /// is locked.
    ///
    /// # Errors
    /// - `NotConnected`, `Closed`, `NotMptcp`: the socket has no Multipath TCP connection.
    /// - `NotReady`: no data has been acknowledged yet. Send or receive data first.
    /// - `NotControlled`: the kernel's path manager manages the connection.
    /// - `NotPermitted` without the privilege; `OtherNamespace` from another network namespace.
    /// - `AddressNotAvailable`, `InvalidArgument`: the local address, or this pair of addresses, cannot
    ///   be used; or several interfaces own the local address, or a link-local address of the peer lacks
    ///   its interface, so that the choice is the caller's.
    /// - `Unreachable`, `Refused`, `TimedOut`: the network or the peer rejected the subflow, or did not
    ///   answer.
    /// - `NoSuchSubflow`: this host closed the subflow before it had joined (`close`, `ss -K`).
    /// - `Unsupported`: the kernel has no `tcp_diag`, or no userspace path manager.
    /// - `PeerLimit`: the peer answered and then reset the subflow, because it accepts no more; or it
    ///   accepts none to its initial address.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use subflows::Open;
    ///
    /// # let stream = std::net::TcpStream::connect("server.example:443")?;
    /// let options = Open::new().interface("wwan0").backup(true).timeout(Duration::from_secs(2));
    /// let extra = subflows::open(&stream, &options)?;
    /// println!("{} -> {}", extra.local, extra.remote);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "MPTCP_OPEN_SUB_TUPLE")]
    row OPEN(sock: Type::Socket, options: Open::TYPE) -> Subflow::TYPE,
        requires NetAdmin and "a connection that the application controls (`Connect::control`, \
            `take_control`, or `net.mptcp.path_manager=userspace` in the namespace)",
        since "5.19" with "the module `tcp_diag`",
        [NotConnected Closed NotMptcp NotReady NotControlled NotPermitted OtherNamespace
         AddressNotAvailable Unreachable Refused TimedOut PeerLimit NoSuchSubflow Unsupported];
    pub fn open(sock: &impl AsFd, options: &Open) -> Result<Subflow> {
        let mut opening = Opening::begin(sock, options)?;
        loop {
            if let Some(subflow) = opening.advance()? {
                return Ok(subflow);
            }
            opening.wait()?;
        }
    }
}
