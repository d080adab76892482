//! Rewrites initial sequence numbers, as firewalls do that do not trust those of their hosts.

use super::{Middlebox, Verdict};
use crate::segment::edit::shift_sequences;
use crate::wire::Direction;

/// What is added to the sequence numbers of the client, and to those of the server.
const SHIFTS: [u32; 2] = [0x3b9a_ca07, 0xc0de_1234];

/// Gives both ends other initial sequence numbers: it shifts the sequence numbers of each direction, and
/// the acknowledgements of the other direction back, with those in SACK blocks.
///
/// It keeps no state, so it must be on the wire before connections begin, and stay.
#[derive(Clone, Copy, Debug, Default)]
pub struct RewriteIsn {}

impl RewriteIsn {
    /// For all connections of the wire.
    pub fn new() -> RewriteIsn {
        RewriteIsn::default()
    }
}

impl Middlebox for RewriteIsn {
    fn inspect(&mut self, direction: Direction, frame: &mut [u8]) -> Verdict {
        let own = SHIFTS[direction as usize];
        let other = SHIFTS[direction.reverse() as usize];
        // A frame without a TCP segment has nothing to shift.
        let _ = shift_sequences(frame, own, other.wrapping_neg());
        Verdict::Forward
    }
}
