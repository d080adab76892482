//! Sockets and waits work in event loops with edge-triggered polling, such as mio's.

mod common;

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::{Duration, Instant};

use common::judge;
use common::ways::{self, AT_ONCE, initial, peer, second};
use common::{SOON, networks, open_handed, without_listener};
use mio::net::{TcpListener, TcpStream};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use subflows::{Connect, Connecting, ErrorKind, EventKind, Listen, Open, Opening, State, Subflow};
use subflows_lab::{Net, skip_unless_ready};

const LISTENER: Token = Token(0);
const CLIENT: Token = Token(1);
const SERVER: Token = Token(2);
const WAIT: Token = Token(3);

/// An event loop that fails after it has waited too long.
struct Loop {
    poll: Poll,
    events: Events,
}

impl Loop {
    fn new() -> Loop {
        Loop { poll: Poll::new().unwrap(), events: Events::with_capacity(16) }
    }

    fn watch(&self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> RawFd {
        let number = fd.as_raw_fd();
        self.poll.registry().register(&mut SourceFd(&number), token, interest).unwrap();
        number
    }

    fn forget(&self, number: RawFd) {
        self.poll.registry().deregister(&mut SourceFd(&number)).unwrap();
    }

    /// Waits for an edge of this token until the deadline; returns whether one came.
    fn wait(&mut self, token: Token, deadline: Instant) -> bool {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.poll.poll(&mut self.events, Some(left)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled.unwrap(),
            }
            if self.events.iter().any(|event| event.token() == token) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
        }
    }

    /// Tries again at every edge of this token, until the result is not `WouldBlock`.
    #[track_caller]
    fn finish<T>(&mut self, token: Token, mut what: impl FnMut() -> io::Result<T>) -> T {
        let deadline = Instant::now() + SOON;
        loop {
            match what() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result.unwrap(),
            }
            assert!(self.wait(token, deadline), "no edge came");
        }
    }

    /// Steps an open by edges alone, registered once; counts the steps.
    fn open(&mut self, mut opening: Opening<impl AsFd>) -> (subflows::Result<Subflow>, usize) {
        let deadline = opening.deadline();
        let number = self.watch(opening.fd().unwrap(), WAIT, Interest::READABLE);
        let mut steps = 0;
        let result = loop {
            steps += 1;
            match opening.advance() {
                Ok(None) => {}
                Ok(Some(subflow)) => break Ok(subflow),
                Err(error) => break Err(error),
            }
            self.wait(WAIT, deadline);
        };
        self.forget(number);
        (result, steps)
    }

    /// Connects by edges alone; returns mio's socket.
    fn connect(&mut self, address: SocketAddr) -> TcpStream {
        let options = Connect::new().control(true).timeout(SOON);
        let mut connecting = Connecting::begin(&[address], &options).unwrap();
        let number = self.watch(connecting.fd(), WAIT, Interest::WRITABLE);
        let deadline = connecting.deadline().unwrap();
        while !connecting.advance().unwrap() {
            assert!(self.wait(WAIT, deadline), "no edge came");
        }
        self.forget(number);
        let stream = connecting.finish().unwrap();
        stream.set_nonblocking(true).unwrap();
        TcpStream::from_std(stream)
    }

    fn exchange(&mut self, mut client: &TcpStream, mut server: &TcpStream) {
        let mut byte = [0];
        self.finish(CLIENT, || client.write_all(b"?"));
        self.finish(SERVER, || server.read_exact(&mut byte));
        self.finish(SERVER, || server.write_all(b"!"));
        self.finish(CLIENT, || client.read_exact(&mut byte));
    }
}

/// A listener, as mio's socket.
fn listen(net: &Net, ip: IpAddr) -> TcpListener {
    let address = SocketAddr::new(ip, 0);
    let listener = net.server.run(|| subflows::listen(address, &Listen::new())).unwrap();
    listener.set_nonblocking(true).unwrap();
    TcpListener::from_std(listener)
}

