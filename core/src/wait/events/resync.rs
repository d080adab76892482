//! Resynchronisation: what to report after events were lost.
//!
//! The kernel hands out the events from before a loss, then those from after it. So after a loss the
//! stream compares what the reader knows with what the kernel has, and reports the difference. Events
//! that the kernel sent between the loss and the comparison are still unread then. They report a part
//! of the difference a second time, and are dropped.
//!
//! The kernel does not report the end of a connection that the peer has reset. So the same comparison is
//! made when the reader knows of many more connections than before, and reports those that have ended.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};

use super::event::{Event, EventKind};

/// A subflow: its connection's token and its two ends, without what only some sources report
/// (scope and flow label).
pub(super) type Ends = (u32, (IpAddr, u16), (IpAddr, u16));

pub(super) fn ends(token: u32, local: SocketAddr, remote: SocketAddr) -> Ends {
    (token, (local.ip(), local.port()), (remote.ip(), remote.port()))
}

/// What is open in the kernel.
#[derive(Debug, Default)]
pub(super) struct Open {
    /// The connections by token, each with its initial subflow.
    pub(super) connections: HashMap<u32, Ends>,
    /// Those that are ready for more subflows.
    pub(super) established: HashSet<u32>,
    /// Those that have fallen back to TCP. The kernel does not report their beginning.
    pub(super) fallen_back: HashSet<u32>,
    pub(super) subflows: HashSet<Ends>,
}

/// What the reader of a stream knows to be open.
#[derive(Debug, Default)]
pub(super) struct Known {
    connections: HashMap<u32, Connection>,
    /// How many subflows they have together.
    subflows: usize,
    /// What has ended according to the last resynchronisation, and to the one before it. Events of the
    /// kernel that are still unread report it once more.
    ended_in_resync: [Ended; 2],
    /// With more connections and subflows than that, the kernel has probably not reported the end of some.
    limit: usize,
}

#[derive(Debug, Default)]
struct Connection {
    /// The reader knows of the connection, and not only of one of its subflows.
    is_known: bool,
    is_established: bool,
    /// What a resynchronisation has reported. Events of the kernel that are still unread report it once
    /// more.
    was_created_in_resync: bool,
    was_established_in_resync: bool,
    /// Each with whether a resynchronisation has reported its opening.
    subflows: HashMap<Ends, bool>,
}

#[derive(Debug, Default)]
struct Ended {
    connections: HashSet<u32>,
    subflows: HashSet<Ends>,
}

/// As many connections and subflows are kept before the kernel is asked about them.
const FEW: usize = 256;

impl Known {
    /// Returns what a reader knows who has just begun to read.
    pub(super) fn new(open: Open) -> Known {
        let mut known = Known::default();
        for token in open.connections.keys() {
            let is_established = open.established.contains(token);
            let connection = Connection { is_known: true, is_established, ..Connection::default() };
            known.connections.insert(*token, connection);
        }
        for ends in open.subflows {
            known.add(ends, false);
        }
        known.adapt_limit();
        known
    }

    /// Adds an open subflow. Returns whether a resynchronisation has reported its opening.
    fn add(&mut self, ends: Ends, is_resync: bool) -> bool {
        let subflows = &mut self.connections.entry(ends.0).or_default().subflows;
        match subflows.insert(ends, is_resync) {
            Some(was_resync) => was_resync,
            None => {
                self.subflows += 1;
                false
            }
        }
    }

    /// Removes a subflow. Returns whether it was open.
    fn remove(&mut self, ends: &Ends) -> bool {
        let Some(connection) = self.connections.get_mut(&ends.0) else { return false };
        let was_open = connection.subflows.remove(ends).is_some();
        self.subflows -= usize::from(was_open);
        if !connection.is_known && connection.subflows.is_empty() {
            self.connections.remove(&ends.0);
        }
        was_open
    }

    /// Removes a connection and its subflows. Returns whether the reader knew of it.
    fn remove_connection(&mut self, token: u32) -> bool {
        self.connections.remove(&token).is_some_and(|connection| {
            self.subflows -= connection.subflows.len();
            connection.is_known
        })
    }

    /// Reports whether the reader knows that the connection is ready for more subflows.
    pub(super) fn is_established(&self, token: u32) -> bool {
        self.connections.get(&token).is_some_and(|connection| connection.is_established)
    }

