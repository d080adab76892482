//! Taking control of the subflows of a connection.

use std::os::fd::AsFd;

use crate::door;
use crate::door::common::control::take_control_fd;
use crate::error::Result;
use crate::table::{Type, operation};

operation! {
    /// Gives the application control of the subflows of one connection, before it is connected.
    ///
    /// `open`, `set_backup` and `announce` require it. The kernel has no socket option for it, so the
    /// library sets `net.mptcp.path_manager` of the network namespace to `userspace` for about a
    /// microsecond. A helper process restores it, also if this process is killed. A socket that another
    /// program creates in that microsecond, and a connection that the host accepts in it, is also under
    /// application control, for as long as it exists. If the setting is `userspace` already, the
    /// library changes nothing. The socket keeps its bound address and port, congestion control,
    /// buffer sizes and other options. If it was bound or upgraded before, its initial subflow has id 0
    /// instead of 1.
    ///
    /// If both processes are killed in that microsecond, as with a whole container or control group, the
    /// setting stays `userspace` until a program of the namespace takes control again: that call finds the
    /// marker in `net.ipv4.conf.lo.tag` and restores the setting. To restore it by hand, run
    /// `sysctl net.mptcp.path_manager=kernel net.ipv4.conf.lo.tag=0`. If both are stopped in that
    /// microsecond (`docker pause`), it lasts until they continue. In a container that is started with
    /// `--sysctl net.mptcp.path_manager=userspace` the setting never changes.
    ///
    /// A controlled connection ignores the endpoints that are configured with `ip mptcp`, and the
    /// addresses that the peer announces: it has no other subflows than those that one of the two
    /// applications opens. It accepts subflows that the peer opens only while a program of this host
    /// follows events, in any network namespace: see [`events`](crate::events). An announced address
    /// follows events too.
    ///
    /// The call waits at most one second for other processes that take control at the same time. It is
    /// not possible for an accepted connection: the namespace's setting at the time of its handshake
    /// decides.
    ///
    /// # Errors
    /// - `InvalidState` for a socket that is listening, connecting or connected.
    /// - `NotMptcp` for a TCP socket.
    /// - `NotPermitted` without the privilege, or if `/proc/sys` is read-only or hidden, as in many
    ///   containers and services. Nothing has been changed then.
    /// - `Busy` if another process holds the lock for a second.
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
