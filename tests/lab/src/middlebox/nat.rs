//! A router with network address and port translation, which can forget its connections.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Middlebox, Verdict};
use crate::segment::Segment;
use crate::segment::edit::{set_destination_port, set_source_port};
use crate::wire::Direction;

/// The first port that the router uses outside. Each new mapping takes the next.
const FIRST_PORT: u16 = 20_000;

/// Translates the ports of the client's connections, like a router behind which the client is alone: the
/// server sees the client's address with another port. What the server sends to a port without a mapping
/// is dropped.
///
/// Clones share one state: keep a clone to make the router forget.
#[derive(Clone, Debug)]
pub struct Nat {
    shared: Arc<Mutex<Mappings>>,
}

#[derive(Debug)]
struct Mappings {
    /// The port outside, by the ends of the connection inside.
    outside: HashMap<(SocketAddr, SocketAddr), u16>,
    next_port: u16,
}

impl Nat {
    /// A router without mappings.
    pub fn new() -> Nat {
        let mappings = Mappings { outside: HashMap::new(), next_port: FIRST_PORT };
        Nat { shared: Arc::new(Mutex::new(mappings)) }
    }

    /// Forgets all mappings, as a router does when it restarts or after a time without packets. The next
    /// segment of the client gets a port that the server has never seen, so that the server resets it.
    pub fn forget(&self) {
        self.lock().outside.clear();
    }

    /// How many mappings there are.
    pub fn mappings(&self) -> usize {
        self.lock().outside.len()
    }

    fn lock(&self) -> MutexGuard<'_, Mappings> {
        // No code under this lock panics.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Nat {
    fn default() -> Nat {
        Nat::new()
    }
}

impl Middlebox for Nat {
    fn inspect(&mut self, direction: Direction, frame: &mut [u8]) -> Verdict {
        let Some(segment) = Segment::parse(direction, frame) else { return Verdict::Forward };
        let (source, destination) = (segment.source, segment.destination);
        let mut mappings = self.lock();
        let changed = match direction {
            Direction::ToServer => {
                let port = mappings.port_of(source, destination);
                set_source_port(frame, port)
            }
            Direction::ToClient => {
                let inside = mappings.outside.iter().find(|((client, server), port)| {
                    **port == destination.port()
                        && *server == source
                        && client.ip() == destination.ip()
                });
                inside.and_then(|((client, _), _)| set_destination_port(frame, client.port()))
            }
        };
        match changed {
            Some(()) => Verdict::Forward,
            None => Verdict::Drop,
        }
    }
}

impl Mappings {
    fn port_of(&mut self, client: SocketAddr, server: SocketAddr) -> u16 {
        let next = &mut self.next_port;
        *self.outside.entry((client, server)).or_insert_with(|| {
            let port = *next;
            *next = next.checked_add(1).unwrap_or(FIRST_PORT);
            port
        })
    }
}
