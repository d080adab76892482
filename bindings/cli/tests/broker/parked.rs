//! Clients that keep the locks of their sockets, by a system call that waits for a page.

use std::net::TcpStream;
use std::os::fd::AsFd;
use std::panic::{self, AssertUnwindSafe};
use std::thread;
use std::time::Instant;

use subflows::broker::{Act, Request};
use subflows_lab::{Net, wait_until};

use crate::common::{Pair, SOON};
use crate::served::{
    AT_ONCE, CHECK, NOBODY, Served, Session, ask_path_manager, net_with_broker, slowness,
};
use crate::trap::{Trap, is_readable};
use crate::{EVERYONE, acts, cookie_of};

/// Runs `with` while a thread that waits for a page, in the middle of send, keeps the socket locked.
pub(crate) fn while_locked<T>(trap: &Trap, stream: &TcpStream, with: impl FnOnce() -> T) -> T {
    thread::scope(|scope| {
        let sender = scope.spawn(|| trap.send(stream));
        wait_until(SOON, "the sender waits for the page", || is_readable(trap.as_fd()));
        let result = panic::catch_unwind(AssertUnwindSafe(with));
        // Also after a failure, or the sender waits forever.
        trap.release();
        sender.join().unwrap().unwrap();
        result.unwrap_or_else(|failure| panic::resume_unwind(failure))
    })
}

fn others_are_served(served: &Served, net: &Net) {
    for _ in 0..10 {
        served.serves_at_once(net);
        let elapsed = ask_path_manager(&net.server);
        assert!(elapsed < AT_ONCE * slowness(), "genl of another namespace waits: {elapsed:?}");
    }
}

#[test]
fn a_locked_socket_stops_its_own_client_only() {
    let Some((net, served)) = net_with_broker(EVERYONE) else { return };
    let to = net.paths[0].server_ips()[0];
    let own = Pair::new(&net, to, true);
    let (local, remote) = (own.client.local_addr().unwrap(), own.client.peer_addr().unwrap());
    let cookie = cookie_of(&net, local, remote);
    let mut all = acts(&net, &own.client);
    all.extend([
        Act::Events,
        Act::Options { cookie: 1, steps: vec![] },
        Act::Abort { local, remote, interface: 0, cookie: cookie + 1 },
    ]);
    let announce = all.iter().find(|act| matches!(act, Act::Announce { .. })).unwrap().clone();
    let Some(trap) = Trap::new_or_skip() else { return };
    // The broker keeps the announcement for its session, with two netlink sockets.
    let announcer = served.session_of(NOBODY);
    let answer = announcer.ask(announce.clone(), &[own.client.as_fd()]).unwrap();
    let handle = answer.result.expect("announced");
    let before = served.count("fd");
    let sessions = while_locked(&trap, &own.client, || {
        let ask = |act: &Act, session: &Session| {
            let request = Request { number: 1, act: act.clone() }.encode();
            match act {
                Act::Withdraw { .. } => session.send(&request, &[]).unwrap(),
                _ => session.send(&request, &[own.client.as_fd()]).unwrap(),
            };
        };
        // These need nothing that the client has locked.
        for act in [CHECK, Act::TakeControl] {
            let session = served.session_of(NOBODY);
            let start = Instant::now();
            ask(&act, &session);
            assert_eq!(session.receive().expect("an answer").0.result, Ok(0), "{act:?}");
            assert!(start.elapsed() < AT_ONCE * slowness(), "{act:?}");
        }
        let mut sessions: Vec<Session> = all
            .iter()
            .map(|act| {
                let session = served.session_of(NOBODY);
                ask(act, &session);
                session
            })
            .collect();
        all.push(Act::Withdraw { handle });
        ask(all.last().unwrap(), &announcer);
        sessions.push(announcer);
        others_are_served(&served, &net);
        sessions
    });
    // Each act is done, or refused, once the lock is free.
    for (session, act) in sessions.into_iter().zip(&all) {
        assert!(session.receive().is_some(), "{act:?}");
    }
    served.has_nothing_left(before);
}

/// What a client has locked is locked when the broker closes its last reference, too.
#[test]
fn a_client_that_leaves_while_its_socket_is_locked_leaves_nothing() {
    let Some((net, served)) = net_with_broker(EVERYONE) else { return };
    let own = Pair::new(&net, net.paths[0].server_ips()[0], true);
    let Some(trap) = Trap::new_or_skip() else { return };
    served.serves_at_once(&net);
    let before = served.count("fd");
    let all = acts(&net, &own.client);
    while_locked(&trap, &own.client, || {
        for act in &all {
            let session = served.session_of(NOBODY);
            let request = Request { number: 1, act: act.clone() };
            session.send(&request.encode(), &[own.client.as_fd()]).unwrap();
            // Dropped without waiting for the answer.
        }
        others_are_served(&served, &net);
    });
    served.has_nothing_left(before);
}
