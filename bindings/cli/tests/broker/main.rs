//! `subflows broker` and clients that mean harm: another client is served at once, nothing leaks, and no
//! connection but the client's own changes.

mod carried;
#[path = "../common/mod.rs"]
mod common;
mod container;
mod flooded;
mod found;
mod killed;
mod parked;
mod served;
mod started;
#[allow(unreachable_pub)]
#[path = "../../../../core/tests/common/trap.rs"]
mod trap;

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Instant;

use common::*;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::Signal;
use served::*;
use subflows::ErrorKind;
use subflows::broker::{Act, Answer, LONGEST, Local, REQUEST, Request, Step};
use subflows_lab::{Net, wait_until};
use tempfile::TempDir;
use trap::is_readable;

pub(crate) fn kind(answer: Option<Answer>) -> ErrorKind {
    answer.expect("an answer").result.expect_err("an error").kind
}

/// Every act on a connection, with the ends of that stream.
pub(crate) fn acts(net: &Net, stream: &TcpStream) -> Vec<Act> {
    let token = token(net, stream);
    let (local, remote) = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
    let own = Local { ip: local.ip(), port: 0, id: 9, interface: 0, is_backup: false };
    vec![
        Act::Create { token, local: own, remote },
        Act::Destroy { token, local, remote },
        Act::SetBackup { token, local, remote, is_backup: true },
        Act::Announce { token, local: own },
        Act::Remove { token, id: 9 },
        Act::PathManager { token },
    ]
}

pub(crate) fn token(net: &Net, stream: &TcpStream) -> u32 {
    net.client.run(|| subflows::status(stream)).unwrap().token.unwrap()
}

pub(crate) const EVERYONE: &str = "[[allow]]\n";

