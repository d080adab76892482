//! Removes the MPTCP options of segments.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Middlebox, Verdict};
use crate::segment::{Segment, strip_mptcp};
use crate::wire::Direction;

/// From which segment on [`StripMptcp`] removes the options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Syn,
    OnlySyn,
    OnlySynAck,
    ThirdAck,
    Data,
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
    /// Flows whose SYN has passed, and whose next segment is the third of the handshake.
    opening: Arc<Mutex<HashSet<(SocketAddr, SocketAddr)>>>,
}

impl StripMptcp {
    /// From SYN and SYN/ACK only, as the commonest firewalls do: a server sees plain TCP and
    /// answers with plain TCP; a join arrives as a separate connection.
    pub fn from_syn() -> StripMptcp {
        StripMptcp::new(When::Syn, true)
    }

    /// From SYN only: the server sees plain TCP.
    pub fn from_only_syn() -> StripMptcp {
        StripMptcp::new(When::OnlySyn, true)
    }

    /// From SYN/ACK only: the server believes that the client agreed to MPTCP until the third segment,
    /// and the client believes that the server has none.
    pub fn from_only_syn_ack() -> StripMptcp {
        StripMptcp::new(When::OnlySynAck, true)
    }

    /// From the third segment of the handshake only.
    pub fn from_third_ack() -> StripMptcp {
        StripMptcp::new(When::ThirdAck, true)
    }

    /// From segments with payload only: acknowledgements keep their options.
    pub fn from_data() -> StripMptcp {
        StripMptcp::new(When::Data, true)
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
            opening: Arc::default(),
        }
    }

    fn applies_to(&self, segment: &Segment<'_>) -> bool {
        let payload = segment.payload_len as u64;
        let before = self.payload_seen.fetch_add(payload, Ordering::SeqCst);
        match self.when {
            When::Syn => segment.is_syn,
            When::OnlySyn => segment.is_syn && !segment.is_ack,
            When::OnlySynAck => segment.is_syn && segment.is_ack,
            When::ThirdAck => self.is_third(segment),
            When::Data => segment.payload_len > 0,
            When::AfterHandshake => !segment.is_syn,
            When::AfterPayload(bytes) => !segment.is_syn && before >= bytes,
        }
    }

    /// Whether this is the first segment of a flow after its SYN. Repetitions of it are not.
    fn is_third(&self, segment: &Segment<'_>) -> bool {
        // Nothing under this lock panics.
        let mut opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        let flow = (segment.source, segment.destination);
        if segment.is_syn && !segment.is_ack {
            opening.insert(flow);
            false
        } else {
            opening.remove(&flow)
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
