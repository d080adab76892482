//! Events that were lost, events of whole namespaces, and waits for events. Which events both ends of a
//! connection receive is in the scenarios.

mod common;

use std::collections::BTreeSet;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use common::child;
use common::judge::{self, Ends, by_ss, canonical};
use common::ways::initial;
use common::{Pair, SOON, controlled, raw, userspace};
use subflows::{Connect, Event, EventKind, Events, Listen, Open, Subflow};
use subflows_lab::{
    Namespace, Net, ignores_interfaces, is_before, skip, skip_unless_ready, traffic, wait_until,
};

/// Reads events until `is_enough` holds.
#[track_caller]
fn gather(events: &mut Events, what: &str, is_enough: impl Fn(&[Event]) -> bool) -> Vec<Event> {
    let deadline = Instant::now() + SOON;
    let mut gathered = Vec::new();
    while !is_enough(&gathered) {
        let left = deadline.saturating_duration_since(Instant::now());
        match events.next(left).unwrap() {
            Some(event) => gathered.push(event),
            None => assert!(Instant::now() < deadline, "no {what} in {gathered:#?}"),
        }
    }
    gathered
}

/// Reads up to the first event of this kind.
#[track_caller]
fn next(events: &mut Events, kind: EventKind) -> Event {
    let is_last = |gathered: &[Event]| gathered.last().is_some_and(|event| event.kind == kind);
    gather(events, kind.name(), is_last).pop().unwrap()
}

/// The events that can be read without waiting.
fn rest(events: &mut Events) -> Vec<Event> {
    std::iter::from_fn(|| events.try_next().unwrap()).collect()
}

fn ends(event: &Event) -> Ends {
    (event.local.unwrap(), event.remote.unwrap())
}

/// A network whose server accepts any number of subflows. The kernel's path manager would still
/// count those that were closed just before.
fn boundless(net: std::io::Result<Net>) -> Net {
    let net = net.unwrap();
    userspace(&net.server);
    net
}

fn open(net: &Net, pair: &Pair, path: usize) -> Subflow {
    let local = net.paths[path].client_ip(canonical(pair.client.peer_addr().unwrap()).ip());
    net.client.run(|| subflows::open(&pair.client, &Open::new().local(local))).unwrap()
}

fn interface_index(namespace: &Namespace, name: &str) -> u32 {
    let text = namespace.ip(&["-o", "link", "show", name]).unwrap();
    text.split(':').next().unwrap().parse().unwrap()
}

#[test]
fn an_event_names_its_interface() {
    skip_unless_ready!();
    let net = boundless(Net::two_subnets());
    let index = interface_index(&net.client, &net.paths[1].client_interface);
    for to in net.paths[0].server_ips() {
        let pair = controlled(&net, to);
        let mut events = net.client.run(|| subflows::events(&pair.client)).unwrap();
        open(&net, &pair, 1);
        let event = next(&mut events, EventKind::SubflowEstablished);
        // Old kernels do not bind the subflow.
        assert_eq!(event.interface_index, (!ignores_interfaces()).then_some(index));
        assert_eq!(event.token, Some(judge::token(&pair.client)));
    }
}

#[test]
fn a_listener_that_ends_is_reported() {
    skip_unless_ready!();
    if is_before(6, 2) {
        return skip(NO_LISTENERS);
    }
    let namespace = Namespace::new().unwrap();
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let mut events = namespace.run(|| Events::of_namespace().unwrap());
        let listen = || subflows::listen(address, &subflows::Listen::new()).unwrap();
        let listener = namespace.run(listen);
        let local = listener.local_addr().unwrap();
        assert_eq!(next(&mut events, EventKind::ListenerCreated).local, Some(local));
        assert_eq!(rest(&mut events), []);
        drop(listener);
        assert_eq!(next(&mut events, EventKind::ListenerClosed).local, Some(local));
        assert_eq!(rest(&mut events), []);
    }
}

/// More events than the kernel keeps by default.
const MANY: usize = 150;

/// Opens and closes many subflows.
fn churn(net: &Net, pair: &Pair) {
    let path = &net.paths[1];
    let local = path.client_ip(canonical(pair.client.peer_addr().unwrap()).ip());
    net.client.run(|| {
        for _ in 0..MANY {
            let subflow = subflows::open(&pair.client, &Open::new().local(local)).unwrap();
            subflows::close(&pair.client, subflow.id).unwrap();
        }
    });
}

/// The subflows that a reader of events believes to be open.
#[derive(Default)]
struct Belief {
    open: BTreeSet<Ends>,
    ended: BTreeSet<Ends>,
}

