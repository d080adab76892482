//! Address ids that no subflow of a connection uses.

use std::num::NonZero;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::door::{Door, Why};
use crate::error::{Error, ErrorKind, Result};
use crate::shared::connected::Connected;
use crate::shared::diag_subflow::{self, Depth};
use crate::shared::path_manager::addresses_by_token;
use crate::shared::socket_state::query_error;
use crate::shared::subflow::{Subflow, list_fd};
use crate::sys::cache::{self, QueryError};
use crate::sys::path_manager::{LocalAddress, PathManagerSocket};
use crate::sys::random;
use crate::sys::shared_set::{Member, SharedSet};

/// The id of the initial subflow: the kernel counts from here (`msk->subflow_id`). Before Linux 6.5 the
/// kernel reports no ids, and the initial subflow has another one.
const INITIAL: u32 = 1;

/// Returns the local addresses that the kernel has for the connection with that token.
pub(crate) fn known_addresses(
    connection: Connected<'_>,
) -> std::result::Result<Vec<LocalAddress>, QueryError> {
    let Connected { sock, token } = connection;
    // Before Linux 6.10 the kernel does not report them. It then rejects an id that is in use, and the
    // next try uses another id.
    if !addresses_by_token(sock) {
        return Ok(Vec::new());
    }
    cache::with_socket_for(sock, |netlink: &mut PathManagerSocket| netlink.addresses(token))
}

/// An address id that no live subflow of a connection uses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnusedId {
    pub(crate) id: u8,
    /// Whether the kernel still keeps the id for an address that was used before.
    is_kept: bool,
}

impl UnusedId {
    /// Makes the id usable: if the kernel keeps it for an earlier address, the kernel forgets that one.
    pub(crate) fn claim(
        self,
        door: &dyn Door,
        connection: Connected<'_>,
        operation: &'static str,
    ) -> Result<()> {
        if !self.is_kept {
            return Ok(());
        }
        match door.remove(connection, self.id) {
            // Another thread has just done so. If the reason is another one, the next command fails.
            Err(refused) if refused.why == Why::NotFound => Ok(()),
            removed => removed.map_err(|refused| refused.during(operation)),
        }
    }
}

/// The address ids that this process has announced and not withdrawn. A number is a token, which is unique
/// on the host, and an id.
static RESERVED: SharedSet = SharedSet::new();

/// An announced address id: as long as this value exists, no subflow gets the id.
#[derive(Debug)]
pub(crate) struct Reserved {
    _member: Option<Member>,
}

impl Reserved {
    pub(crate) fn new(token: u32, id: u8) -> Reserved {
        Reserved { _member: reserved(token, id).map(|number| RESERVED.add(number)) }
    }

    fn exists(token: u32, id: u8) -> bool {
        reserved(token, id).is_some_and(|number| RESERVED.contains(number))
    }
}

/// `None` for the two zeros, which no connection has.
fn reserved(token: u32, id: u8) -> Option<NonZero<u64>> {
    NonZero::new((u64::from(token) << 8) | u64::from(id))
}

/// Chooses an address id that nothing on this connection uses.
///
/// The kernel's own list is not enough. When a subflow is closed by a command, or cannot be opened, the
/// kernel drops its oldest entry of that address, for whichever port: the one of another live subflow, or
/// of an announcement. So the ids of the live subflows are read too, and those of the announcements are
/// remembered.
pub(crate) fn unused_id(
    connection: Connected<'_>,
    known: &[LocalAddress],
    operation: &'static str,
) -> Result<UnusedId> {
    let Connected { sock, token } = connection;
    let live = local_address_ids(connection, &list_fd(sock, operation)?)
        .map_err(|error| query_error(operation, error))?;
    let is_live = |id: u8| live[usize::from(id)];
    let is_used = |id: u8| {
        is_live(id) || known.iter().any(|known| known.id == id) || Reserved::exists(token, id)
    };
    static LAST: OnceLock<AtomicU8> = OnceLock::new();
    let last = LAST.get_or_init(|| AtomicU8::new(random::number() as u8));
    if let Some(id) = free_id(last, is_used) {
        return Ok(UnusedId { id, is_kept: false });
    }
    // The kernel forgets an id when its subflow is closed by a command. It keeps the id when the peer
    // closed the subflow, or when opening failed later. Once all ids are used, one of these is reused.
    let is_stale = |known: &&LocalAddress| {
        let is_needed = known.is_announced || Reserved::exists(token, known.id);
        !is_needed && !is_live(known.id)
    };
    let stale = known.iter().find(is_stale);
    stale.map(|stale| UnusedId { id: stale.id, is_kept: true }).ok_or_else(|| {
        Error::new(ErrorKind::InvalidState, operation)
            .detail("all 255 address ids of this connection are in use")
            .with_remedy("Close a subflow or withdraw an address first.")
    })
}

/// Reports which local address ids these subflows have.
fn local_address_ids(
    connection: Connected<'_>,
    subflows: &[Subflow],
) -> std::result::Result<[bool; 256], QueryError> {
    let mut ids = [false; 256];
    // The initial subflow has address id 0, which no other subflow has.
    for subflow in subflows.iter().filter(|subflow| subflow.id != INITIAL) {
        match diag_subflow::find(connection, subflow.ends(), Depth::Shallow) {
            Ok(entry) => ids[usize::from(entry.local_address_id)] = true,
            // The subflow was closed since it was listed.
            Err(error) if error.is(libc::ENOENT) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(ids)
}

/// Returns an id that is not in use and not 0, the id of the initial subflow.
///
/// The ids are used in turn, so that one that has become free is not used again at once: the peer may
/// still be closing its subflows. `last` is the one that was used last.
fn free_id(last: &AtomicU8, is_used: impl Fn(u8) -> bool) -> Option<u8> {
    let free_after = |id: u8| {
        let others = (1..=u8::MAX).map(|step| id.wrapping_add(step));
        others.chain([id]).find(|id| *id != 0 && !is_used(*id))
    };
    let mut chosen = None;
    // Repeated if another thread has chosen one at the same time.
    let _ = last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
        chosen = free_after(last);
        chosen
    });
    chosen
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// The id after 0, and the one after an id in use, were once used twice in a row: the peer then closed
    /// the new subflow as the one whose address had been withdrawn.
    #[test]
    fn an_id_that_became_free_is_not_used_at_once() {
        for used in 0..=u8::MAX {
            let last = AtomicU8::new(used.wrapping_mul(7));
            let ids = (0..253).filter_map(|_| free_id(&last, |id| id == used));
            let ids: HashSet<u8> = ids.collect();
            assert!(ids.len() == 253 && !ids.contains(&0) && !ids.contains(&used), "{ids:?}");
        }
    }

    #[test]
    fn an_id_is_free_until_all_are_used() {
        let (last, mut used) = (AtomicU8::new(100), HashSet::new());
        for _ in 0..255 {
            let id = free_id(&last, |id| used.contains(&id)).expect("an id is free");
            assert!(id != 0 && used.insert(id));
        }
        assert_eq!(free_id(&last, |id| used.contains(&id)), None);
    }
}
