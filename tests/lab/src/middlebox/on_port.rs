//! A middlebox that sees the connections of one port only.

use super::{Middlebox, Verdict};
use crate::segment::Segment;
use crate::wire::Direction;

/// Lets a middlebox see only TCP segments from or to one port, so that one wire can have a different
/// middlebox for each server.
#[derive(Debug)]
pub struct OnPort<M> {
    port: u16,
    middlebox: M,
}

impl<M: Middlebox> OnPort<M> {
    /// Restricts `middlebox` to this port, which the wire's client or server may have.
    pub fn new(port: u16, middlebox: M) -> OnPort<M> {
        OnPort { port, middlebox }
    }
}

impl<M: Middlebox> Middlebox for OnPort<M> {
    fn inspect(&mut self, direction: Direction, frame: &mut [u8]) -> Verdict {
        match Segment::parse(direction, frame) {
            Some(segment)
                if [segment.source, segment.destination]
                    .map(|end| end.port())
                    .contains(&self.port) =>
            {
                self.middlebox.inspect(direction, frame)
            }
            _ => Verdict::Forward,
        }
    }
}