impl Belief {
    fn new(open: BTreeSet<Ends>) -> Belief {
        Belief { open, ended: BTreeSet::new() }
    }

    fn hear(&mut self, event: &Event) {
        match event.kind {
            EventKind::SubflowEstablished => {
                self.ended.remove(&ends(event));
                assert!(self.open.insert(ends(event)), "reported twice: {event:?}");
            }
            EventKind::SubflowClosed => {
                // The event for the start of this subflow may be lost; its end is reported once.
                self.open.remove(&ends(event));
                assert!(self.ended.insert(ends(event)), "ended twice: {event:?}");
            }
            _ => {}
        }
    }

    fn after(mut self, events: &[Event]) -> BTreeSet<Ends> {
        events.iter().for_each(|event| self.hear(event));
        self.open
    }
}

fn count(events: &[Event], kind: EventKind) -> usize {
    events.iter().filter(|event| event.kind == kind).count()
}

/// The answer to a resync already includes what happens during it. The event may arrive as well.
#[test]
fn losses_while_much_happens_leave_the_reader_with_what_ss_has() {
    skip_unless_ready!();
    if common::has_one_processor() {
        return skip("with one processor, the reader always keeps up");
    }
    let net = boundless(Net::two_subnets());
    let pair = controlled(&net, net.paths[0].server_ips()[0]);
    let token = judge::token(&pair.client);
    let _entered = net.client.enter().unwrap();
    let mut events = subflows::events(&pair.client).unwrap();
    // As small as the kernel allows: a few events.
    events.set_buffer(1);
    let mut belief = Belief::new(by_ss(&net.client, token));
    let (mut lost, mut rounds) = (0, 0);
    // On a quiet machine, the reader may keep up.
    while lost == 0 && rounds < 20 {
        rounds += 1;
        thread::scope(|scope| {
            let threads: Vec<_> = (0..3).map(|_| scope.spawn(|| churn(&net, &pair))).collect();
            while !threads.iter().all(ScopedJoinHandle::is_finished) {
                if let Some(event) = events.next(Duration::from_millis(1)).unwrap() {
                    lost += count(std::slice::from_ref(&event), EventKind::Lost);
                    belief.hear(&event);
                }
            }
        });
    }
    open(&net, &pair, 1);
    assert_eq!(belief.after(&rest(&mut events)), by_ss(&net.client, token));
    assert!(lost > 0);
}

