//! Middleboxes in a wire that change or drop what passes, like those of the Internet.
//!
//! ```no_run
//! # fn main() -> std::io::Result<()> {
//! use subflows_lab::{DropSegments, Net, StripMptcp, WireOptions};
//! let perfect = WireOptions::default();
//! let net = Net::wires(&[("wifi", perfect), ("lte", perfect)])?;
//! let strip = StripMptcp::from_syn();
//! net.paths[0].wire().unwrap().add(strip.clone());
//! let deaf = DropSegments::join_syns();
//! net.paths[1].wire().unwrap().add(deaf.clone());
//! // ... and later: strip.stripped(), deaf.dropped()
//! # Ok(())
//! # }
//! ```

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::segment::{Segment, Subtype, strip_mptcp};
use crate::wire::Direction;

/// What happens to a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The frame continues to the next middlebox or to the wire.
    Forward,
    /// The frame is dropped, and the wire counts it as `filtered`.
    Drop,
}

/// Something that sees all frames of a wire, one at a time.
///
/// It runs on the wire's thread, before the delay. If it panics, the wire stops, and dropping the
/// wire passes the panic on, so that a test may assert inside a middlebox.
pub trait Middlebox: Send {
    /// Inspects a frame, may change its bytes, and returns what happens to it.
    fn inspect(&mut self, direction: Direction, frame: &mut [u8]) -> Verdict;
}

impl<F: FnMut(Direction, &mut [u8]) -> Verdict + Send> Middlebox for F {
    fn inspect(&mut self, direction: Direction, frame: &mut [u8]) -> Verdict {
        self(direction, frame)
    }
}

/// From which segment on [`StripMptcp`] removes the options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Syn,
    AfterHandshake,
    AfterPayload(u64),
}

/// Overwrites the MPTCP options of TCP segments with no-operations and adjusts the checksum.
///
/// Clones share one state: keep a clone to switch it and to read its count.
#[derive(Clone, Debug)]
pub struct StripMptcp {
    when: When,
    is_enabled: Arc<AtomicBool>,
    payload_seen: Arc<AtomicU64>,
    stripped: Arc<AtomicU64>,
}

impl StripMptcp {
    /// From SYN and SYN/ACK only, as the commonest firewalls do: a server sees plain TCP and
    /// answers with plain TCP; a join arrives as a separate connection.
    pub fn from_syn() -> StripMptcp {
        StripMptcp::new(When::Syn, true)
    }

    /// From all segments except SYN and SYN/ACK: both ends agree on MPTCP, and then neither
    /// receives an MPTCP option again, not even in the third packet. They fall back with the first
    /// data.
    pub fn after_handshake() -> StripMptcp {
        StripMptcp::new(When::AfterHandshake, true)
    }

    /// From all segments except SYN and SYN/ACK, but not before [`StripMptcp::enable`], as if the
    /// route of an established connection changed.
    pub fn when_enabled() -> StripMptcp {
        StripMptcp::new(When::AfterHandshake, false)
    }

    /// From all segments except SYN and SYN/ACK, once `bytes` of payload have passed in either
    /// direction.
    pub fn after_payload(bytes: u64) -> StripMptcp {
        StripMptcp::new(When::AfterPayload(bytes), true)
    }

    /// Starts to strip, or starts again.
    pub fn enable(&self) {
        self.is_enabled.store(true, Ordering::SeqCst);
    }

    /// Lets all segments pass unchanged.
    pub fn disable(&self) {
        self.is_enabled.store(false, Ordering::SeqCst);
    }

    /// How many options have been removed.
    pub fn stripped(&self) -> u64 {
        self.stripped.load(Ordering::SeqCst)
    }

    fn new(when: When, is_enabled: bool) -> StripMptcp {
        StripMptcp {
            when,
            is_enabled: Arc::new(AtomicBool::new(is_enabled)),
            payload_seen: Arc::default(),
            stripped: Arc::default(),
        }
    }

    fn applies_to(&self, segment: &Segment<'_>) -> bool {
        let payload = segment.payload_len as u64;
        let before = self.payload_seen.fetch_add(payload, Ordering::SeqCst);
        match self.when {
            When::Syn => segment.is_syn,
            When::AfterHandshake => !segment.is_syn,
            When::AfterPayload(bytes) => !segment.is_syn && before >= bytes,
        }
    }
}

impl Middlebox for StripMptcp {
    fn inspect(&mut self, direction: Direction, frame: &mut [u8]) -> Verdict {
        let Some(segment) = Segment::parse(direction, frame) else { return Verdict::Forward };
        if self.is_enabled.load(Ordering::SeqCst) && self.applies_to(&segment) {
            self.stripped.fetch_add(strip_mptcp(frame) as u64, Ordering::SeqCst);
        }
        Verdict::Forward
    }
}

/// Decides which segments a [`DropSegments`] drops.
type Predicate = Box<dyn FnMut(&Segment<'_>) -> bool + Send>;

/// Drops TCP segments of a certain kind: all of them, or the first few.
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
}

impl DropSegments {
    /// Drops all segments for which `predicate` holds.
    pub fn all(predicate: impl FnMut(&Segment<'_>) -> bool + Send + 'static) -> DropSegments {
        let predicate = Box::new(predicate);
        let state = Dropping { predicate, left: u64::MAX, dropped: 0 };
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
        Verdict::Drop
    }
}

impl fmt::Debug for DropSegments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("DropSegments")
            .field("left", &state.left)
            .field("dropped", &state.dropped)
            .finish_non_exhaustive()
    }
}
