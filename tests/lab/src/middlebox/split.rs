//! Splits segments in two, as network cards and proxies do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Middlebox, Verdict};
use crate::segment::Segment;
use crate::segment::edit::{FIN, NewSegment, PSH, flags, options, payload};
use crate::wire::Direction;

/// Splits each segment with at least two bytes of payload. Both halves carry a copy of the options, as
/// those of a network card with segmentation offload do.
///
/// Clones share one state: keep a clone to read its count.
#[derive(Clone, Debug, Default)]
pub struct SplitSegments {
    split: Arc<AtomicU64>,
}

impl SplitSegments {
    /// For all connections of the wire.
    pub fn new() -> SplitSegments {
        SplitSegments::default()
    }

    /// How many segments have been split.
    pub fn split(&self) -> u64 {
        self.split.load(Ordering::SeqCst)
    }
}

impl Middlebox for SplitSegments {
    fn inspect(&mut self, direction: Direction, frame: &mut [u8]) -> Verdict {
        match halves(direction, frame) {
            Some(halves) => {
                self.split.fetch_add(1, Ordering::SeqCst);
                Verdict::Instead(halves.into_iter().map(|half| (direction, half)).collect())
            }
            None => Verdict::Forward,
        }
    }
}

fn halves(direction: Direction, frame: &[u8]) -> Option<[Vec<u8>; 2]> {
    let segment = Segment::parse(direction, frame)?;
    if segment.is_syn || segment.payload_len < 2 {
        return None;
    }
    let (flags, options) = (flags(frame)?, options(frame)?);
    let (first, second) = payload(frame)?.split_at(segment.payload_len / 2);
    let part = |payload: &[u8], sequence, flags| {
        let acknowledgement = segment.acknowledgement;
        NewSegment { sequence, acknowledgement, flags, options, payload }.like(frame)
    };
    let second_at = segment.sequence.wrapping_add(first.len() as u32);
    Some([part(first, segment.sequence, flags & !(FIN | PSH))?, part(second, second_at, flags)?])
}