/// Otherwise a reader that follows a namespace, and lost the first and last events of whole connections,
/// would believe in connections that have ended and miss new ones.
#[test]
fn after_a_loss_whole_connections_are_reported() {
    skip_unless_ready!();
    let net = boundless(Net::two_subnets());
    let to = net.paths[0].server_ips()[0];
    let (goes, busy) = (controlled(&net, to), controlled(&net, to));
    let gone = judge::token(&goes.client);
    let _entered = net.client.enter().unwrap();
    let mut events = Events::of_namespace().unwrap();
    churn(&net, &busy);
    drop(goes);
    wait_until(SOON, "the end", || by_ss(&net.client, gone).is_empty());
    let comes = controlled(&net, to);
    let told = rest(&mut events);
    assert_eq!(count(&told, EventKind::Lost), 1);
    let tokens = |kind| {
        let of_kind = told.iter().filter(|event| event.kind == kind && event.is_resync);
        of_kind.map(|event| event.token.unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(tokens(EventKind::Closed), [gone]);
    assert_eq!(tokens(EventKind::Established), [judge::token(&comes.client)]);
    let initial = initial(&comes);
    let mut told = told.iter().filter(|event| event.kind == EventKind::Established);
    assert!(told.any(|event| initial.contains(&ends(event))), "{initial:?}");
}

/// The reader may be a thread of another network namespace.
#[test]
fn a_loss_is_healed_from_anywhere() {
    skip_unless_ready!();
    let net = boundless(Net::two_subnets());
    let pair = controlled(&net, net.paths[0].server_ips()[0]);
    let mut events = net.client.run(|| subflows::events(&pair.client)).unwrap();
    let token = judge::token(&pair.client);
    let believed = by_ss(&net.client, token);
    churn(&net, &pair);
    open(&net, &pair, 1);
    let told = rest(&mut events);
    assert_eq!(count(&told, EventKind::Lost), 1);
    assert_eq!(Belief::new(believed).after(&told), by_ss(&net.client, token));
}

#[test]
fn a_connection_that_ended_unheard_is_closed() {
    skip_unless_ready!();
    let net = boundless(Net::two_subnets());
    for to in net.paths[0].server_ips() {
        let pair = controlled(&net, to);
        let token = judge::token(&pair.client);
        let mut events = net.client.run(|| subflows::events(&pair.client)).unwrap();
        churn(&net, &pair);
        open(&net, &pair, 1);
        let believed = initial(&pair);
        drop(pair);
        let _entered = net.client.enter().unwrap();
        wait_until(SOON, "the connection to be gone", || subflows::connection(token).is_err());
        let told = rest(&mut events);
        assert_eq!((count(&told, EventKind::Lost), count(&told, EventKind::Closed)), (1, 1));
        let last = told.last().unwrap();
        assert_eq!((last.kind, last.token, last.is_resync), (EventKind::Closed, Some(token), true));
        assert_eq!(Belief::new(believed).after(&told), BTreeSet::new());
    }
}

#[test]
fn a_larger_buffer_loses_nothing() {
    skip_unless_ready!();
    let net = boundless(Net::two_subnets());
    let pair = controlled(&net, net.paths[0].server_ips()[0]);
    let mut events = net.client.run(|| subflows::events(&pair.client)).unwrap();
    events.set_buffer(8 << 20);
    churn(&net, &pair);
    let told =
        gather(&mut events, "end of all", |told| count(told, EventKind::SubflowClosed) == MANY);
    assert_eq!(count(&told, EventKind::SubflowEstablished), MANY);
    assert_eq!(told.len(), 2 * MANY);
    assert!(told.iter().all(|event| !event.is_resync));
}

/// A netlink socket that has sent a request can no longer be bound to an address.
#[test]
fn events_may_be_the_first_thing_that_a_process_asks_for() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let _entered = namespace.enter().unwrap();
    for name in ["helper_events_of_namespace", "helper_events_of_a_connection"] {
        child::plays(&mut child::helper(name));
    }
}

#[test]
#[ignore = "a helper of the test above"]
fn helper_events_of_namespace() {
    if child::is_child() {
        let mut events = Events::of_namespace().unwrap();
        let listener = subflows::listen("127.0.0.1:0", &Listen::new()).unwrap();
        let local = Some(listener.local_addr().unwrap());
        // Before Linux 6.2, the kernel reports no listeners.
        if !is_before(6, 2) {
            assert_eq!(next(&mut events, EventKind::ListenerCreated).local, local);
        }
    }
}

#[test]
#[ignore = "a helper of the test above"]
fn helper_events_of_a_connection() {
    if child::is_child() {
        let here = Namespace::current().unwrap();
        let server = traffic::serve_source(&here, "127.0.0.1:0".parse().unwrap(), 1).unwrap();
        let stream = traffic::connect(server.local_addr()).unwrap();
        let mut events = subflows::events(&stream).unwrap();
        traffic::fetch(&stream, 1).unwrap();
        next(&mut events, EventKind::Established);
    }
}

#[test]
fn a_wait_ends_when_the_time_is_up() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let pair = common::connect(&net, net.paths[0].server_ips()[0], &Connect::new());
    pair.make_ready();
    let mut events = net.client.run(|| subflows::events(&pair.client)).unwrap();
    for timeout in [Duration::ZERO, Duration::from_millis(100)] {
        let start = Instant::now();
        assert_eq!(events.next(timeout).unwrap(), None);
        let span = start.elapsed();
        assert!(span >= timeout && span < timeout + SOON, "{span:?} instead of {timeout:?}");
    }
}

/// Without their events, listeners lose none.
const NO_LISTENERS: &str = "before Linux 6.2, the kernel reports no listeners";

/// More listeners than events that fit in the buffer.
fn lose_events(namespace: &Namespace) {
    namespace.run(|| {
        for _ in 0..400 {
            drop(subflows::listen("127.0.0.1:0", &Listen::new()).unwrap());
        }
    });
}

fn is_of_listener(event: &Event) -> bool {
    matches!(event.kind, EventKind::ListenerCreated | EventKind::ListenerClosed)
}

/// The events that come within a moment, without those of listeners.
fn soon(events: &mut Events) -> Vec<Event> {
    let next = || events.next(Duration::from_millis(300)).unwrap();
    std::iter::from_fn(next).filter(|event| !is_of_listener(event)).collect()
}

fn kinds(told: &[Event]) -> Vec<(EventKind, bool)> {
    told.iter().map(|event| (event.kind, event.is_resync)).collect()
}

