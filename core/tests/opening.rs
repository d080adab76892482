//! Without these, an `open` that has to wait could wait for the wrong thing, use the processor all
//! the time, or continue after its caller has dropped it.

mod common;

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use common::judge::{self, agree};
use common::ways::{self, AT_ONCE, initial, peer, second};
use common::{
    Pair, SOON, close_listener, expect_error, networks, open_handed, raw, without_listener,
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use subflows::{Connect, Connecting, Error, ErrorKind, Listen, Open, Opening, Result, Subflow};
use subflows_lab::{Net, skip_unless_ready, wait_until};

/// How long a round trip takes in [`Net::far`].
const ROUND_TRIP: Duration = Duration::from_millis(100);

/// Steps the opening until it ends.
fn finish(opening: &mut Opening<impl AsFd>) -> Result<Subflow> {
    loop {
        if let Some(subflow) = opening.advance()? {
            return Ok(subflow);
        }
        opening.wait()?;
    }
}

/// Begins an opening whose first segment is lost because the cable is pulled.
fn begun<'fd>(net: &Net, pair: &Pair, sock: &'fd OwnedFd) -> Opening<&'fd OwnedFd> {
    let mut opening = Opening::begin(sock, &second(net, pair).timeout(SOON)).unwrap();
    assert!(opening.advance().unwrap().is_none());
    let seen = judge::ss_of(&net.client, judge::token(&pair.client));
    assert!(seen.iter().any(|seen| seen.state == "SYN-SENT"), "{seen:?}");
    opening
}

/// A duplicate of the client's descriptor.
fn client_of(pair: &Pair) -> OwnedFd {
    pair.client.as_fd().try_clone_to_owned().unwrap()
}

#[test]
fn one_that_is_given_up_leaves_nothing() {
    skip_unless_ready!();
    let ends: [fn(Opening<&OwnedFd>); 2] = [|opening| opening.cancel(), |opening| drop(opening)];
    for net in networks() {
        for pair in ways::controlled(&net) {
            ways::pull_cable(&net, 1);
            let _entered = net.client.enter().unwrap();
            let sock = client_of(&pair);
            for end in ends {
                end(begun(&net, &pair, &sock));
                let left = judge::by_ss(&net.client, judge::token(&pair.client));
                assert_eq!(left, initial(&pair), "at once");
            }
            agree(&net.client, &pair.client, &initial(&pair));
            assert!(pair.moves_data());
            net.paths[1].plug_in().unwrap();
            // An opening that has finished stays finished.
            let mut opening = Opening::begin(&sock, &second(&net, &pair)).unwrap();
            let subflow = finish(&mut opening).unwrap();
            let again = opening.advance().unwrap_err();
            assert_eq!(again.kind(), ErrorKind::InvalidState, "{again}");
            drop(opening);
            let mut expected = initial(&pair);
            expected.insert((subflow.local, subflow.remote));
            agree(&net.client, &pair.client, &expected);
        }
    }
}

/// How a connection may end: a name, and the action.
type Ending = (&'static str, fn(&mut Pair));

/// How a connection may end while a subflow of it is being opened.
const ENDINGS: [Ending; 4] = [
    ("the peer resets it", |pair| {
        raw::reset_when_closed(&pair.server);
        pair.server = pair.client.try_clone().unwrap();
    }),
    ("the peer closes it", |pair| pair.server = pair.client.try_clone().unwrap()),
    ("the peer shuts down sending", |pair| {
        pair.server.shutdown(Shutdown::Write).unwrap();
        // It still listens.
        pair.client.write_all(b"?").unwrap();
        pair.server.read_exact(&mut [0]).unwrap();
    }),
    ("this end shuts down sending", |pair| pair.client.shutdown(Shutdown::Write).unwrap()),
];

#[test]
fn a_connection_that_ends_during_the_wait_is_closed() {
    skip_unless_ready!();
    for net in [Net::two_subnets(), Net::laptop()] {
        let net = open_handed(net.unwrap());
        ways::pull_cable(&net, 1);
        for (what, end) in ENDINGS {
            for mut pair in ways::controlled(&net) {
                let _entered = net.client.enter().unwrap();
                let (token, sock) = (judge::token(&pair.client), client_of(&pair));
                let mut opening = begun(&net, &pair, &sock);
                end(&mut pair);
                let start = Instant::now();
                let error = finish(&mut opening).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Closed, "{what}: {error}");
                assert!(start.elapsed() < Duration::from_secs(1), "{what}: {:?}", start.elapsed());
                let left = judge::ss_of(&net.client, token);
                assert!(left.iter().all(|left| left.state != "SYN-SENT"), "{what}: {left:?}");
            }
        }
    }
}

