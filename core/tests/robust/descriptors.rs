//! A program may close every descriptor that it has, as daemons do, and then open files of its own:
//! the library neither uses nor closes those.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::mpsc;
use std::thread;

use nix::sys::stat::fstat;
use subflows::{Connect, Open};
use subflows_lab::{Namespace, ready};

use super::common::{child, connect_between};

/// More than the library keeps for a thread.
const FILES: usize = 64;

#[test]
fn a_thread_that_ended_closed_files_of_the_program() {
    if ready() {
        in_a_namespace("descriptors::helper_with_a_thread_that_ends");
    }
}

#[test]
fn a_thread_that_went_on_used_files_of_the_program() {
    if ready() {
        in_a_namespace("descriptors::helper_with_a_thread_that_goes_on");
    }
}

/// In a process of its own: it closes all descriptors.
fn in_a_namespace(helper: &str) {
    let namespace = Namespace::new().unwrap();
    let _entered = namespace.enter().unwrap();
    super::in_a_process_of_its_own(helper);
}

#[test]
#[ignore = "run by a_thread_that_ended_closed_files_of_the_program"]
fn helper_with_a_thread_that_ends() {
    if child::is_child() {
        closes_all_behind_a_thread(|| {});
    }
}

#[test]
#[ignore = "run by a_thread_that_went_on_used_files_of_the_program"]
fn helper_with_a_thread_that_goes_on() {
    if child::is_child() {
        closes_all_behind_a_thread(asks_everything);
    }
}

/// Opens every kind of socket that is kept for a thread. It leaves nothing else open.
fn asks_everything() {
    let here = Namespace::current().unwrap();
    for ip in [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)] {
        let pair = connect_between(&here, &here, ip, &Connect::new().control(true));
        pair.make_ready();
        let extra = subflows::open(&pair.client, &Open::new()).unwrap();
        subflows::details(&pair.client, extra.id).unwrap();
    }
}

/// A thread uses the library; the program closes all descriptors and opens files; the thread uses
/// the library again, and ends.
fn closes_all_behind_a_thread(then: fn()) {
    let before = open_descriptors();
    let (asked, has_asked) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel();
    let thread = thread::spawn(move || {
        asks_everything();
        asked.send(open_descriptors()).unwrap();
        goes_on.recv().unwrap();
        then();
    });
    let kept = has_asked.recv().unwrap();
    assert!(kept.len() > before.len(), "nothing is kept: {kept:?}");
    // SAFETY: this call takes numbers only. The descriptors of this process belong to the library
    // and the standard library, and the latter keeps none above 2.
    assert_eq!(unsafe { libc::close_range(3, u32::MAX, 0) }, 0);
    let files: Vec<File> = (0..FILES).map(|_| File::open("/dev/null").unwrap()).collect();
    assert!(kept.iter().all(|number| files.iter().any(|file| file.as_raw_fd() == *number)));
    let null = fstat(&files[0]).unwrap();
    go_on.send(()).unwrap();
    thread.join().unwrap();
    let is_closed = |file: &&File| !fstat(file).is_ok_and(|found| found.st_rdev == null.st_rdev);
    let closed: Vec<RawFd> = files.iter().filter(is_closed).map(AsRawFd::as_raw_fd).collect();
    // Prevents the test from closing them again if it fails.
    let _leaked = std::mem::ManuallyDrop::new(files);
    assert!(closed.is_empty(), "the library closed {closed:?} of the program's");
}

/// Descriptors other than the standard three.
fn open_descriptors() -> Vec<RawFd> {
    // SAFETY: fcntl with F_GETFD takes numbers only.
    let is_open = |number: &RawFd| unsafe { libc::fcntl(*number, libc::F_GETFD) } >= 0;
    (3..RawFd::try_from(FILES).unwrap()).filter(is_open).collect()
}

/// Each thread kept sockets of its own: a program with many threads ran out of descriptors.
#[test]
fn idle_threads_kept_descriptors() {
    if ready() {
        in_a_namespace("descriptors::helper_with_idle_threads");
    }
}

#[test]
#[ignore = "run by idle_threads_kept_descriptors"]
fn helper_with_idle_threads() {
    child::only_as_child!();
    const THREADS: usize = 200;
    let here = Namespace::current().unwrap();
    let pair =
        connect_between(&here, &here, Ipv4Addr::LOCALHOST.into(), &Connect::new().control(true));
    pair.make_ready();
    let before = open_descriptors().len();
    let barrier = std::sync::Barrier::new(THREADS + 1);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                assert!(subflows::status(&pair.client).unwrap().is_ready);
                subflows::addresses(&pair.client).unwrap();
                let nowhere =
                    Open::new().remote("127.0.0.1:1".parse::<std::net::SocketAddr>().unwrap());
                subflows::open(&pair.client, &nowhere).unwrap_err();
                barrier.wait();
                barrier.wait();
            });
        }
        barrier.wait();
        let after = open_descriptors().len();
        barrier.wait();
        assert!(after <= before + 6, "{before} descriptors became {after}");
    });
}
