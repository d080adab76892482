//! Following the path manager's events: subscribing requires a privilege, reading does not.

use std::os::fd::BorrowedFd;

use crate::door::Door;
use crate::error::Result;
use crate::shared::socket_state::query_error;
use crate::sys::event::KernelEvents;

/// Follows the events of the socket's network namespace, or of the caller's without a socket.
pub(crate) fn follow(
    door: &dyn Door,
    sock: Option<BorrowedFd<'_>>,
    operation: &'static str,
) -> Result<KernelEvents> {
    let fd = door.events(sock).map_err(|refused| refused.during(operation))?;
    KernelEvents::from_fd(fd).map_err(|refusal| query_error(operation, refusal.into()))
}