#[test]
fn data_on_their_way_are_waited_for() {
    skip_unless_ready!();
    let net = open_handed(Net::far().unwrap());
    for mut pair in ways::connected(&net, &Connect::new().control(true)) {
        let _entered = net.client.enter().unwrap();
        let start = Instant::now();
        pair.client.write_all(b"?").unwrap();
        let subflow = subflows::open(&pair.client, &second(&net, &pair)).unwrap();
        // One round trip for the data, two for the join.
        assert!(start.elapsed() >= 3 * ROUND_TRIP, "{:?}", start.elapsed());
        judge::is_joined(&net.client, judge::token(&pair.client), &subflow);
        pair.server.read_exact(&mut [0]).unwrap();
        assert!(pair.moves_data());
    }
}

#[test]
fn data_that_do_not_arrive_are_not_waited_for_beyond_the_timeout() {
    skip_unless_ready!();
    for net in [Net::two_subnets(), Net::far()] {
        let net = open_handed(net.unwrap());
        for mut pair in ways::connected(&net, &Connect::new().control(true)) {
            ways::pull_cable(&net, 0);
            let _entered = net.client.enter().unwrap();
            pair.client.write_all(b"?").unwrap();
            let limit = Duration::from_millis(300);
            let options = second(&net, &pair).timeout(limit);
            let start = Instant::now();
            expect_error(subflows::open(&pair.client, &options), ErrorKind::TimedOut);
            let elapsed = start.elapsed();
            assert!(limit <= elapsed && elapsed < limit + AT_ONCE, "{elapsed:?}");
            net.paths[0].plug_in().unwrap();
            pair.server.read_exact(&mut [0]).unwrap();
            assert!(pair.moves_data());
            agree(&net.client, &pair.client, &initial(&pair));
        }
    }
}

/// A listener at the first path, and a controlled connection to it that is still being established.
fn connecting(net: &Net, listen: IpAddr, to: IpAddr) -> (TcpListener, Connecting) {
    let listen = SocketAddr::new(listen, 0);
    let listener = net.server.run(|| subflows::listen(listen, &Listen::new())).unwrap();
    let address = SocketAddr::new(to, listener.local_addr().unwrap().port());
    let options = Connect::new().control(true);
    let connecting = net.client.run(|| Connecting::begin(&[address], &options)).unwrap();
    (listener, connecting)
}

/// The options of an `open` that begins before the peer has answered, without and with its address.
fn asked(net: &Net, to: IpAddr, port: u16) -> [Open; 2] {
    let local = net.paths[1].client_ip(to.to_canonical());
    let open = Open::new().local(local).timeout(SOON);
    [open.clone(), open.remote((to, port))]
}

#[test]
fn a_connection_that_is_being_made_is_waited_for() {
    skip_unless_ready!();
    let net = open_handed(Net::far().unwrap());
    for (listen, to) in ways::ways(&net) {
        for is_peer_given in [false, true] {
            ways::pull_cable(&net, 0);
            let (listener, mut connecting) = connecting(&net, listen, to);
            let _entered = net.client.enter().unwrap();
            let port = listener.local_addr().unwrap().port();
            let options = &asked(&net, to, port)[usize::from(is_peer_given)];
            let sock = connecting.fd().try_clone_to_owned().unwrap();
            let mut opening = Opening::begin(&sock, options).unwrap();
            assert!(opening.advance().unwrap().is_none(), "not connected yet");
            net.paths[0].plug_in().unwrap();
            while !connecting.advance().unwrap() {
                connecting.wait().unwrap();
            }
            let mut client = connecting.finish().unwrap();
            client.write_all(b"?").unwrap();
            let subflow = finish(&mut opening).unwrap();
            judge::is_joined(&net.client, judge::token(&client), &subflow);
            let (mut server, _) = listener.accept().unwrap();
            server.read_exact(&mut [0]).unwrap();
            assert!(Pair { client, server, listener }.moves_data());
        }
    }
}

#[test]
fn a_connection_that_is_made_without_a_byte_is_not_ready() {
    skip_unless_ready!();
    let net = open_handed(Net::far().unwrap());
    for (listen, to) in ways::ways(&net) {
        let (listener, connecting) = connecting(&net, listen, to);
        for options in asked(&net, to, listener.local_addr().unwrap().port()) {
            let start = Instant::now();
            let sock = connecting.fd();
            expect_error(net.client.run(|| subflows::open(&sock, &options)), ErrorKind::NotReady);
            assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        }
    }
}

