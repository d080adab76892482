//! Drops segments, or resets the connections that they belong to.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Middlebox, Verdict};
use crate::segment::edit::reset_answering;
use crate::segment::{Segment, Subtype};
use crate::wire::Direction;

/// Decides which segments a [`DropSegments`] drops.
type Predicate = Box<dyn FnMut(&Segment<'_>) -> bool + Send>;

/// Drops TCP segments of a certain kind: all of them, or the first few. It can answer them with a RST.
///
/// Clones share one state: keep a clone to read its count.
#[derive(Clone)]
pub struct DropSegments {
    shared: Arc<Mutex<Dropping>>,
}

struct Dropping {
    predicate: Predicate,
    /// How many may still be dropped.
    left: u64,
    dropped: u64,
    /// Whether the sender receives a RST.
    resets: bool,
}

impl DropSegments {
    /// Drops all segments for which `predicate` holds.
    pub fn all(predicate: impl FnMut(&Segment<'_>) -> bool + Send + 'static) -> DropSegments {
        let predicate = Box::new(predicate);
        let state = Dropping { predicate, left: u64::MAX, dropped: 0, resets: false };
        DropSegments { shared: Arc::new(Mutex::new(state)) }
    }

    /// Drops SYNs with MPTCP options, of new connections and of joins, like a firewall that rejects
    /// unknown options: the kernel tries plain TCP after some seconds.
    pub fn mptcp_syns() -> DropSegments {
        DropSegments::all(|segment| segment.is_syn && segment.mptcp().next().is_some())
    }

    /// Drops SYNs that join a connection: the subflow never opens.
    pub fn join_syns() -> DropSegments {
        DropSegments::all(|segment| segment.is_syn && segment.has(Subtype::MpJoin))
    }

    /// Drops SYNs and SYN/ACKs of new MPTCP connections, not those of joins.
    pub fn capable_syns() -> DropSegments {
        DropSegments::all(|segment| segment.is_syn && segment.has(Subtype::MpCapable))
    }

    /// Drops segments that announce an address, and the echoes that acknowledge one.
    pub fn add_addrs() -> DropSegments {
        DropSegments::all(|segment| segment.has(Subtype::AddAddr))
    }

    /// Drops the third packet of joins, which proves that the joining end knows the keys. That end
    /// considers the subflow established, and repeats the packet; the other end has no subflow.
    pub fn third_ack_of_join() -> DropSegments {
        DropSegments::all(|segment| !segment.is_syn && segment.has(Subtype::MpJoin))
    }

    /// Drops the answer to the third packet of joins. The answering end uses the subflow; the
    /// joining end may not send on it yet. All pure ACKs of that flow are such answers, and each is
    /// dropped; a segment with payload passes and completes the join.
    pub fn fourth_ack_of_join() -> DropSegments {
        let mut joins = HashSet::new();
        DropSegments::all(move |segment| {
            if !segment.is_syn && segment.has(Subtype::MpJoin) {
                joins.insert((segment.source, segment.destination));
            }
            segment.is_pure_ack() && joins.contains(&(segment.destination, segment.source))
        })
    }

    /// Answers each dropped segment with a RST that seems to come from its receiver, as some firewalls
    /// do.
    pub fn resetting(self) -> DropSegments {
        self.lock().resets = true;
        self
    }

    /// Drops at most `count` segments, and lets later ones pass.
    pub fn limit(self, count: u64) -> DropSegments {
        self.lock().left = count;
        self
    }

    /// Lets everything pass from now on.
    pub fn stop(&self) {
        self.lock().left = 0;
    }

    /// How many segments have been dropped.
    pub fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    fn lock(&self) -> MutexGuard<'_, Dropping> {
        // A predicate that panicked has ended the wire; the count is still correct.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Middlebox for DropSegments {
    fn inspect(&mut self, direction: Direction, frame: &mut [u8]) -> Verdict {
        let Some(segment) = Segment::parse(direction, frame) else { return Verdict::Forward };
        let mut state = self.lock();
        // The predicate sees every segment, even if no more are dropped: it may keep state.
        if !(state.predicate)(&segment) || state.left == 0 {
            return Verdict::Forward;
        }
        state.left -= 1;
        state.dropped += 1;
        let reset = if state.resets && !segment.is_rst { reset_answering(frame) } else { None };
        match reset {
            Some(reset) => Verdict::Instead(vec![(direction.reverse(), reset)]),
            None => Verdict::Drop,
        }
    }
}

impl fmt::Debug for DropSegments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("DropSegments")
            .field("left", &state.left)
            .field("dropped", &state.dropped)
            .field("resets", &state.resets)
            .finish_non_exhaustive()
    }
}