#[test]
fn sockets_connect_accept_and_carry_by_edges() {
    skip_unless_ready!();
    let both = Interest::READABLE | Interest::WRITABLE;
    for net in networks() {
        let _entered = net.client.enter().unwrap();
        for (ip, to) in ways::ways(&net) {
            let mut edges = Loop::new();
            let mut listener = listen(&net, ip);
            let registry = edges.poll.registry();
            registry.register(&mut listener, LISTENER, Interest::READABLE).unwrap();
            let port = listener.local_addr().unwrap().port();
            let mut client = edges.connect(SocketAddr::new(to, port));
            edges.poll.registry().register(&mut client, CLIENT, both).unwrap();
            let (mut server, _) = edges.finish(LISTENER, || listener.accept());
            edges.poll.registry().register(&mut server, SERVER, both).unwrap();
            edges.exchange(&client, &server);
            assert_eq!(subflows::status(&client).unwrap().state, State::Mptcp);

            let options = Open::new().local(net.paths[1].client_ip(ip));
            let (subflow, _) = edges.open(Opening::begin(&client, &options).unwrap());
            let subflow = subflow.unwrap();
            let token = subflows::info(&client).unwrap().token;
            judge::is_joined(&net.client, token, &subflow);
            edges.exchange(&client, &server);
            // The subflow that is left carries data as well.
            let initial = subflows::list(&client).unwrap()[0].id;
            subflows::close(&client, initial).unwrap();
            edges.exchange(&client, &server);
        }
    }
}

#[test]
fn a_refused_connect_wakes_its_loop() {
    skip_unless_ready!();
    let net = open_handed(Net::far().unwrap());
    let _entered = net.client.enter().unwrap();
    for (ip, to) in ways::ways(&net) {
        let port = without_listener(&net.server, ip).port();
        let mut edges = Loop::new();
        let address = SocketAddr::new(to, port);
        let mut connecting = Connecting::begin(&[address], &Connect::new().timeout(SOON)).unwrap();
        edges.watch(connecting.fd(), WAIT, Interest::WRITABLE);
        let deadline = connecting.deadline().unwrap();
        let error = loop {
            match connecting.advance() {
                Ok(is_done) => assert!(!is_done),
                Err(error) => break error,
            }
            assert!(edges.wait(WAIT, deadline), "no edge came");
        };
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    }
}

#[test]
fn an_opening_ends_by_edges_alone() {
    skip_unless_ready!();
    for net in networks() {
        let _entered = net.client.enter().unwrap();
        for pair in ways::controlled(&net) {
            let mut edges = Loop::new();
            let sock = pair.client.as_fd().try_clone_to_owned().unwrap();
            let (subflow, steps) = edges.open(Opening::begin(&sock, &second(&net, &pair)).unwrap());
            let subflow = subflow.unwrap();
            assert!(steps < 60, "{steps} steps");
            subflows::close(&sock, subflow.id).unwrap();

            let closed = without_listener(&net.server, peer(&pair).ip());
            let refused = second(&net, &pair).remote(closed);
            let (refused, steps) = edges.open(Opening::begin(&sock, &refused).unwrap());
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Refused);
            assert!(steps < 60, "{steps} steps");

            ways::pull_cable(&net, 1);
            let limit = Duration::from_millis(500);
            let opening = Opening::begin(&sock, &second(&net, &pair).timeout(limit)).unwrap();
            let deadline = opening.deadline();
            let (error, steps) = edges.open(opening);
            assert_eq!(error.unwrap_err().kind(), ErrorKind::TimedOut);
            assert!(deadline <= Instant::now() && Instant::now() < deadline + AT_ONCE);
            assert!(steps < 60, "{steps} steps");
            let left = judge::by_ss(&net.client, judge::token(&pair.client));
            assert_eq!(left, initial(&pair));
            net.paths[1].plug_in().unwrap();
            assert!(pair.moves_data());
        }
    }
}

#[test]
fn events_come_by_edges() {
    skip_unless_ready!();
    for net in networks() {
        let _entered = net.client.enter().unwrap();
        for pair in ways::controlled(&net) {
            let mut edges = Loop::new();
            let mut events = subflows::events(&pair.client).unwrap();
            edges.watch(events.fd(), WAIT, Interest::READABLE);
            let mut next = |what: &str| {
                let deadline = Instant::now() + SOON;
                loop {
                    match events.try_next().unwrap() {
                        // This event may come after the first byte.
                        Some(event) if event.kind == EventKind::Established => continue,
                        Some(event) => return event,
                        None => {}
                    }
                    assert!(edges.wait(WAIT, deadline), "no edge came: {what}");
                }
            };
            // Twice: after the first edge was consumed, another one must come.
            for _ in 0..2 {
                let subflow = subflows::open(&pair.client, &second(&net, &pair)).unwrap();
                let event = next("opened");
                assert_eq!(event.kind, EventKind::SubflowEstablished, "{event:?}");
                assert_eq!(event.local, Some(subflow.local), "{event:?}");
                subflows::close(&pair.client, subflow.id).unwrap();
                let event = next("closed");
                assert_eq!(event.kind, EventKind::SubflowClosed, "{event:?}");
                assert_eq!(event.local, Some(subflow.local), "{event:?}");
            }
        }
    }
}
