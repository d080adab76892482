//! Taking control: who decides about the paths of a connection.

use std::os::fd::AsFd;

use crate::door;
use crate::door::control::take_control_fd;
use crate::error::Result;
use crate::table::{Type, operation};

operation! {
    /// Hands the path management of one connection to the application, before it is connected.
    ///
    /// `open`, `set_backup` and `announce` need it. The namespace's default stays as it was,
    /// whatever happens to this process: it is switched for about a microsecond and back, by a
    /// helper process that survives us. Sockets that other programs make in that microsecond, and
    /// connections that the host accepts in it, are under application control for their life; a
    /// namespace whose `net.mptcp.path_manager` is `userspace` has no such window, and nothing is
    /// written there. Bound address and port, congestion control, buffers and other options stay.
    ///
    /// A controlled connection ignores the endpoints configured with `ip mptcp`, and those that
    /// the peer announces: it has the paths that the application opens, and no others. Those that
    /// the peer opens it takes only while some program of this host follows events, in whatever
    /// namespace ([`events`](crate::events); an announced address does so too).
    ///
    /// Waits at most one second for others that are doing the same. On the accepting side there is
    /// nothing to take: the namespace's setting at the time of the handshake decides.
    ///
    /// # Errors
    /// - `InvalidState` for a socket that is listening, connecting or connected.
    /// - `NotMptcp` for a TCP socket.
    /// - `NotPermitted` without the right, or in a container whose `/proc/sys` is read-only.
    /// - `Busy` where another process held the lock all the time.
    /// - `OtherNamespace` from another network namespace; `Unsupported` before Linux 5.19.
    ///
    /// ```no_run
    /// let sock = subflows::socket(subflows::Family::V4)?;
    /// subflows::take_control(&sock)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    row TAKE_CONTROL(sock: Type::Socket) -> Type::Nothing,
        requires NetAdmin
            and "a writable `/proc/sys/net`, unless the namespace is set to `userspace` already",
        since "5.19",
        [InvalidState NotMptcp NotPermitted Busy OtherNamespace Unsupported];
    pub fn take_control(sock: &impl AsFd) -> Result<()> {
        take_control_fd(door::choose(), sock.as_fd())
    }
}