    /// Returns the subflows of the connection that the reader knows.
    pub(super) fn subflows(&self, token: u32) -> impl Iterator<Item = Ends> {
        let connection = self.connections.get(&token);
        connection.into_iter().flat_map(|connection| connection.subflows.keys().copied())
    }

    fn len(&self) -> usize {
        self.connections.len() + self.subflows
    }

    /// Reports whether what is kept has doubled since the kernel was last asked about it, or grown by
    /// more than that: then [`ends_unreported`](Self::ends_unreported) finds what has ended.
    pub(super) fn is_crowded(&self) -> bool {
        self.len() > self.limit
    }

    /// Reports whether it has grown so much that the question cannot wait.
    pub(super) fn is_overcrowded(&self) -> bool {
        self.len() > self.limit.saturating_mul(2)
    }

    pub(super) fn adapt_limit(&mut self) {
        self.limit = FEW.max(self.len().saturating_mul(2));
    }

    /// Forgets what unread events might report a second time: there are none any more.
    pub(super) fn settle(&mut self) {
        self.ended_in_resync = Default::default();
    }

    /// Records an event of the kernel's. Returns whether it is news to the reader.
    pub(super) fn record(&mut self, event: &Event) -> bool {
        let ends = match (event.token, event.local, event.remote) {
            (Some(token), Some(local), Some(remote)) => Some(ends(token, local, remote)),
            _ => None,
        };
        let ended = &mut self.ended_in_resync;
        if event.token.is_some_and(|token| ended.iter().any(|e| e.connections.contains(&token))) {
            return false;
        }
        match (event.kind, ends) {
            (EventKind::Created | EventKind::Established, Some(ends)) => {
                let connection = self.connections.entry(ends.0).or_default();
                let is_established = event.kind == EventKind::Established;
                // Unread at the resynchronisation, which knew whether the subflow was still open.
                if connection.is_known
                    && if is_established {
                        connection.was_established_in_resync
                    } else {
                        connection.was_created_in_resync
                    }
                {
                    return false;
                }
                connection.is_known = true;
                connection.is_established |= is_established;
                self.add(ends, false);
                true
            }
            (EventKind::SubflowEstablished, Some(ends)) => {
                ended.iter_mut().for_each(|ended| _ = ended.subflows.remove(&ends));
                !self.add(ends, false)
            }
            (EventKind::SubflowClosed, Some(ends)) => {
                // The end of a subflow that is not known is news: it failed before it was open.
                let was_reported = ended.iter_mut().any(|ended| ended.subflows.remove(&ends));
                self.remove(&ends) || !was_reported
            }
            (EventKind::Closed, _) => event.token.is_none_or(|token| self.remove_connection(token)),
            _ => true,
        }
    }

    /// Returns the events that lead from what the reader knows to what is open now.
    ///
    /// `has_new_connections` is false for a stream of one connection, which never reports a new one.
    pub(super) fn resync(&mut self, open: &Open, has_new_connections: bool) -> Vec<Event> {
        let mut events = Vec::new();
        for (token, initial) in &open.connections {
            let known = self.connections.get(token).is_some_and(|known| known.is_known);
            if known || has_new_connections && !open.fallen_back.contains(token) {
                self.resync_connection(*initial, open.established.contains(token), &mut events);
            }
        }
        let mut ended = self.ends_unreported(open);
        let closed =
            ended.split_off(ended.partition_point(|event| event.kind != EventKind::Closed));
        events.append(&mut ended);
        for ends in &open.subflows {
            let known = self.connections.get(&ends.0);
            if known.is_some_and(|known| known.is_known && !known.subflows.contains_key(ends)) {
                events.push(resync_event(EventKind::SubflowEstablished, ends.0, Some(*ends)));
                self.add(*ends, true);
            }
        }
        events.extend(closed);
        events
    }

