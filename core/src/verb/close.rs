//! Closing a subflow.

use std::os::fd::{AsFd, BorrowedFd};

use crate::door::common::path_manager::path_manager;
use crate::door::{self, Answer, SubflowSocket, Why};
use crate::error::{Error, ErrorKind, Result};
use crate::shared::connected::Connected;
use crate::shared::diag_subflow::{self, Depth};
use crate::shared::path_manager::PathManager;
use crate::shared::socket_state::{no_such_subflow, not_mptcp_error, query_error};
use crate::shared::subflow::{Subflow, list_fd};
use crate::shared::subflow_state::SubflowState;
use crate::sys::cache::QueryError;
use crate::sys::mptcp;
use crate::sys::sock_diag::{Head, NO_TCP_DIAG};
use crate::table::{Type, operation};

operation! {
    /// Closes one subflow and leaves the connection open.
    ///
    /// Data that was sent on the subflow and not acknowledged is sent again on the others. The
    /// initial subflow can be closed, and so can one that is still being opened. The peer sees a reset
    /// if it is the initial subflow, or if the kernel's path manager manages the connection. After the
    /// return, `list` no longer shows the subflow. The ids are those that `list` reports. Do not assume
    /// the initial subflow's: it is 1 or 0.
    ///
    /// # Errors
    /// - `NoSuchSubflow` if no live subflow has that id, for example because it was closed before.
    /// - `InvalidState` for the last subflow that works, also while another one is still joining: see
    ///   [`force_close`]. If two threads each close one of two subflows at the same time, both
    ///   succeed: the kernel has no such check.
    /// - `Closed` if the connection has ended; `NotMptcp` for plain TCP and after fallback.
    /// - `NotPermitted` without the privilege; `OtherNamespace` from another network namespace.
    /// - `Unsupported` for a connection under the kernel's path manager on a kernel without
    ///   `CONFIG_INET_DIAG_DESTROY`.
    ///
    /// ```no_run
    /// # let stream = std::net::TcpStream::connect("server.example:443")?;
    /// let paths = subflows::list(&stream)?;
    /// if let [initial, _second, ..] = &paths[..] {
    ///     subflows::close(&stream, initial.id)?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "MPTCP_CLOSE_SUB_ID")]
    row CLOSE(sock: Type::Socket, id: Type::U32, force: Type::Bool) -> Type::Nothing,
        requires NetAdmin,
        since "5.19" with "`CONFIG_INET_DIAG_DESTROY` and the module `tcp_diag` for connections that \
            the kernel manages",
        [NoSuchSubflow InvalidState Closed NotMptcp NotPermitted OtherNamespace Unsupported];
    pub fn close(sock: &impl AsFd, id: u32) -> Result<()> {
        close_fd(sock.as_fd(), id, false)
    }
}

/// Closes one subflow as [`close`] does, even if it is the last one that works.
///
/// The connection then has no path. Unless another subflow is opened, the connection ends after
/// `net.mptcp.close_timeout`. In other languages this is `close` with `force`.
///
/// # Errors
/// As [`close`], without `InvalidState`.
pub fn force_close(sock: &impl AsFd, id: u32) -> Result<()> {
    close_fd(sock.as_fd(), id, true)
}

fn close_fd(sock: BorrowedFd<'_>, id: u32, force: bool) -> Result<()> {
    const OPERATION: &str = "close";
    let subflows = list_fd(sock, OPERATION)?;
    let Some(subflow) = subflows.iter().find(|subflow| subflow.id == id) else {
        return Err(no_such_subflow(sock, OPERATION, id));
    };
    let info = mptcp::info(sock).map_err(|error| not_mptcp_error(sock, OPERATION, &error))?;
    let connection = Connected::new(sock, &info);
    // A subflow that is still being opened, or that the peer has closed, carries nothing.
    let is_other = |other: &&Subflow| other.id != id && other.state == SubflowState::Established;
    let others: Vec<&Subflow> = subflows.iter().filter(is_other).collect();
    let is_last = match is_any_joined(connection, &others, subflow) {
        Ok(is_any) => !is_any,
        // With force, the TCP state is enough.
        Err(_) if force => others.is_empty(),
        // A kernel without tcp_diag reports nothing else.
        Err(error) if error.is(NO_TCP_DIAG) => others.is_empty(),
        Err(error) => return Err(query_error(OPERATION, error)),
    };
    if is_last && !force {
        return Err(Error::new(ErrorKind::InvalidState, OPERATION)
            .detail(if others.is_empty() {
                "this is the last subflow of the connection"
            } else {
                "this is the last subflow that works: no other one has joined yet"
            })
            .with_remedy("Open another subflow first, close the socket, or close with force."));
    }
    let door = door::choose();
    let controlled = path_manager(door, sock, &info) != PathManager::Kernel;
    let entry = diag_subflow::find(connection, subflow.ends(), Depth::Shallow);
    let abort = |head: &Head| {
        let Head { local, remote, interface, cookie, .. } = *head;
        door.abort(sock, SubflowSocket { local, remote, interface, cookie })
    };
    // If the path manager's command closes the last subflow that works, the connection never ends,
    // although it has no subflow. After an abort the connection times out, as the peer's does.
    if controlled && !is_last {
        // By the command, the initial subflow ends with a FIN, and from then on the kernel ignores
        // what arrives on it. If a direction of the connection is being closed, a Linux peer stays in
        // CLOSE_WAIT and goes on sending there (`tests/upstream/half-close`). The peer may be closing
        // its direction without this end knowing it yet, so the initial subflow is always aborted:
        // the peer then sends everything again on the others. Another subflow is no longer there
        // after the command, so that what arrives on it is answered by a reset.
        if let Some(entry) = entry.as_ref().ok().filter(|entry| entry.is_initial()) {
            match abort(&entry.head) {
                Err(refused) if refused.why == Why::Unsupported => {}
                other => return closed(sock, id, other),
            }
        }
        match door.destroy(connection, subflow.local, subflow.remote) {
            Err(refused) if refused.why == Why::Rejected => {}
            other => return closed(sock, id, other),
        }
    }
    let entry = entry.map_err(|error| {
        if error.is(libc::ENOENT) {
            no_such_subflow(sock, OPERATION, id)
        } else {
            query_error(OPERATION, error)
        }
    })?;
    closed(sock, id, abort(&entry.head))
}

/// Reports whether one of these established subflows has joined: before that the peer can still reset it.
/// `known` is another subflow of the connection.
fn is_any_joined(
    connection: Connected<'_>,
    established: &[&Subflow],
    known: &Subflow,
) -> std::result::Result<bool, QueryError> {
    let mut has_table = established.is_empty();
    for subflow in established.iter().chain([&known]) {
        if has_table && subflow.id == known.id {
            break;
        }
        match diag_subflow::find(connection, subflow.ends(), Depth::Shallow) {
            Ok(entry) if entry.is_joined() && subflow.id != known.id => return Ok(true),
            Ok(_) => has_table = true,
            // The subflow was closed since it was listed.
            Err(error) if error.is(libc::ENOENT) => {}
            Err(error) => return Err(error),
        }
    }
    // If every one of them is gone, nothing more than the TCP state is known.
    Ok(!has_table)
}

/// Reports a subflow that had already ended in the way that every verb does.
fn closed(sock: BorrowedFd<'_>, id: u32, answer: Answer) -> Result<()> {
    answer.map_err(|refused| match refused.why {
        Why::NotFound => no_such_subflow(sock, "close", id),
        _ => refused.during("close"),
    })
}
