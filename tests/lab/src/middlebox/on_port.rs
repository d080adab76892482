//! A middlebox that sees the connections to one port only.

use super::{Middlebox, Verdict};
use crate::segment::Segment;
use crate::wire::Direction;

/// Lets a middlebox see only TCP segments to or from one port of the server, so that one wire can have a
/// different middlebox for each server. The port of a client may be the same by chance.
#[derive(Debug)]
pub struct OnPort<M> {
    port: u16,
    middlebox: M,
}

impl<M: Middlebox> OnPort<M> {
    /// Restricts `middlebox` to this port of the wire's server.
    pub fn new(port: u16, middlebox: M) -> OnPort<M> {
        OnPort { port, middlebox }
    }
}

impl<M: Middlebox> Middlebox for OnPort<M> {
    fn inspect(&mut self, direction: Direction, frame: &mut [u8]) -> Verdict {
        let server = Segment::parse(direction, frame).map(|segment| match direction {
            Direction::ToServer => segment.destination,
            Direction::ToClient => segment.source,
        });
        if server.is_some_and(|server| server.port() == self.port) {
            self.middlebox.inspect(direction, frame)
        } else {
            Verdict::Forward
        }
    }
}