    /// Reports that a connection is open, as far as the reader does not know.
    fn resync_connection(&mut self, initial: Ends, is_established: bool, events: &mut Vec<Event>) {
        let connection = self.connections.entry(initial.0).or_default();
        let is_new = !connection.is_known;
        let becomes_established = is_established && !connection.is_established;
        let kind = match (becomes_established, is_new) {
            (true, _) => EventKind::Established,
            (false, true) => EventKind::Created,
            (false, false) => return,
        };
        events.push(resync_event(kind, initial.0, Some(initial)));
        connection.is_known = true;
        connection.is_established |= is_established;
        connection.was_created_in_resync |= is_new;
        connection.was_established_in_resync |= becomes_established;
        if is_new {
            self.add(initial, true);
        }
    }

    /// Returns the connections that the reader knows and that are not open.
    pub(super) fn missing(&self, open: &HashMap<u32, Ends>) -> Vec<u32> {
        self.connections.keys().filter(|token| !open.contains_key(token)).copied().collect()
    }

    /// Returns the ends that the reader does not know of: first those of subflows, then those of
    /// connections.
    pub(super) fn ends_unreported(&mut self, open: &Open) -> Vec<Event> {
        let mut ended = Vec::new();
        for (token, connection) in &self.connections {
            let is_open = open.connections.contains_key(token);
            let all = connection.subflows.keys();
            ended.extend(all.filter(|ends| !is_open || !open.subflows.contains(ends)).copied());
        }
        self.end(&ended, &self.missing(&open.connections))
    }

    /// As [`ends_unreported`](Self::ends_unreported), for connections as a whole.
    pub(super) fn closed_unreported(&mut self, open: &HashMap<u32, Ends>) -> Vec<Event> {
        let closed = self.missing(open);
        let subflows = closed.iter().flat_map(|token| self.connections[token].subflows.keys());
        let subflows: Vec<Ends> = subflows.copied().collect();
        self.end(&subflows, &closed)
    }

