//! Changes the data of connections, as protocol helpers of NATs do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Middlebox, Verdict};
use crate::segment::Segment;
use crate::segment::edit::change_payload;
use crate::wire::Direction;

/// Inverts the bytes in the middle of a payload and corrects the TCP checksum, like a helper that
/// replaces an address inside a protocol such as FTP. MPTCP's checksum, if there is one, becomes wrong.
///
/// Clones share one state: keep a clone to read its count.
#[derive(Clone, Debug)]
pub struct ChangePayload {
    direction: Direction,
    from_byte: u64,
    left: Arc<AtomicU64>,
    passed: Arc<AtomicU64>,
    changed: Arc<AtomicU64>,
}

/// How many bytes of a payload are changed at most.
const CHANGED_BYTES: usize = 4;

impl ChangePayload {
    /// Changes one segment in this direction: the first one before which at least `bytes` bytes of
    /// payload have passed.
    pub fn once(direction: Direction, bytes: u64) -> ChangePayload {
        ChangePayload {
            direction,
            from_byte: bytes,
            left: Arc::new(AtomicU64::new(1)),
            passed: Arc::default(),
            changed: Arc::default(),
        }
    }

    /// Changes every segment with payload in this direction.
    pub fn always(direction: Direction) -> ChangePayload {
        let middlebox = ChangePayload::once(direction, 0);
        middlebox.left.store(u64::MAX, Ordering::SeqCst);
        middlebox
    }

    /// How many segments have been changed.
    pub fn changed(&self) -> u64 {
        self.changed.load(Ordering::SeqCst)
    }
}

impl Middlebox for ChangePayload {
    fn inspect(&mut self, direction: Direction, frame: &mut [u8]) -> Verdict {
        let Some(segment) = Segment::parse(direction, frame) else { return Verdict::Forward };
        if direction != self.direction || segment.payload_len == 0 {
            return Verdict::Forward;
        }
        let before = self.passed.fetch_add(segment.payload_len as u64, Ordering::SeqCst);
        let left = self.left.load(Ordering::SeqCst);
        if before < self.from_byte || left == 0 {
            return Verdict::Forward;
        }
        self.left.store(left - 1, Ordering::SeqCst);
        self.changed.fetch_add(1, Ordering::SeqCst);
        change_payload(frame, |payload| {
            let middle = payload.len() / 2;
            payload.iter_mut().skip(middle).take(CHANGED_BYTES).for_each(|byte| *byte = !*byte);
        });
        Verdict::Forward
    }
}
