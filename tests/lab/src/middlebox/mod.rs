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

mod drop;
mod echo;
mod isn;
mod join;
mod named;
mod nat;
mod on_port;
mod payload;
mod split;
mod strip;

pub use drop::DropSegments;
pub use echo::EchoOptions;
pub use isn::RewriteIsn;
pub use join::JoinSegments;
pub use named::{BoxSpec, BoxSpecError, box_names};
pub use nat::Nat;
pub use on_port::OnPort;
pub use payload::ChangePayload;
pub use split::SplitSegments;
pub use strip::StripMptcp;

use crate::wire::Direction;

/// What happens to a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The frame continues to the next middlebox or to the wire.
    Forward,
    /// The frame is dropped, and the wire counts it as `filtered`.
    Drop,
    /// These frames continue from here instead, each in its direction: one in the opposite direction
    /// answers the sender. The next middleboxes in that direction see them.
    Instead(Vec<(Direction, Vec<u8>)>),
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

impl Middlebox for Box<dyn Middlebox> {
    fn inspect(&mut self, direction: Direction, frame: &mut [u8]) -> Verdict {
        (**self).inspect(direction, frame)
    }
}

/// What a chain of middleboxes did to a frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Dropped,
    /// These frames leave the chain instead.
    Replaced(Vec<(Direction, Vec<u8>)>),
}

/// How many middleboxes may answer each other before a frame is dropped.
const ANSWERS_MAX: usize = 16;

/// Passes a frame through a chain. Frames to the server pass it in order, frames to the client in reverse
/// order.
pub(crate) fn pass(
    chain: &mut [Box<dyn Middlebox>],
    direction: Direction,
    frame: &mut [u8],
) -> Outcome {
    let at = match direction {
        Direction::ToServer => 0,
        Direction::ToClient => chain.len(),
    };
    pass_from(chain, at, direction, frame, ANSWERS_MAX)
}

/// As [`pass`], for a frame that is between two middleboxes: `at` of them are on the client's side.
fn pass_from(
    chain: &mut [Box<dyn Middlebox>],
    mut at: usize,
    direction: Direction,
    frame: &mut [u8],
    answers: usize,
) -> Outcome {
    loop {
        let next = match direction {
            Direction::ToServer if at < chain.len() => at,
            Direction::ToClient if at > 0 => at - 1,
            _ => return Outcome::Passed,
        };
        let behind = |direction| match direction {
            Direction::ToServer => next + 1,
            Direction::ToClient => next,
        };
        match chain[next].inspect(direction, frame) {
            Verdict::Forward => at = behind(direction),
            Verdict::Drop => return Outcome::Dropped,
            Verdict::Instead(_) if answers == 0 => return Outcome::Dropped,
            Verdict::Instead(frames) => {
                let mut left = Vec::with_capacity(frames.len());
                for (way, mut bytes) in frames {
                    match pass_from(chain, behind(way), way, &mut bytes, answers - 1) {
                        Outcome::Passed => left.push((way, bytes)),
                        Outcome::Dropped => {}
                        Outcome::Replaced(more) => left.extend(more),
                    }
                }
                return Outcome::Replaced(left);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts the frames that it sees by adding one to their first byte.
    fn counting(_: Direction, frame: &mut [u8]) -> Verdict {
        frame[0] += 1;
        Verdict::Forward
    }

    fn answering(direction: Direction, frame: &mut [u8]) -> Verdict {
        Verdict::Instead(vec![
            (direction, vec![frame[0], 1]),
            (direction.reverse(), vec![frame[0], 2]),
        ])
    }

    #[test]
    fn an_answer_passes_the_middleboxes_on_its_way_back() {
        let mut chain: Vec<Box<dyn Middlebox>> =
            vec![Box::new(counting), Box::new(answering), Box::new(counting), Box::new(counting)];
        let outcome = pass(&mut chain, Direction::ToServer, &mut [0]);
        let left = vec![(Direction::ToServer, vec![3, 1]), (Direction::ToClient, vec![2, 2])];
        assert_eq!(outcome, Outcome::Replaced(left));
        let outcome = pass(&mut chain, Direction::ToClient, &mut [0]);
        let left = vec![(Direction::ToClient, vec![3, 1]), (Direction::ToServer, vec![4, 2])];
        assert_eq!(outcome, Outcome::Replaced(left));
    }

    #[test]
    fn two_middleboxes_cannot_answer_each_other_forever() {
        let back = |direction: Direction, frame: &mut [u8]| {
            Verdict::Instead(vec![(direction.reverse(), frame.to_vec())])
        };
        let mut chain: Vec<Box<dyn Middlebox>> = vec![Box::new(counting), Box::new(back)];
        let outcome = pass(&mut chain, Direction::ToServer, &mut [0]);
        assert_eq!(outcome, Outcome::Replaced(vec![(Direction::ToClient, vec![2])]));
        let mut chain: Vec<Box<dyn Middlebox>> = vec![Box::new(back), Box::new(back)];
        assert!(matches!(pass(&mut chain, Direction::ToClient, &mut [0]), Outcome::Replaced(_)));
    }
}
