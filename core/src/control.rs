//! Taking control: who decides about the paths of a connection.

use std::os::fd::{AsFd, BorrowedFd};

use crate::door::door;
use crate::error::{Error, ErrorKind, Result};
use crate::state::{Observed, Phase, observe};
use crate::subflow::SubflowState;
use crate::sys::socket;
use crate::table::{Ty, operation};

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
    /// Waits at most one second for others that are doing the same. Needs `CAP_NET_ADMIN` and
    /// a writable `/proc/sys/net`; Linux 5.19. On the accepting side there is nothing to take:
    /// the namespace's setting at the time of the handshake decides.
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
    row TAKE_CONTROL(sock: Ty::Socket) -> Ty::Unit, NetAdmin,
        [InvalidState NotMptcp NotPermitted Busy OtherNamespace Unsupported];
    pub fn take_control(sock: &impl AsFd) -> Result<()> {
        take_control_fd(sock.as_fd())
    }
}

pub(crate) fn take_control_fd(sock: BorrowedFd<'_>) -> Result<()> {
    const OPERATION: &str = "take_control";
    let wrong = |what| {
        Err(Error::new(ErrorKind::InvalidState, OPERATION)
            .detail(what)
            .with_remedy("Take control of the socket before it connects."))
    };
    match observe(sock, OPERATION)? {
        Observed::Mptcp(_, Phase::Unconnected | Phase::Closed) => {}
        Observed::Mptcp(_, Phase::Listening) => {
            return Err(Error::new(ErrorKind::InvalidState, OPERATION)
                .detail("a listening socket has no paths of its own")
                .with_remedy(
                    "To control accepted connections, set the namespace: \
                     sysctl net.mptcp.path_manager=userspace.",
                ));
        }
        Observed::Mptcp(_, Phase::Connecting) => return wrong("the socket is connecting"),
        Observed::Mptcp(..) => return wrong("the socket is connected"),
        Observed::FellBack => return wrong("the connection fell back to plain TCP"),
        Observed::Tcp if is_in_use(sock) => return wrong("the socket is in use, by plain TCP"),
        Observed::Tcp => {
            return Err(Error::new(ErrorKind::NotMptcp, OPERATION)
                .with_remedy("Make it Multipath TCP first: `socket`, or `upgrade`."));
        }
    }
    door().take_control(sock).map_err(|error| error.during(OPERATION))
}

/// Whether a TCP socket is past the point where `upgrade` could change it.
fn is_in_use(sock: BorrowedFd<'_>) -> bool {
    socket::tcp_state(sock)
        .is_ok_and(|state| SubflowState::from_kernel(state) != SubflowState::Close)
}
