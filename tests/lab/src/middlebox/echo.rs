//! A server without MPTCP that copies the options of each segment into its answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Middlebox, Verdict};
use crate::segment::edit::{ACK, FIN, NewSegment, SYN, options, reset_answering};
use crate::segment::{Segment, Subtype};
use crate::wire::Direction;

/// The first sequence number of every connection.
const FIRST_SEQUENCE: u32 = 0x5eed_0000;

/// The options of a segment have room for this many bytes.
const OPTIONS_BYTES_MAX: usize = 40;

/// Answers all TCP segments to the server itself, with a copy of their options: it accepts connections,
/// acknowledges data, and closes when the client does. Such hosts exist: to a scanner that looks for an
/// MPTCP option in the SYN/ACK, they seem to support MPTCP ("tracebox", IMC 2013). Nothing reaches
/// the server.
///
/// Clones share one count: keep a clone to read it.
#[derive(Clone, Debug)]
pub struct EchoOptions {
    adds_key: bool,
    answered: Arc<AtomicU64>,
}

impl EchoOptions {
    /// Copies all options as they are. The MP_CAPABLE of a SYN has no key, and one without a key in a
    /// SYN/ACK is invalid in version 1 of the protocol.
    pub fn exactly() -> EchoOptions {
        EchoOptions { adds_key: false, answered: Arc::default() }
    }

    /// Copies all options, and adds a key to the MP_CAPABLE of a SYN, so that the SYN/ACK is valid. All
    /// later options are copies.
    pub fn with_key() -> EchoOptions {
        EchoOptions { adds_key: true, ..EchoOptions::exactly() }
    }

    /// How many segments have been answered.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::SeqCst)
    }

    fn answer(&self, frame: &[u8]) -> Option<Vec<u8>> {
        let segment = Segment::parse(Direction::ToServer, frame)?;
        let mut options = options(frame)?.to_vec();
        let is_fin = segment.is_fin;
        let length = segment.payload_len as u32 + u32::from(segment.is_syn) + u32::from(is_fin);
        let acknowledgement = segment.sequence.wrapping_add(length);
        let (sequence, flags) = if segment.is_syn {
            (FIRST_SEQUENCE, SYN | ACK)
        } else if segment.is_ack {
            (segment.acknowledgement, if is_fin { FIN | ACK } else { ACK })
        } else {
            return reset_answering(frame);
        };
        if segment.is_syn && self.adds_key {
            add_key(&segment, &mut options);
        }
        NewSegment { sequence, acknowledgement, flags, options: &options, payload: &[] }
            .answering(frame)
    }
}

/// Replaces MP_CAPABLE without a key by MP_CAPABLE with one.
fn add_key(segment: &Segment<'_>, options: &mut Vec<u8>) {
    const KEY: [u8; 8] = *b"\x01echoing";
    let bare = segment.mptcp().find(|option| option.subtype == Subtype::MpCapable);
    let Some(bare) = bare.filter(|option| option.bytes.len() == 4) else { return };
    let found = options.windows(4).position(|window| window == bare.bytes);
    if let Some(at) = found.filter(|_| options.len() + KEY.len() <= OPTIONS_BYTES_MAX) {
        options[at + 1] += KEY.len() as u8;
        options.splice(at + 4..at + 4, KEY);
    }
}

impl Middlebox for EchoOptions {
    fn inspect(&mut self, direction: Direction, frame: &mut [u8]) -> Verdict {
        let Some(segment) = Segment::parse(direction, frame) else { return Verdict::Forward };
        if direction == Direction::ToClient {
            return Verdict::Forward;
        }
        // What only acknowledges the answer to a FIN needs no answer, nor does a reset. Every other pure
        // acknowledgement is answered: its options are copied.
        let is_last = segment.is_pure_ack() && segment.acknowledgement == FIRST_SEQUENCE + 2;
        if segment.is_rst || is_last {
            return Verdict::Drop;
        }
        match self.answer(frame) {
            Some(answer) => {
                self.answered.fetch_add(1, Ordering::SeqCst);
                Verdict::Instead(vec![(Direction::ToClient, answer)])
            }
            None => Verdict::Drop,
        }
    }
}
