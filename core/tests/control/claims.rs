//! If `take_control` succeeds, the socket can open subflows, however many threads take control at
//! once.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use subflows::{ErrorKind, Family, Open};
use subflows_lab::{Namespace, oracle, path_manager_setting, skip_unless_ready, traffic};

use crate::common::child::{Guarded, helper, only_as_child};
use crate::common::judge::{canonical, number};
use crate::common::{SOON, raw};
use crate::{LOOPBACK, Over, prove, setting};

const THREADS: usize = 8;
const PROCESSES: usize = 4;
const EACH: usize = 8;

/// Takes control of sockets on many threads at once, and connects each of them.
fn take_many(to: SocketAddr) -> Vec<OwnedFd> {
    let take = || {
        let sock = subflows::socket(Family::from(to)).unwrap();
        subflows::take_control(&sock).unwrap();
        sock
    };
    let taken = thread::scope(|scope| {
        let takers: Vec<_> =
            (0..THREADS).map(|_| scope.spawn(|| [(); EACH].map(|()| take()))).collect();
        takers.into_iter().flat_map(|taker| taker.join().unwrap()).collect::<Vec<_>>()
    });
    for sock in &taken {
        raw::connect(sock, to).unwrap();
    }
    taken
}

/// Opens a subflow of each connection.
fn open_each(taken: Vec<OwnedFd>) -> Vec<TcpStream> {
    let streams: Vec<_> = taken.into_iter().map(TcpStream::from).collect();
    for mut stream in &streams {
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.write_all(b"?").unwrap();
        stream.read_exact(&mut [0]).unwrap();
        subflows::open(stream, &Open::new()).unwrap();
    }
    streams
}

#[test]
#[ignore = "a child of other tests"]
fn helper_that_takes_many() {
    only_as_child!();
    let mut to = String::new();
    io::stdin().read_line(&mut to).unwrap();
    let streams = open_each(take_many(to.trim().parse().unwrap()));
    println!("opened");
    // Keeps the connections until the parent has checked them.
    io::stdin().read_line(&mut to).unwrap();
    drop(streams);
}

#[test]
fn all_threads_that_take_control_at_once_have_it() {
    skip_unless_ready!();
    thread::scope(|scope| {
        for ip in LOOPBACK {
            scope.spawn(move || crowd(&Namespace::new().unwrap(), ip));
        }
    });
}

fn crowd(namespace: &Namespace, ip: IpAddr) {
    let server = traffic::serve_echo(namespace, (ip, 0).into()).unwrap();
    let to = server.local_addr();
    let _entered = namespace.enter().unwrap();
    let mut children = [(); PROCESSES].map(|()| {
        let mut command = helper("claims::helper_that_takes_many");
        Guarded(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap())
    });
    for child in &mut children {
        writeln!(child.0.stdin.as_mut().unwrap(), "{to}").unwrap();
    }
    let streams = open_each(take_many(to));
    for child in &mut children {
        let mut said = String::new();
        let mut out = io::BufReader::new(child.0.stdout.as_mut().unwrap());
        while said.lines().last() != Some("opened") {
            let length = io::BufRead::read_line(&mut out, &mut said).unwrap();
            assert!(length > 0, "the helper ended: {said}");
        }
    }
    // The other end of each connection has that address as its own.
    let ours = |subflow: &oracle::SsSubflow| canonical(subflow.remote) == to;
    let mut counts = std::collections::BTreeMap::<u32, usize>::new();
    for subflow in oracle::ss_subflows(namespace).iter().filter(|subflow| ours(subflow)) {
        assert!(subflow.state == "ESTAB" && subflow.flags.contains('e'), "{subflow:?}");
        *counts.entry(number(&subflow.token)).or_default() += 1;
    }
    assert_eq!(counts.len(), (PROCESSES + 1) * THREADS * EACH, "connections");
    assert!(counts.values().all(|count| *count == 2), "{counts:?}");
    assert_eq!(setting(namespace), "kernel");
    for child in &mut children {
        drop(child.0.stdin.take());
        assert!(child.0.wait().unwrap().success());
    }
    drop(streams);
}

/// Another process, which does not use the lock, keeps writing the default.
#[test]
fn a_setting_written_by_others_makes_no_false_claim() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let ip = IpAddr::from(Ipv4Addr::LOCALHOST);
    let is_over = AtomicBool::new(false);
    let (mut claimed, mut busy) = (Vec::new(), 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _entered = namespace.enter().unwrap();
            let setting = path_manager_setting();
            while !is_over.load(Ordering::Relaxed) {
                std::fs::write(setting.file, setting.kernel).unwrap();
            }
        });
        let _over = Over(&is_over);
        let _entered = namespace.enter().unwrap();
        for _ in 0..500 {
            let sock = subflows::socket(Family::V4).unwrap();
            match subflows::take_control(&sock) {
                Ok(()) => claimed.push(sock),
                Err(error) if error.kind() == ErrorKind::Busy => busy += 1,
                Err(error) => panic!("{error}"),
            }
        }
    });
    println!("{} taken, {busy} not", claimed.len());
    assert!(claimed.len() > busy, "{busy} of 500 were not taken");
    for sock in claimed.into_iter().take(100) {
        prove(&namespace, sock, ip);
    }
    assert_eq!(setting(&namespace), "kernel");
}
