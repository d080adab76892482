//! Resynchronisation: what to report after events were lost.
//!
//! The kernel hands out the events from before a loss, then those from after it. So after a loss the
//! stream compares what the reader knows with what the kernel has, and reports the difference. Events
//! that the kernel sent between the loss and the comparison are still unread then. They report a part
//! of the difference a second time, and are dropped.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};

use super::event::{Event, EventKind};

/// A subflow: its connection's token and its two ends, without what only some sources report
/// (scope and flow label).
pub(super) type Ends = (u32, (IpAddr, u16), (IpAddr, u16));

pub(super) fn ends(token: u32, local: SocketAddr, remote: SocketAddr) -> Ends {
    (token, (local.ip(), local.port()), (remote.ip(), remote.port()))
}

/// What is open: connections by token, each with its initial subflow, and subflows.
#[derive(Debug, Default)]
pub(super) struct Open {
    pub(super) connections: HashMap<u32, Ends>,
    pub(super) subflows: HashSet<Ends>,
}

/// What the reader of a stream knows to be open.
#[derive(Debug, Default)]
pub(super) struct Known {
    connections: HashSet<u32>,
    subflows: HashSet<Ends>,
    /// Subflows whose opening the last resynchronisation reported.
    opened_in_resync: HashSet<Ends>,
    /// Subflows whose end the last resynchronisation reported.
    closed_in_resync: HashSet<Ends>,
}

impl Known {
    pub(super) fn new(connections: HashSet<u32>, subflows: HashSet<Ends>) -> Known {
        Known { connections, subflows, ..Known::default() }
    }

    /// Records an event of the kernel's. Returns whether it is news to the reader.
    pub(super) fn record(&mut self, event: &Event) -> bool {
        let ends = match (event.token, event.local, event.remote) {
            (Some(token), Some(local), Some(remote)) => Some(ends(token, local, remote)),
            _ => None,
        };
        match (event.kind, ends) {
            (EventKind::Created | EventKind::Established, Some(ends)) => {
                // Unread at the resynchronisation, which knew whether the subflow was still open.
                if self.connections.contains(&ends.0) && self.opened_in_resync.contains(&ends) {
                    return false;
                }
                self.connections.insert(ends.0);
                self.subflows.insert(ends);
                true
            }
            (EventKind::SubflowEstablished, Some(ends)) => {
                self.subflows.insert(ends);
                self.closed_in_resync.remove(&ends);
                !self.opened_in_resync.remove(&ends)
            }
            (EventKind::SubflowClosed, Some(ends)) => {
                self.opened_in_resync.remove(&ends);
                // The end of a subflow that is not known is news: it failed before it was open.
                self.subflows.remove(&ends) || !self.closed_in_resync.remove(&ends)
            }
            (EventKind::Closed, _) => {
                self.subflows.retain(|(token, ..)| Some(*token) != event.token);
                event.token.is_none_or(|token| self.connections.remove(&token))
            }
            _ => true,
        }
    }

    /// Returns the events that lead from what the reader knows to what is open now.
    ///
    /// `has_new_connections` is false for a stream of one connection, which never reports a new one.
    pub(super) fn resync(&mut self, open: Open, has_new_connections: bool) -> Vec<Event> {
        let mut events = Vec::new();
        // The events that were unread at the last resynchronisation have been read.
        self.opened_in_resync.clear();
        self.closed_in_resync.clear();
        for (token, initial) in &open.connections {
            if has_new_connections && !self.connections.contains(token) {
                events.push(resync_event(EventKind::Established, *token, Some(*initial)));
                self.subflows.insert(*initial);
                self.opened_in_resync.insert(*initial);
            }
        }
        for ends in self.subflows.difference(&open.subflows) {
            events.push(resync_event(EventKind::SubflowClosed, ends.0, Some(*ends)));
            self.closed_in_resync.insert(*ends);
        }
        for ends in open.subflows.difference(&self.subflows) {
            events.push(resync_event(EventKind::SubflowEstablished, ends.0, Some(*ends)));
            self.opened_in_resync.insert(*ends);
        }
        for token in self.connections.iter().filter(|token| !open.connections.contains_key(token)) {
            events.push(resync_event(EventKind::Closed, *token, None));
        }
        self.subflows = open.subflows;
        self.connections = open.connections.into_keys().collect();
        events
    }
}

