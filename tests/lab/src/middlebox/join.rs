//! Joins two segments to one, as proxies and network cards do.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Middlebox, Verdict};
use crate::segment::Segment;
use crate::segment::edit::{FIN, NewSegment, PSH, flags, options, payload};
use crate::wire::Direction;

/// The largest payload that results; two segments that are larger together pass separately.
const PAYLOAD_MAX: usize = 1400;

/// Holds a segment with a small payload until the next of its flow, and joins both to one segment with the
/// options of the first, if they are adjacent. The mapping (DSS) of the second is lost.
///
/// A segment without a successor is held until its sender repeats it.
///
/// Clones share one count: keep a clone to read it.
#[derive(Clone, Debug, Default)]
pub struct JoinSegments {
    held: HashMap<(SocketAddr, SocketAddr), Vec<u8>>,
    joined: Arc<AtomicU64>,
}

impl JoinSegments {
    /// For all connections of the wire.
    pub fn new() -> JoinSegments {
        JoinSegments::default()
    }

    /// How many pairs have been joined.
    pub fn joined(&self) -> u64 {
        self.joined.load(Ordering::SeqCst)
    }
}

impl Middlebox for JoinSegments {
    fn inspect(&mut self, direction: Direction, frame: &mut [u8]) -> Verdict {
        let Some(segment) = Segment::parse(direction, frame) else { return Verdict::Forward };
        let flow = (segment.source, segment.destination);
        match self.held.remove(&flow) {
            Some(first) => {
                let frames = match joined(direction, &first, frame) {
                    Some(joined) => {
                        self.joined.fetch_add(1, Ordering::SeqCst);
                        vec![joined]
                    }
                    None => vec![first, frame.to_vec()],
                };
                Verdict::Instead(frames.into_iter().map(|frame| (direction, frame)).collect())
            }
            None if can_wait(&segment) => {
                self.held.insert(flow, frame.to_vec());
                Verdict::Instead(Vec::new())
            }
            None => Verdict::Forward,
        }
    }
}

fn can_wait(segment: &Segment<'_>) -> bool {
    let is_special = segment.is_syn || segment.is_fin || segment.is_rst;
    !is_special && (1..=PAYLOAD_MAX / 2).contains(&segment.payload_len)
}

fn joined(direction: Direction, first: &[u8], second: &[u8]) -> Option<Vec<u8>> {
    let [one, two] = [first, second].map(|frame| Segment::parse(direction, frame));
    let (one, two) = (one?, two?);
    let adjoins = one.sequence.wrapping_add(one.payload_len as u32) == two.sequence;
    let bytes = one.payload_len + two.payload_len;
    if !adjoins || two.payload_len == 0 || two.is_rst || bytes > PAYLOAD_MAX {
        return None;
    }
    let both = [payload(first)?, payload(second)?].concat();
    let segment = NewSegment {
        sequence: one.sequence,
        acknowledgement: two.acknowledgement,
        flags: flags(first)? | flags(second)? & (FIN | PSH),
        options: options(first)?,
        payload: &both,
    };
    segment.like(first)
}
