//! One connection: its subflows with their path indexes.

use std::os::fd::BorrowedFd;

use subflows::{PathManager, State, Subflow, SubflowState};

use crate::errno::{Errno, NO_SUCH_ID, NOT_MPTCP, errno};
use crate::held::Held;
use crate::ids::Named;
use crate::layout::SubStatus;
use crate::registry::Registry;

/// Reports who manages the subflows of a connection. Fails if the socket has no connection of Multipath TCP.
pub fn require_mptcp(sock: BorrowedFd<'_>) -> Result<PathManager, Errno> {
    let status = subflows::status(&sock).map_err(|_| NOT_MPTCP)?;
    if status.state == State::Mptcp { Ok(status.path_manager) } else { Err(NOT_MPTCP) }
}

/// Reads the live subflows, and brings the path indexes up to date. Those that are still being opened keep the
/// index of their request.
pub(crate) fn follow(
    registry: &mut Registry,
    sock: BorrowedFd<'_>,
) -> Result<(Held, Vec<Subflow>), Errno> {
    require_mptcp(sock)?;
    let held = Held::new(sock)?;
    let live = subflows::list(&sock).map_err(|error| errno(&error))?;
    let mut known = registry.connection(held).ids.subflows();
    let mut joining = Vec::new();
    for pending in registry.pending.iter_mut().filter(|pending| pending.held == held) {
        let is_free = |subflow: &&Subflow| !known.contains(&subflow.id);
        let found = live.iter().filter(is_free).find(|subflow| pending.is_of(subflow));
        pending.subflow = found.map(|subflow| subflow.id);
        joining.extend(pending.subflow);
        known.extend(pending.subflow);
    }
    let others = live.iter().map(|subflow| subflow.id).filter(|id| !joining.contains(id));
    registry.connection(held).ids.follow(others);
    Ok((held, live))
}

/// The list of a connection, newest first.
pub(crate) fn statuses(
    registry: &mut Registry,
    sock: BorrowedFd<'_>,
) -> Result<Vec<SubStatus>, Errno> {
    let (held, live) = follow(registry, sock)?;
    let ids = registry.connection(held).ids.clone();
    let status = |(id, named): (u8, Named)| {
        let is_joining = matches!(named, Named::Request(_));
        let found = subflow_of(registry, held, named, &live);
        let Some(found) = found else {
            return is_joining.then_some(SubStatus { id, slave_sk: true, ..SubStatus::default() });
        };
        let details = subflows::details(&sock, found.id).ok();
        let is_additional = details.as_ref().map(|details| details.is_additional);
        let is_attached =
            ![SubflowState::SynSent, SubflowState::SynReceived].contains(&found.state);
        Some(SubStatus {
            id,
            slave_sk: is_additional.unwrap_or(id != 1),
            fully_established: is_attached && !is_joining,
            attached: is_attached,
            low_prio: details.is_some_and(|details| details.is_backup),
            pre_established: is_attached && is_joining,
        })
    };
    Ok(ids.newest_first().filter_map(status).collect())
}

/// The subflow that a path index names. `None` if it has ended, or is still to be opened.
fn subflow_of<'a>(
    registry: &Registry,
    held: Held,
    named: Named,
    live: &'a [Subflow],
) -> Option<&'a Subflow> {
    let id = match named {
        Named::Subflow(id) => Some(id),
        Named::Request(number) => registry.request(held, number)?.subflow,
    };
    live.iter().find(|live| Some(live.id) == id)
}

/// The subflow with that path index.
pub(crate) fn live_subflow(
    registry: &mut Registry,
    sock: BorrowedFd<'_>,
    id: u8,
) -> Result<Subflow, Errno> {
    let (held, live) = follow(registry, sock)?;
    let named = registry.connection(held).ids.named(id).ok_or(NO_SUCH_ID)?;
    subflow_of(registry, held, named, &live).cloned().ok_or(NO_SUCH_ID)
}
