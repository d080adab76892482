//! Address ids that are free on a connection.

use std::collections::HashSet;
use std::os::fd::BorrowedFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use super::{Door, Why};
use crate::error::{Error, ErrorKind, Result};
use crate::shared::path_manager::addresses_by_token;
use crate::shared::socket_state::query_error;
use crate::shared::subflow::{Subflow, list_fd};
use crate::shared::{diag_subflow, port};
use crate::sys::cache::{self, Unasked};
use crate::sys::path_manager::{LocalAddress, PathManagerSocket};

/// The kernel counts the subflows of a connection from here (`msk->subflow_id`). Before Linux 6.5 it
/// does not tell; the initial one then has another id.
const INITIAL: u32 = 1;

/// The local addresses that the kernel knows by token.
pub(crate) fn known_addresses(
    sock: BorrowedFd<'_>,
    token: u32,
) -> std::result::Result<Vec<LocalAddress>, Unasked> {
    // Before Linux 6.10 nobody tells. A clash of ids is then refused by the kernel, and another
    // try takes another id.
    if !addresses_by_token(sock) {
        return Ok(Vec::new());
    }
    cache::about(sock, |netlink: &mut PathManagerSocket| netlink.addresses(token))
}

/// An address id that no live subflow of a connection uses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnusedId {
    pub(crate) id: u8,
    /// The kernel keeps it for an address that was used before.
    is_kept: bool,
}

impl UnusedId {
    /// Makes the id usable: the kernel gives up the address for which it keeps it.
    pub(crate) fn claim(
        self,
        door: &dyn Door,
        sock: BorrowedFd<'_>,
        token: u32,
        operation: &'static str,
    ) -> Result<()> {
        if !self.is_kept {
            return Ok(());
        }
        match door.remove(sock, token, self.id) {
            // Another thread has just done so. Whatever else this means, the next command reports.
            Err(refused) if refused.why == Why::Invalid => Ok(()),
            removed => removed.map_err(|refused| refused.during(operation)),
        }
    }
}

/// Chooses an address id that nothing on this connection uses.
///
/// The kernel's own list does not say: closing a subflow by command, or failing to open one, drops
/// the oldest entry of that address, whichever port it was for. So the live subflows are asked too.
pub(crate) fn unused_id(
    sock: BorrowedFd<'_>,
    token: u32,
    known: &[LocalAddress],
    operation: &'static str,
) -> Result<UnusedId> {
    let live = local_address_ids(sock, token, &list_fd(sock, operation)?)
        .map_err(|error| query_error(operation, error))?;
    let is_used = |id: u8| live.contains(&id) || known.iter().any(|known| known.id == id);
    if let Some(id) = free_id(is_used) {
        return Ok(UnusedId { id, is_kept: false });
    }
    // The kernel forgets an id when its subflow is closed by command, and keeps it when the peer
    // closed it or when opening failed later. Once all are used up, one of those is given back.
    let stale = known.iter().find(|known| !known.is_announced && !live.contains(&known.id));
    stale.map(|stale| UnusedId { id: stale.id, is_kept: true }).ok_or_else(|| {
        Error::new(ErrorKind::InvalidState, operation)
            .detail("all 255 address ids of this connection are in use")
            .with_remedy("Close a subflow, or withdraw an address, first.")
    })
}

/// The address ids that these subflows go by on this end.
fn local_address_ids(
    sock: BorrowedFd<'_>,
    token: u32,
    subflows: &[Subflow],
) -> std::result::Result<HashSet<u8>, Unasked> {
    let mut ids = HashSet::new();
    // The initial one goes by 0, which is nobody else's.
    for subflow in subflows.iter().filter(|subflow| subflow.id != INITIAL) {
        match diag_subflow::find(
            sock,
            token,
            (subflow.local, subflow.remote),
            diag_subflow::Depth::Shallow,
        ) {
            Ok(entry) => _ = ids.insert(entry.local_address_id),
            // Closed meanwhile.
            Err(error) if error.is(libc::ENOENT) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(ids)
}

/// Any id but 0, which is the initial subflow's, and those in use.
///
/// Ids follow each other, so that one that was given back is not used again at once: the peer may
/// still be closing the subflows that went by it.
fn free_id(is_used: impl Fn(u8) -> bool) -> Option<u8> {
    static NEXT: OnceLock<AtomicU8> = OnceLock::new();
    let next = NEXT.get_or_init(|| AtomicU8::new(port::random() as u8));
    let start = next.fetch_add(1, Ordering::Relaxed);
    (0..=u8::MAX).map(|step| start.wrapping_add(step)).find(|id| *id != 0 && !is_used(*id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_was_given_back_is_not_used_at_once() {
        let ids: HashSet<u8> = (0..32).filter_map(|_| free_id(|_| false)).collect();
        assert!(ids.len() >= 31, "{ids:?}");
    }

    #[test]
    fn an_id_is_free_until_all_are_used() {
        let mut used = HashSet::new();
        for _ in 0..255 {
            let id = free_id(|id| used.contains(&id)).expect("one is free");
            assert!(id != 0 && used.insert(id));
        }
        assert_eq!(free_id(|id| used.contains(&id)), None);
    }
}