#[test]
fn what_is_no_request_changes_nothing() {
    let Some((net, served)) = net_with_broker(EVERYONE) else { return };
    served.serves_at_once(&net);
    let before = served.count("fd");
    let mptcp = net.client.run(|| subflows::socket(subflows::Family::V4)).unwrap();
    let outside = net.server.run(|| subflows::socket(subflows::Family::V4)).unwrap();
    let (pipe, _writer) = nix::unistd::pipe().unwrap();
    let null = File::open("/dev/null").unwrap();
    let (unix, _other) = UnixStream::pair().unwrap();
    let tcp = net.client.run(|| TcpListener::bind("127.0.0.1:0")).unwrap();
    let listener = net.client.run(|| {
        subflows::listen("127.0.0.1:0".parse::<SocketAddr>().unwrap(), &Default::default())
    });
    let listener = listener.unwrap();
    let remove = Act::Remove { token: 1, id: 1 };
    let session = served.session_of(NOBODY);
    let ask = |act: &Act, fds: &[BorrowedFd<'_>]| kind(session.ask(act.clone(), fds));
    for act in [&remove, &Act::Events] {
        assert_eq!(ask(act, &[]), ErrorKind::InvalidArgument);
        assert_eq!(ask(act, &[mptcp.as_fd(); 3]), ErrorKind::InvalidArgument);
        assert_eq!(ask(act, &[mptcp.as_fd(); 250]), ErrorKind::InvalidArgument);
        assert_eq!(ask(act, &[pipe.as_fd()]), ErrorKind::InvalidArgument);
        assert_eq!(ask(act, &[null.as_fd()]), ErrorKind::InvalidArgument);
        assert_eq!(ask(act, &[outside.as_fd()]), ErrorKind::OtherNamespace);
        assert_eq!(ask(act, &[tcp.as_fd()]), ErrorKind::NotMptcp);
    }
    // A Unix socket belongs to the namespace of this thread.
    assert_ne!(session.ask(remove.clone(), &[unix.as_fd()]).unwrap().result, Ok(0));
    assert_eq!(ask(&Act::TakeControl, &[tcp.as_fd()]), ErrorKind::NotMptcp);
    assert_eq!(ask(&Act::Events, &[mptcp.as_fd()]), ErrorKind::NotConnected);
    assert_eq!(ask(&Act::Events, &[listener.as_fd()]), ErrorKind::NotConnected);
    assert_eq!(ask(&Act::Withdraw { handle: 1 }, &[]), ErrorKind::InvalidArgument);
    assert_eq!(ask(&Act::Check { right: 99 }, &[mptcp.as_fd()]), ErrorKind::InvalidArgument);
    // Forged lengths, a forged byte in each place, another version.
    let request = Request { number: 1, act: remove }.encode();
    for length in [1, 4, 16, REQUEST - 1, REQUEST + 1, LONGEST, LONGEST + 1, 60_000] {
        let mut bytes = request.clone();
        bytes.resize(length, 0);
        session.send(&bytes, &[mptcp.as_fd()]).unwrap();
        let answer = session.receive().map(|(answer, _)| answer);
        assert_eq!(kind(answer), ErrorKind::InvalidArgument, "{length} bytes");
    }
    for at in (0..REQUEST).filter(|at| !(4..6).contains(at)) {
        let mut bytes = request.clone();
        bytes[at] ^= 0x55;
        session.send(&bytes, &[mptcp.as_fd()]).unwrap();
        let (answer, _) = session.receive().unwrap();
        assert!(answer.result.is_err(), "a forged byte {at}");
    }
    let mut bytes = request;
    bytes[4] = 2;
    session.send(&bytes, &[mptcp.as_fd()]).unwrap();
    assert_eq!(kind(session.receive().map(|(answer, _)| answer)), ErrorKind::Unsupported);
    assert!(session.receive().is_none(), "the session has ended");
    drop(session);
    served.serves_at_once(&net);
    served.has_nothing_left(before);
}

#[test]
fn a_client_reaches_its_own_connection_only() {
    let Some((net, served)) = net_with_broker(EVERYONE) else { return };
    let to = net.paths[0].server_ips()[0];
    let [own, other] = [Pair::new(&net, to, true), Pair::new(&net, to, true)];
    let session = served.session_of(NOBODY);
    let fd = own.client.as_fd();
    for act in acts(&net, &other.client) {
        let refusal = session.ask(act.clone(), &[fd]).unwrap().result.unwrap_err();
        assert_eq!(refusal.errno, libc::EINVAL, "{act:?}");
    }
    let (local, remote) = (other.client.local_addr().unwrap(), other.client.peer_addr().unwrap());
    let cookie = cookie_of(&net, local, remote);
    let abort = Act::Abort { local, remote, interface: 0, cookie };
    assert_eq!(session.ask(abort, &[fd]).unwrap().result.unwrap_err().errno, libc::ENOENT);
    let mut value = [0; 40];
    value[..4].copy_from_slice(&1u32.to_ne_bytes());
    let (level, number) = (libc::IPPROTO_TCP, libc::TCP_NODELAY);
    let step = Step { is_set: true, level, number, length: 4, value };
    let options = |cookie, step| Act::Options { cookie, steps: vec![step] };
    let refused = kind(session.ask(options(cookie, step), &[fd]));
    assert_eq!(refused, ErrorKind::NoSuchSubflow);
    let (local, remote) = (own.client.local_addr().unwrap(), own.client.peer_addr().unwrap());
    let answer = session.ask(options(cookie_of(&net, local, remote), step), &[fd]).unwrap();
    assert_eq!((answer.result, answer.outcomes.unwrap()[0].result), (Ok(0), 0));
    // A mark would choose another route than the administrator's.
    let mark = Step { level: libc::SOL_SOCKET, number: libc::SO_MARK, ..step };
    assert_eq!(kind(session.ask(options(1, mark), &[fd])), ErrorKind::NotPermitted);
    other.move_data();
    own.move_data();
}

/// The kernel's number of the initial subflow's socket.
pub(crate) fn cookie_of(net: &Net, local: SocketAddr, remote: SocketAddr) -> u64 {
    socket_of(net, local, remote).0
}

/// The kernel's number of a subflow's socket, and the index of the interface to which it is bound.
pub(crate) fn socket_of(net: &Net, local: SocketAddr, remote: SocketAddr) -> (u64, u32) {
    let listed = net.client.output("ss", &["-tneH", "state", "established"]).unwrap();
    let (ip, port, remote) = (local.ip().to_string(), local.port().to_string(), remote.to_string());
    // `ADDRESS:PORT` or `ADDRESS%INTERFACE:PORT`.
    let bound_to = |word: &str| {
        let (place, number) = word.rsplit_once(':')?;
        let (address, interface) = place.split_once('%').unwrap_or((place, ""));
        (address == ip && number == port).then(|| interface.to_owned())
    };
    let (line, interface) = listed
        .lines()
        .filter(|line| line.contains(&remote))
        .find_map(|line| Some((line, line.split_whitespace().find_map(bound_to)?)))
        .expect("ss lists the subflow");
    let hex = line.split_whitespace().find_map(|word| word.strip_prefix("sk:")).unwrap();
    let index = match interface.as_str() {
        "" => 0,
        name => net.client.run(|| nix::net::if_::if_nametoindex(name)).unwrap(),
    };
    (u64::from_str_radix(hex, 16).unwrap(), index)
}

#[test]
fn a_stream_has_the_events_of_its_connection_only() {
    use nix::errno::Errno;
    let Some((net, served)) = net_with_broker(EVERYONE) else { return };
    let to = net.paths[0].server_ips()[0];
    let own = Pair::new(&net, to, true);
    let session = served.session_of(NOBODY);
    let (answer, stream) = session.ask_for_fd(Act::Events, &[own.client.as_fd()]).unwrap();
    assert_eq!(answer.result, Ok(0));
    let stream = stream.expect("a stream");
    // Its connections and their ends are events of the namespace.
    drop(Pair::new(&net, to, true));
    assert!(!is_readable(stream.as_fd()));
    thread::spawn(move || {
        become_user(NOBODY);
        for option in [libc::SO_DETACH_FILTER, libc::SO_LOCK_FILTER] {
            let zero = 0i32;
            // SAFETY: the pointer and the length describe a number.
            let result = unsafe {
                libc::setsockopt(
                    stream.as_raw_fd(),
                    libc::SOL_SOCKET,
                    option,
                    (&raw const zero).cast(),
                    4,
                )
            };
            assert_eq!((result, Errno::last()), (-1, Errno::EPERM), "option {option}");
        }
        stream
    })
    .join()
    .unwrap();
}

#[test]
fn a_controlled_socket_belongs_to_the_client() {
    let Some((net, served)) = net_with_broker(EVERYONE) else { return };
    let sock = net.client.run(|| subflows::socket(subflows::Family::V6)).unwrap();
    let session = served.session_of(NOBODY);
    let (answer, new) = session.ask_for_fd(Act::TakeControl, &[sock.as_fd()]).unwrap();
    assert_eq!(answer.result, Ok(0));
    let stat = nix::sys::stat::fstat(new.expect("a socket")).unwrap();
    assert_eq!((stat.st_uid, stat.st_gid), (NOBODY, NOBODY));
    assert_eq!(net.client.sysctl("net.mptcp.pm_type").unwrap().trim(), "0");
}

/// The last reference to a socket whose close waits for its data is in a session that is refused.
#[test]
fn a_close_that_waits_does_not_stop_the_broker() {
    let Some((net, served)) = net_with_broker("[[allow]]\n[limits]\nsessions = 4\n") else {
        return;
    };
    let to = net.paths[0].server_ips()[0];
    let before = served.count("fd");
    // Stopped, so that the messages have arrived before the broker accepts or refuses the sessions.
    served.signal(Signal::SIGSTOP);
    let mut hostages = Vec::new();
    for _ in 0..8 {
        let Pair { client, server, listener } = Pair::new(&net, to, true);
        let linger = libc::linger { l_onoff: 1, l_linger: 3600 };
        nix::sys::socket::setsockopt(&client, nix::sys::socket::sockopt::Linger, &linger).unwrap();
        client.set_nonblocking(true).unwrap();
        // The peer does not read, so data stays unsent once its buffer is full.
        let may_write = || {
            let mut fds = [PollFd::new(client.as_fd(), PollFlags::POLLOUT)];
            poll(&mut fds, 100u8).unwrap() == 1
        };
        while may_write() {
            while std::io::Write::write(&mut &client, &[0; 65_536]).is_ok() {}
        }
        let session = served.session_of(NOBODY);
        let request = Request { number: 1, act: CHECK };
        session.send(&request.encode(), &[client.as_fd()]).unwrap();
        hostages.push((server, listener));
    }
    served.signal(Signal::SIGCONT);
    for _ in 0..5 {
        served.serves_at_once(&net);
    }
    drop(hostages);
    served.has_nothing_left(before);
}

#[test]
fn a_user_who_asks_too_much_is_refused_and_others_are_served() {
    let Some((net, served)) = net_with_broker("[[allow]]\n[limits]\nsessions = 4\nrequests = 20\n")
    else {
        return;
    };
    let sock = net.client.run(|| subflows::socket(subflows::Family::V4)).unwrap();
    let sessions: Vec<Session> = (0..4).map(|_| served.session_of(NOBODY)).collect();
    // Requests before that could use up what the last session costs.
    wait_until(SOON, "the sessions begin", || served.count("task") == IDLE + 4);
    let request = Request { number: 1, act: CHECK }.encode();
    // Requests wait for their turn, and are refused if it comes too late.
    let (mut throttled, start) = (0, Instant::now());
    for _ in 0..20 {
        for session in &sessions {
            session.send(&request, &[sock.as_fd()]).unwrap();
        }
        let answers = sessions.iter().map(|session| session.receive().unwrap().0.result);
        throttled += answers
            .filter(|result| result.as_ref().is_err_and(|refusal| refusal.kind == ErrorKind::Busy))
            .count() as u32;
    }
    // Those of the first second, and 20 for each second that the machine took to ask.
    let (answered, permitted) = (80 - throttled, 20.0 + 20.0 * start.elapsed().as_secs_f64());
    assert!(answered > 20 && f64::from(answered) <= permitted + 1.0, "{answered} of 80");
    for _ in 0..50 {
        let session = served.session_of(NOBODY);
        let answer = session.receive().map(|(answer, _)| answer);
        assert_eq!(kind(answer), ErrorKind::Busy);
    }
    served.serves_at_once(&net);
    drop(sessions);
    wait_until(SOON, "the workers end", || served.count("task") == IDLE);
    // A client that never reads its answers loses its session.
    let deaf = served.session_of(NOBODY);
    wait_until(SOON, "the session ends", || {
        while deaf.send(&request, &[sock.as_fd()]).is_ok() {}
        deaf.send(&request, &[]) == Err(nix::errno::Errno::EPIPE)
    });
    served.serves_at_once(&net);
}

#[test]
fn the_policy_and_the_rights_are_checked() {
    let Some(net) = net() else { return };
    let folder = TempDir::new().unwrap();
    let policy = folder.path().join("policy.toml");
    let policy = policy.to_str().unwrap();
    let run = |arguments: &[&str]| subflows(&net.client, &[&["broker"], arguments].concat());
    fs::write(policy, "[[allow]]\nuser = [0]\n").unwrap();
    let refused = run(&["--check", "--policy", policy]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("line 2") && refused.stderr.contains("users"), "{refused:?}");
    fs::write(policy, EVERYONE).unwrap();
    assert!(run(&["--check", "--policy", policy]).ok().contains("take_control"));
    assert_eq!(run(&["--restore"]).ok(), "");
    let folder = Folder::new();
    let mut command = net.client.command("setpriv");
    as_nobody(&mut command, folder.command());
    let refused = Run::of(command.args(["broker", "--check"]));
    assert_eq!(refused.code, Some(3), "{refused:?}");
}

/// A program without privileges steers through the broker that the variable names, and through no other.
#[test]
fn a_program_without_privileges_uses_the_broker() {
    let Some((net, served)) = net_with_broker(EVERYONE) else { return };
    let path = served.path();
    let folder = Folder::new();
    let report = |broker: &str| {
        let mut command = net.client.command("setpriv");
        as_nobody(&mut command, folder.command());
        command.arg("capabilities");
        Run::of(command.env("SUBFLOWS_BROKER", broker)).ok()
    };
    let line = |text: &str| text.lines().find(|line| line.starts_with("steer")).unwrap().to_owned();
    assert!(line(&report(path.to_str().unwrap())).contains("yes"), "{}", served.log());
    let without = report("none");
    assert!(line(&without).contains("no") && without.contains("subflows broker"), "{without}");
}