/// The kernel does not report that a connection has ended that the peer resets. A peer that does so again
/// and again filled the memory of the reader.
#[test]
fn connections_that_the_peer_reset_were_kept_forever() {
    skip_unless_ready!();
    if !common::closing_resets() {
        return skip(common::NO_RESETS);
    }
    const RESETS: usize = 600;
    let net = boundless(Net::two_subnets());
    for to in net.paths[0].server_ips() {
        let mut events = net.server.run(Events::of_namespace).unwrap();
        let mut told = Vec::new();
        for _ in 0..RESETS {
            let pair = common::connect(&net, to, &Connect::new());
            pair.make_ready();
            raw::reset_when_closed(&pair.client);
            let Pair { client, mut server, .. } = pair;
            drop(client);
            std::io::Read::read(&mut server, &mut [0]).unwrap_err();
            drop(server);
            told.extend(rest(&mut events));
        }
        let created = told.iter().filter(|event| event.kind == EventKind::Created);
        assert_eq!((created.count(), count(&told, EventKind::Lost)), (RESETS, 0));
        let closed = told.iter().filter(|event| event.kind == EventKind::Closed && event.is_resync);
        let closed = closed.count();
        assert!(closed > RESETS / 2, "{closed} of {RESETS}");
    }
}

#[test]
fn a_connection_that_was_being_established_was_reported_and_swallowed() {
    skip_unless_ready!();
    if is_before(6, 2) {
        return skip(NO_LISTENERS);
    }
    let net = boundless(Net::two_subnets());
    let to = net.paths[0].server_ips()[0];
    let listener = net.server.run(|| subflows::listen((to, 0), &Listen::new())).unwrap();
    let _entered = net.client.enter().unwrap();
    let mut events = Events::of_namespace().unwrap();
    let (ip, interface) = (to.to_string(), net.paths[0].client_interface.clone());
    net.client
        .ip(&["neigh", "replace", &ip, "lladdr", "02:00:00:00:00:77", "dev", &interface])
        .unwrap();
    let mut pending =
        subflows::Connecting::begin(&[listener.local_addr().unwrap()], &Connect::new()).unwrap();
    lose_events(&net.client);
    let told = soon(&mut events);
    assert_eq!(told.iter().map(|event| event.kind).collect::<Vec<_>>(), [EventKind::Lost]);
    net.client.ip(&["neigh", "del", &ip, "dev", &interface]).unwrap();
    wait_until(SOON, "the connection", || pending.advance().unwrap());
    let client = pending.finish().unwrap();
    let pair = Pair::accept(client, listener);
    pair.make_ready();
    assert_eq!(
        kinds(&soon(&mut events)),
        [(EventKind::Created, false), (EventKind::Established, false)]
    );
}

#[test]
fn a_connection_that_became_ready_during_a_loss_was_never_established() {
    skip_unless_ready!();
    if is_before(6, 2) {
        return skip(NO_LISTENERS);
    }
    let net = boundless(Net::two_subnets());
    for to in net.paths[0].server_ips() {
        for is_of_namespace in [false, true] {
            let pair = common::connect(&net, to, &Connect::new().control(true));
            let _entered = net.client.enter().unwrap();
            let mut events = if is_of_namespace {
                Events::of_namespace()
            } else {
                subflows::events(&pair.client)
            }
            .unwrap();
            lose_events(&net.client);
            pair.make_ready();
            let token = judge::token(&pair.client);
            // The connection before this one may still be closing.
            let mut told = soon(&mut events);
            told.retain(|event| event.token.is_none_or(|of| of == token));
            assert_eq!(kinds(&told), [(EventKind::Lost, false), (EventKind::Established, true)]);
            assert_eq!(told[1].token, Some(token));
        }
    }
}

/// One direction of a connection may be closed while the other is in use.
#[test]
fn a_half_closed_connection_is_open_after_a_loss() {
    skip_unless_ready!();
    if is_before(6, 2) {
        return skip(NO_LISTENERS);
    }
    let net = boundless(Net::two_subnets());
    let pair = controlled(&net, net.paths[0].server_ips()[0]);
    let mut streams = [&net.client, &net.server].map(|end| end.run(Events::of_namespace).unwrap());
    pair.client.shutdown(std::net::Shutdown::Write).unwrap();
    for (events, end) in streams.iter_mut().zip([&net.client, &net.server]) {
        lose_events(end);
        let told = soon(events);
        assert_eq!(count(&told, EventKind::Closed), 0, "{told:#?}");
    }
    let tokens = [judge::token(&pair.client), judge::token(&pair.server)];
    let ends = [&net.client, &net.server];
    drop(pair);
    for ((events, token), end) in streams.iter_mut().zip(tokens).zip(ends) {
        lose_events(end);
        let told = soon(events);
        let closed = told.iter().filter(|event| event.kind == EventKind::Closed);
        assert_eq!(closed.map(|event| event.token).collect::<Vec<_>>(), [Some(token)]);
    }
}