fn resync_event(kind: EventKind, token: u32, ends: Option<Ends>) -> Event {
    Event {
        local: ends.map(|(_, local, _)| SocketAddr::from(local)),
        remote: ends.map(|(.., remote)| SocketAddr::from(remote)),
        is_resync: true,
        ..Event::of(kind, Some(token))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The subflow of a connection with that number; 0 is the initial one.
    fn subflow(token: u32, number: u16) -> Ends {
        let ip = IpAddr::from([192, 0, 2, 1]);
        (token, (ip, 1000 + number), (ip, 443))
    }

    fn event(kind: EventKind, ends: Ends) -> Event {
        let (token, local, remote) = ends;
        let (local, remote) = (Some(local.into()), Some(remote.into()));
        Event { local, remote, ..Event::of(kind, Some(token)) }
    }

    fn open(subflows: &[Ends]) -> Open {
        let connections = subflows.iter().map(|ends| (ends.0, subflow(ends.0, 0))).collect();
        Open { connections, subflows: subflows.iter().copied().collect() }
    }

    fn reports(known: &mut Known, now: Open) -> Vec<(EventKind, Option<SocketAddr>)> {
        let events = known.resync(now, true);
        assert!(events.iter().all(|event| event.is_resync));
        events.iter().map(|event| (event.kind, event.local)).collect()
    }

    #[test]
    fn without_a_difference_nothing_is_reported() {
        let (first, second) = (subflow(1, 0), subflow(1, 1));
        let mut known = Known::new([1].into(), [first, second].into());
        assert_eq!(reports(&mut known, open(&[first, second])), []);
    }

    #[test]
    fn an_event_that_a_resynchronisation_has_reported_is_dropped_once() {
        let (first, second) = (subflow(1, 0), subflow(1, 1));
        let mut known = Known::new([1].into(), [first].into());
        let now = reports(&mut known, open(&[first, second]));
        assert_eq!(now, [(EventKind::SubflowEstablished, Some(second.1.into()))]);
        assert!(!known.record(&event(EventKind::SubflowEstablished, second)));
        assert!(known.record(&event(EventKind::SubflowClosed, second)));

        let now = reports(&mut known, open(&[second]));
        assert!(now.contains(&(EventKind::SubflowClosed, Some(first.1.into()))));
        assert!(!known.record(&event(EventKind::SubflowClosed, first)));
        assert!(known.record(&event(EventKind::SubflowClosed, first)), "another with these ends");
    }

    #[test]
    fn the_end_of_an_initial_subflow_is_reported_once() {
        let (initial, second) = (subflow(1, 0), subflow(1, 1));
        let mut known = Known::default();
        let now = reports(&mut known, open(&[second]));
        assert_eq!(now.len(), 3, "the connection, the end of the initial subflow, and the second");
        let unread = [EventKind::Created, EventKind::Established, EventKind::SubflowClosed];
        assert!(unread.iter().all(|kind| !known.record(&event(*kind, initial))));
    }

    #[test]
    fn the_failure_of_a_subflow_that_was_never_open_is_news() {
        let mut known = Known::new([1].into(), [subflow(1, 0)].into());
        assert!(known.record(&event(EventKind::SubflowClosed, subflow(1, 1))));
    }

    #[test]
    fn a_stream_of_one_connection_reports_no_other() {
        let mut known = Known::new([1].into(), [subflow(1, 0)].into());
        let mut now = open(&[subflow(1, 0)]);
        now.connections.insert(2, subflow(2, 0));
        assert_eq!(known.resync(now, false), []);
    }

    /// A model of the kernel. Each step opens the next subflow of a connection or closes the oldest one,
    /// and the connection with its last one. No port is used twice.
    #[derive(Clone, Debug, Default)]
    struct Kernel {
        next: HashMap<u32, u16>,
        live: Vec<Ends>,
    }

    impl Kernel {
        fn step(&mut self, token: u32, opens: bool) -> Vec<Event> {
            let is_live = self.live.iter().any(|ends| ends.0 == token);
            if opens {
                let number = self.next.entry(token).or_default();
                let ends = subflow(token, *number);
                // A token names one connection only.
                if *number > 0 && !is_live {
                    return Vec::new();
                }
                *number += 1;
                self.live.push(ends);
                return match ends.1.1 {
                    1000 => {
                        vec![event(EventKind::Created, ends), event(EventKind::Established, ends)]
                    }
                    _ => vec![event(EventKind::SubflowEstablished, ends)],
                };
            }
            let Some(oldest) = self.live.iter().position(|ends| ends.0 == token) else {
                return Vec::new();
            };
            let closed = self.live.remove(oldest);
            let mut events = vec![event(EventKind::SubflowClosed, closed)];
            if !self.live.iter().any(|ends| ends.0 == token) {
                events.push(Event::of(EventKind::Closed, Some(token)));
            }
            events
        }

        fn open(&self) -> Open {
            open(&self.live)
        }
    }

    /// What a reader concludes from the events.
    #[derive(Debug, Default)]
    struct Reader {
        connections: HashSet<u32>,
        subflows: HashSet<Ends>,
        closed: HashSet<Ends>,
    }

    impl Reader {
        fn read(&mut self, event: &Event) {
            let token = event.token.unwrap();
            let ends = event.local.zip(event.remote).map(|(l, r)| ends(token, l, r));
            match (event.kind, ends) {
                (EventKind::Created | EventKind::Established, Some(ends)) => {
                    self.connections.insert(token);
                    self.subflows.insert(ends);
                }
                (EventKind::SubflowEstablished, Some(ends)) => {
                    assert!(self.subflows.insert(ends), "reported twice: {event:?}");
                }
                (EventKind::SubflowClosed, Some(ends)) => {
                    self.subflows.remove(&ends);
                    // It may never have been reported as open, if that event was lost.
                    assert!(self.closed.insert(ends), "closed twice: {event:?}");
                }
                (EventKind::Closed, None) => {
                    assert!(self.connections.remove(&token), "closed twice: {event:?}");
                    assert!(self.subflows.iter().all(|ends| ends.0 != token), "{event:?}");
                }
                _ => panic!("{event:?}"),
            }
        }
    }

    proptest! {
        /// For every loss, and for every number of events that are unread at the comparison.
        #[test]
        fn after_a_loss_the_reader_knows_what_is_open(
            steps in prop::collection::vec((0u32..3, any::<bool>()), 0..60),
            losses in prop::collection::vec((0usize..60, 0usize..20, 0usize..20), 0..3),
        ) {
            let (mut kernel, mut known, mut reader) =
                (Kernel::default(), Known::default(), Reader::default());
            let deliver = |known: &mut Known, reader: &mut Reader, events: &[Event]| {
                events.iter().filter(|event| known.record(event)).for_each(|e| reader.read(e));
            };
            let mut steps = steps.into_iter();
            for (read, lost, unread) in losses {
                for (token, opens) in steps.by_ref().take(read) {
                    deliver(&mut known, &mut reader, &kernel.step(token, opens));
                }
                for (token, opens) in steps.by_ref().take(lost) {
                    kernel.step(token, opens);
                }
                let later: Vec<Event> = steps
                    .by_ref()
                    .take(unread)
                    .flat_map(|(token, opens)| kernel.step(token, opens))
                    .collect();
                for event in known.resync(kernel.open(), true) {
                    reader.read(&event);
                }
                prop_assert_eq!(&reader.subflows, &kernel.live.iter().copied().collect());
                deliver(&mut known, &mut reader, &later);
            }
            for (token, opens) in steps {
                deliver(&mut known, &mut reader, &kernel.step(token, opens));
            }
            prop_assert_eq!(&reader.subflows, &kernel.live.iter().copied().collect());
            prop_assert_eq!(reader.connections, kernel.open().connections.into_keys().collect());
        }
    }
}
