//! Parent and child of a fork each get their own answers, although the cached netlink sockets were open
//! at the fork.

use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use subflows::{ConnectionsOptions, ErrorKind, Open, State};
use subflows_lab::{Net, skip_unless_ready};

use super::common::{Pair, SOON, child, judge, open_handed};
use super::{close, controlled, in_a_process_of_its_own, open};

const FORKS: usize = 20;
const ROUNDS: usize = 100;

#[test]
fn parent_and_child_go_on() {
    skip_unless_ready!();
    in_a_process_of_its_own("fork::helper_that_forks");
}

/// In a process of its own: a fork of the test runner would copy the other tests' threads' locks.
#[test]
#[ignore = "run by parent_and_child_go_on"]
fn helper_that_forks() {
    child::only_as_child!();
    let net = open_handed(Net::two_subnets().unwrap());
    let _inside = net.client.enter().unwrap();
    let (ours, theirs) = (controlled(&net, 0), controlled(&net, 1));
    // By now, every kind of cached socket is open.
    works(&net, &ours, 1);
    works(&net, &theirs, 1);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        // Forks happen in the middle of another thread's calls, too.
        scope.spawn(|| {
            while !is_over.load(Ordering::SeqCst) {
                works(&net, &ours, 1);
            }
        });
        let result = panic::catch_unwind(panic::AssertUnwindSafe(|| {
            for _ in 0..FORKS {
                forks(&net, &ours, &theirs);
            }
        }));
        is_over.store(true, Ordering::SeqCst);
        result.unwrap_or_else(|panic| panic::resume_unwind(panic));
    });
    assert!(ours.moves_data() && theirs.moves_data());
}

/// What the peers of connections deny was kept under a lock, for which the child waited forever.
#[test]
fn a_child_waited_for_a_lock_of_its_parent() {
    skip_unless_ready!();
    in_a_process_of_its_own("fork::helper_that_forks_in_the_middle_of_open");
}

#[test]
#[ignore = "run by a_child_waited_for_a_lock_of_its_parent"]
fn helper_that_forks_in_the_middle_of_open() {
    if !child::is_child() {
        return;
    }
    let net = open_handed(Net::two_subnets().unwrap());
    net.server.set_sysctl("net.mptcp.allow_join_initial_addr_port", "0").unwrap();
    let _inside = net.client.enter().unwrap();
    let pair = controlled(&net, 0);
    let denied = || subflows::open(&pair.client, &Open::new()).unwrap_err();
    assert_eq!(denied().kind(), ErrorKind::PeerLimit);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        // A new thread is in the namespace of the one that starts it.
        let ask = || {
            while !is_over.load(Ordering::SeqCst) {
                denied();
            }
        };
        (0..3).for_each(|_| drop(scope.spawn(ask)));
        let all_end = (0..300).all(|_| ends(denied));
        is_over.store(true, Ordering::SeqCst);
        assert!(all_end, "a child waits forever");
    });
}

/// Reports whether a child that calls this ends.
fn ends<T>(call: impl Fn() -> T) -> bool {
    // SAFETY: as below.
    let ForkResult::Parent { child } = unsafe { fork() }.unwrap() else {
        call();
        // SAFETY: nothing of this process is used after this.
        unsafe { libc::_exit(0) }
    };
    let deadline = Instant::now() + SOON;
    while waitpid(child, Some(WaitPidFlag::WNOHANG)) == Ok(WaitStatus::StillAlive) {
        if Instant::now() > deadline {
            kill(child, Signal::SIGKILL).unwrap();
            waitpid(child, None).unwrap();
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
    true
}

fn forks(net: &Net, ours: &Pair, theirs: &Pair) {
    // SAFETY: the child calls this library and the C library's allocator, which is usable after a
    // fork, and then exits without running any of the parent's code.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let work = panic::AssertUnwindSafe(|| works(net, theirs, ROUNDS));
            let code = i32::from(panic::catch_unwind(work).is_err());
            // SAFETY: nothing of this process is used after this.
            unsafe { libc::_exit(code) }
        }
        ForkResult::Parent { child } => {
            works(net, ours, ROUNDS);
            assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0)));
        }
    }
}

/// Calls every verb whose answer concerns a single connection.
fn works(net: &Net, pair: &Pair, rounds: usize) {
    let (token, local) = (judge::token(&pair.client), pair.client.local_addr().unwrap());
    let extra = open(net, pair).unwrap();
    for _ in 0..rounds {
        let status = subflows::status(&pair.client).unwrap();
        assert_eq!((status.state, status.is_ready), (State::Mptcp, true));
        assert_eq!(status.token, Some(token));
        assert_eq!(subflows::connection(token).unwrap().local, local);
        let details = subflows::details(&pair.client, extra.id).unwrap();
        assert_eq!((details.local, details.remote), (extra.local, extra.remote));
        let known = subflows::addresses(&pair.client).unwrap();
        assert!(known.iter().any(|known| known.ip == extra.local.ip()));
        assert!(known.iter().all(|known| known.ip.is_ipv4() == local.is_ipv4()));
    }
    let all = subflows::connections(&ConnectionsOptions::new()).unwrap();
    assert!(all.iter().any(|found| found.token == token));
    close(net, pair, &extra);
}
