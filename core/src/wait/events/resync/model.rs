//! A model of the kernel and of a reader of its events, with losses at any moment.

use proptest::prelude::*;

use super::tests::{event, open, subflow};
use super::*;

/// A model of the kernel. Connections begin, become ready, get subflows and lose the oldest one, end
/// with their last one, and end without an event. No port is used twice.
#[derive(Clone, Debug, Default)]
struct Kernel {
    next: HashMap<u32, u16>,
    established: HashSet<u32>,
    live: Vec<Ends>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Open,
    Close,
    /// The peer resets the connection.
    Reset,
}

impl Kernel {
    fn step(&mut self, token: u32, step: Step) -> Vec<Event> {
        let is_live = self.live.iter().any(|ends| ends.0 == token);
        let number = *self.next.entry(token).or_default();
        match step {
            // A token names one connection only.
            Step::Open if number > 0 && !is_live => Vec::new(),
            Step::Open if number > 0 && self.established.insert(token) => {
                vec![event(EventKind::Established, subflow(token, 0))]
            }
            Step::Open => {
                let ends = subflow(token, number);
                self.next.insert(token, number + 1);
                self.live.push(ends);
                vec![match number {
                    0 => event(EventKind::Created, ends),
                    _ => event(EventKind::SubflowEstablished, ends),
                }]
            }
            Step::Reset => {
                self.live.retain(|ends| ends.0 != token);
                Vec::new()
            }
            Step::Close => {
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
        }
    }

    fn open(&self) -> Open {
        let mut open = open(&self.live);
        open.established.retain(|token| self.established.contains(token));
        open
    }
}

/// What a reader concludes from the events.
#[derive(Debug, Default)]
struct Reader {
    connections: HashSet<u32>,
    established: HashSet<u32>,
    subflows: HashSet<Ends>,
    closed: HashSet<Ends>,
}

impl Reader {
    fn read(&mut self, event: &Event) {
        let token = event.token.unwrap();
        let ends = event.local.zip(event.remote).map(|(l, r)| ends(token, l, r));
        match (event.kind, ends) {
            (EventKind::Created, Some(ends)) => {
                assert!(self.connections.insert(token), "created twice: {event:?}");
                self.subflows.insert(ends);
            }
            (EventKind::Established, Some(ends)) => {
                assert!(self.established.insert(token), "established twice: {event:?}");
                if self.connections.insert(token) {
                    self.subflows.insert(ends);
                }
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
                self.established.remove(&token);
                assert!(self.subflows.iter().all(|ends| ends.0 != token), "{event:?}");
            }
            _ => panic!("{event:?}"),
        }
    }

    fn agrees(&self, open: &Open) {
        assert_eq!(self.subflows, open.subflows);
        assert_eq!(self.connections, open.connections.keys().copied().collect());
        assert_eq!(self.established, open.established);
    }
}

fn step() -> impl Strategy<Value = (u32, Step)> {
    let steps = prop_oneof![5 => Just(Step::Open), 3 => Just(Step::Close), 1 => Just(Step::Reset)];
    (0u32..3, steps)
}

proptest! {
    /// For every loss, and for every number of events that are unread at the comparison.
    #[test]
    fn after_a_loss_the_reader_knows_what_is_open(
        steps in prop::collection::vec(step(), 0..80),
        losses in prop::collection::vec((0usize..60, 0usize..20, 0usize..20), 0..3),
    ) {
        let (mut kernel, mut known, mut reader) =
            (Kernel::default(), Known::default(), Reader::default());
        let deliver = |known: &mut Known, reader: &mut Reader, events: &[Event]| {
            events.iter().filter(|event| known.record(event)).for_each(|e| reader.read(e));
        };
        let mut steps = steps.into_iter();
        for (read, lost, unread) in losses {
            for (token, step) in steps.by_ref().take(read) {
                deliver(&mut known, &mut reader, &kernel.step(token, step));
            }
            for (token, step) in steps.by_ref().take(lost) {
                kernel.step(token, step);
            }
            let later: Vec<Event> = steps
                .by_ref()
                .take(unread)
                .flat_map(|(token, step)| kernel.step(token, step))
                .collect();
            for event in known.resync(&kernel.open(), true) {
                reader.read(&event);
            }
            reader.agrees(&kernel.open());
            deliver(&mut known, &mut reader, &later);
        }
        for (token, step) in steps {
            deliver(&mut known, &mut reader, &kernel.step(token, step));
        }
        // What has ended without an event.
        for event in known.ends_unreported(&kernel.open()) {
            reader.read(&event);
        }
        reader.agrees(&kernel.open());
    }

    /// Without a loss, a question about silent ends changes nothing else.
    #[test]
    fn the_question_about_silent_ends_invents_and_swallows_nothing(
        steps in prop::collection::vec((step(), any::<bool>()), 0..80),
    ) {
        let (mut kernel, mut known, mut reader) =
            (Kernel::default(), Known::default(), Reader::default());
        for ((token, step), asks) in steps {
            for event in kernel.step(token, step) {
                prop_assert!(known.record(&event), "swallowed: {event:?}");
                reader.read(&event);
            }
            if asks {
                let open = kernel.open();
                known.closed_unreported(&open.connections).iter().for_each(|e| reader.read(e));
                reader.agrees(&open);
            }
            prop_assert!(known.len() <= 2 * (reader.subflows.len() + reader.connections.len()));
        }
    }
}