    fn end(&mut self, subflows: &[Ends], connections: &[u32]) -> Vec<Event> {
        let mut events = Vec::new();
        self.ended_in_resync.swap(0, 1);
        self.ended_in_resync[0] = Ended::default();
        for ends in subflows {
            events.push(resync_event(EventKind::SubflowClosed, ends.0, Some(*ends)));
            self.ended_in_resync[0].subflows.insert(*ends);
            self.remove(ends);
        }
        for token in connections {
            if self.remove_connection(*token) {
                self.ended_in_resync[0].connections.insert(*token);
                events.push(resync_event(EventKind::Closed, *token, None));
            }
        }
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
mod model;

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// The subflow of a connection with that number; 0 is the initial one.
    pub(super) fn subflow(token: u32, number: u16) -> Ends {
        let ip = IpAddr::from([192, 0, 2, 1]);
        (token, (ip, 1000 + number), (ip, 443))
    }

    pub(super) fn event(kind: EventKind, ends: Ends) -> Event {
        let (token, local, remote) = ends;
        let (local, remote) = (Some(local.into()), Some(remote.into()));
        Event { local, remote, ..Event::of(kind, Some(token)) }
    }

    /// Established connections.
    pub(super) fn open(subflows: &[Ends]) -> Open {
        let connections: HashMap<u32, Ends> =
            subflows.iter().map(|ends| (ends.0, subflow(ends.0, 0))).collect();
        let established = connections.keys().copied().collect();
        let subflows = subflows.iter().copied().collect();
        Open { connections, established, subflows, ..Open::default() }
    }

    /// A connection that is not ready for more subflows.
    fn pending(initial: Ends) -> Open {
        Open { established: HashSet::new(), ..open(&[initial]) }
    }

    fn reports(known: &mut Known, now: &Open) -> Vec<(EventKind, Option<SocketAddr>)> {
        let events = known.resync(now, true);
        assert!(events.iter().all(|event| event.is_resync));
        events.iter().map(|event| (event.kind, event.local)).collect()
    }

    #[test]
    fn without_a_difference_nothing_is_reported() {
        let all = open(&[subflow(1, 0), subflow(1, 1)]);
        let mut known = Known::new(open(&[subflow(1, 0), subflow(1, 1)]));
        assert_eq!(reports(&mut known, &all), []);
    }

    #[test]
    fn an_event_that_a_resynchronisation_has_reported_is_dropped_once() {
        let (first, second) = (subflow(1, 0), subflow(1, 1));
        let mut known = Known::new(open(&[first]));
        let now = reports(&mut known, &open(&[first, second]));
        assert_eq!(now, [(EventKind::SubflowEstablished, Some(second.1.into()))]);
        assert!(!known.record(&event(EventKind::SubflowEstablished, second)));
        assert!(known.record(&event(EventKind::SubflowClosed, second)));

        let now = reports(&mut known, &open(&[second]));
        assert!(now.contains(&(EventKind::SubflowClosed, Some(first.1.into()))));
        assert!(!known.record(&event(EventKind::SubflowClosed, first)));
        assert!(known.record(&event(EventKind::SubflowClosed, first)), "another with these ends");
    }

    #[test]
    fn the_end_of_an_initial_subflow_is_reported_once() {
        let (initial, second) = (subflow(1, 0), subflow(1, 1));
        let mut known = Known::default();
        let now = reports(&mut known, &open(&[second]));
        assert_eq!(now.len(), 3, "the connection, the end of the initial subflow, and the second");
        let unread = [EventKind::Created, EventKind::Established, EventKind::SubflowClosed];
        assert!(unread.iter().all(|kind| !known.record(&event(*kind, initial))));
    }

    #[test]
    fn the_failure_of_a_subflow_that_was_never_open_is_news() {
        let mut known = Known::new(open(&[subflow(1, 0)]));
        assert!(known.record(&event(EventKind::SubflowClosed, subflow(1, 1))));
    }

    #[test]
    fn a_stream_of_one_connection_reports_no_other() {
        let mut known = Known::new(open(&[subflow(1, 0)]));
        assert_eq!(known.resync(&open(&[subflow(1, 0), subflow(2, 0)]), false), []);
    }

    #[test]
    fn an_established_event_was_lost_forever() {
        let initial = subflow(1, 0);
        let mut known = Known::default();
        assert!(known.record(&event(EventKind::Created, initial)));
        assert_eq!(reports(&mut known, &pending(initial)), []);
        let reported = [(EventKind::Established, Some(initial.1.into()))];
        assert_eq!(reports(&mut known, &open(&[initial])), reported);
        assert!(!known.record(&event(EventKind::Established, initial)), "reported twice");
        assert_eq!(reports(&mut known, &open(&[initial])), []);
    }

    #[test]
    fn a_connection_that_is_not_ready_was_called_established() {
        let initial = subflow(1, 0);
        let mut known = Known::default();
        let reported = [(EventKind::Created, Some(initial.1.into()))];
        assert_eq!(reports(&mut known, &pending(initial)), reported);
        assert!(!known.record(&event(EventKind::Created, initial)), "reported twice");
        assert!(known.record(&event(EventKind::Established, initial)), "swallowed");
    }

    #[test]
    fn a_connection_that_fell_back_was_called_established() {
        let mut now = open(&[subflow(1, 0)]);
        now.fallen_back.insert(1);
        assert_eq!(reports(&mut Known::default(), &now), []);
        let mut known = Known::new(open(&[subflow(1, 0)]));
        assert_eq!(reports(&mut known, &now), []);
        assert_eq!(reports(&mut known, &Open::default()).len(), 2, "its subflow and itself");
    }

    #[test]
    fn connections_that_ended_without_an_event_were_kept() {
        let mut known = Known::new(Open::default());
        let mut reported = 0;
        for token in 1..=10_000 {
            known.record(&event(EventKind::Created, subflow(token, 0)));
            known.record(&event(EventKind::Established, subflow(token, 0)));
            if known.is_crowded() {
                // The last one alone has not ended.
                let ended = known.closed_unreported(&open(&[subflow(token, 0)]).connections);
                known.adapt_limit();
                reported += ended.iter().filter(|event| event.kind == EventKind::Closed).count();
            }
            assert!(known.len() <= FEW + 2);
        }
        assert!(reported + FEW > 9_000, "{reported}");
        known.settle();
    }

    /// The time of each end was that of all connections.
    #[test]
    fn the_end_of_a_connection_cost_as_much_as_all_connections() {
        const MANY: u32 = 20_000;
        let all: Vec<Ends> = (1..=MANY).map(|token| subflow(token, 0)).collect();
        let mut known = Known::new(open(&all));
        let start = Instant::now();
        for token in 1..=MANY {
            assert!(known.record(&Event::of(EventKind::Closed, Some(token))));
        }
        assert_eq!(known.len(), 0);
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    }
}