#[test]
fn a_connection_that_is_never_made_is_not_waited_for_beyond_the_timeout() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
    ways::pull_cable(&net, 0);
    for (listen, to) in ways::ways(&net) {
        let (listener, connecting) = connecting(&net, listen, to);
        let sock = connecting.fd();
        for options in asked(&net, to, listener.local_addr().unwrap().port()) {
            for limit in [Duration::ZERO, Duration::from_millis(300)] {
                let options = options.clone().timeout(limit);
                let start = Instant::now();
                expect_error(
                    net.client.run(|| subflows::open(&sock, &options)),
                    ErrorKind::TimedOut,
                );
                let elapsed = start.elapsed();
                assert!(limit <= elapsed && elapsed < limit + AT_ONCE, "{elapsed:?}");
            }
        }
    }
}

#[test]
fn a_connection_that_is_refused_during_the_wait_is_closed() {
    skip_unless_ready!();
    let net = open_handed(Net::far().unwrap());
    for (listen, to) in ways::ways(&net) {
        for is_peer_given in [false, true] {
            let (listener, connecting) = connecting(&net, listen, to);
            let port = listener.local_addr().unwrap().port();
            close_listener(&net.server, listener);
            let options = &asked(&net, to, port)[usize::from(is_peer_given)];
            let (sock, start) = (connecting.fd(), Instant::now());
            expect_error(net.client.run(|| subflows::open(&sock, options)), ErrorKind::Closed);
            assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        }
    }
}

/// Waits only with poll(2), until the deadline; returns whether the descriptor is readable.
fn readable(fd: BorrowedFd<'_>, deadline: Instant) -> bool {
    let left = deadline.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
    let mut entry = [PollFd::new(fd, PollFlags::POLLIN)];
    poll(&mut entry, PollTimeout::try_from(left).unwrap()).unwrap() > 0
}

/// Steps the opening by its descriptor and deadline, as an event loop does; counts the steps.
fn step(opening: &mut Opening<impl AsFd>) -> (std::result::Result<Subflow, Error>, usize) {
    let (deadline, number) = (opening.deadline(), opening.fd().unwrap().as_raw_fd());
    let mut steps = 0;
    loop {
        steps += 1;
        match opening.advance() {
            Ok(None) => {}
            Ok(Some(subflow)) => return (Ok(subflow), steps),
            Err(error) => return (Err(error), steps),
        }
        assert_eq!((opening.deadline(), opening.fd().unwrap().as_raw_fd()), (deadline, number));
        let is_readable = readable(opening.fd().unwrap(), deadline);
        assert!(is_readable || Instant::now() >= deadline, "neither readable nor late");
    }
}

#[test]
fn an_event_loop_can_drive_it_without_spinning() {
    skip_unless_ready!();
    let net = open_handed(Net::far().unwrap());
    let mut quickest = Duration::MAX;
    for pair in ways::controlled(&net) {
        let _entered = net.client.enter().unwrap();
        let sock = client_of(&pair);
        let start = Instant::now();
        let mut opening = Opening::begin(&sock, &second(&net, &pair)).unwrap();
        quickest = quickest.min(start.elapsed());
        let (subflow, steps) = step(&mut opening);
        let subflow = subflow.unwrap();
        assert!(start.elapsed() >= 2 * ROUND_TRIP, "{:?}", start.elapsed());
        assert!(steps < 60, "{steps} steps");
        judge::is_joined(&net.client, judge::token(&pair.client), &subflow);
        assert!(pair.moves_data());
    }
    assert!(quickest < ROUND_TRIP, "to begin took {quickest:?}");
}

#[test]
fn an_event_loop_sees_it_end_without_spinning() {
    skip_unless_ready!();
    let net = open_handed(Net::far().unwrap());
    for pair in ways::controlled(&net) {
        let _entered = net.client.enter().unwrap();
        let sock = client_of(&pair);
        let refusing = without_listener(&net.server, peer(&pair).ip());
        let refused = second(&net, &pair).remote(refusing);
        let mut opening = Opening::begin(&sock, &refused).unwrap();
        let (result, steps) = step(&mut opening);
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Refused);
        assert!(steps < 60, "{steps} steps");
        drop(opening);

        ways::pull_cable(&net, 1);
        let limit = Duration::from_millis(500);
        let mut opening = Opening::begin(&sock, &second(&net, &pair).timeout(limit)).unwrap();
        let deadline = opening.deadline();
        let (result, steps) = step(&mut opening);
        assert_eq!(result.unwrap_err().kind(), ErrorKind::TimedOut);
        assert!(deadline <= Instant::now() && Instant::now() < deadline + AT_ONCE);
        assert!(steps < 60, "{steps} steps");
        net.paths[1].plug_in().unwrap();
        wait_until(SOON, "ss to show the initial one alone", || {
            judge::by_ss(&net.client, judge::token(&pair.client)) == initial(&pair)
        });
        assert!(pair.moves_data());
    }
}
