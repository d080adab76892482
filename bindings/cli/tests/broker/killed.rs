//! A broker that is killed, at whatever moment: connections go on, and the next call works.

use std::fs;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use subflows::broker::{Act, ROOM, Request, Step, Verb};
use subflows::{ErrorKind, Open};
use subflows_lab::{Net, skip, wait_until};

use crate::common::{Pair, SOON};
use crate::parked::while_locked;
use crate::served::{CHECK, Served, Session, net, net_with_broker};
use crate::trap::Trap;
use crate::{EVERYONE, acts, cookie_of, socket_of, token};

/// Everyone may ask as often as they like.
const UNLIMITED: &str = "[[allow]]\n[limits]\nrequests = 1000000\n";

/// What is asked in one round.
struct Asked<'a> {
    net: &'a Net,
    own: &'a Pair,
    /// Its further subflow is closed.
    spare: &'a Pair,
    unconnected: OwnedFd,
}

impl Asked<'_> {
    /// Opens another subflow if the one before was closed. Returns its ends.
    fn further_subflow(&self) -> (SocketAddr, SocketAddr) {
        let Asked { net, spare, .. } = self;
        net.client.run(|| {
            let first = spare.client.local_addr().unwrap();
            let mut further = None;
            // The peer may not know yet that the one before has ended.
            wait_until(SOON, "a further subflow", || {
                let listed = subflows::list(&spare.client).unwrap();
                let found = listed.iter().find(|subflow| subflow.local != first);
                further = found.map(|subflow| (subflow.local, subflow.remote));
                if further.is_none() {
                    let second = Open::new().local(net.paths[1].client_v4);
                    let _ = subflows::open(&spare.client, &second);
                }
                further.is_some()
            });
            further.expect("a further subflow")
        })
    }

    /// Announces an address in that session. Returns its handle.
    fn announce(&self, session: &Session, announce: &Act) -> u32 {
        let fd = self.own.client.as_fd();
        let Act::Announce { token, local } = *announce else { unreachable!() };
        let mut handle = None;
        // It may still be announced, and its withdrawal may not have been sent yet.
        wait_until(SOON, "the address is announced", || {
            let answer = session.ask(announce.clone(), &[fd]).expect("an answer");
            handle = answer.result.ok();
            if handle.is_none() {
                session.ask(Act::Remove { token, id: local.id }, &[fd]).expect("an answer");
            }
            handle.is_some()
        });
        handle.expect("a handle")
    }

    /// Prepares a verb in that session: getting or setting an option, if it is `options`. Returns the act that is
    /// interrupted, and its socket.
    fn prepare(
        &self,
        verb: Verb,
        is_set: bool,
        session: &Session,
    ) -> (Act, Option<BorrowedFd<'_>>) {
        let (own, spare) = (self.own.client.as_fd(), self.spare.client.as_fd());
        let all = acts(self.net, &self.own.client);
        let same = |verb| all.iter().find(|act| act.verb() == verb).expect("an act").clone();
        match verb {
            Verb::TakeControl => (Act::TakeControl, Some(self.unconnected.as_fd())),
            Verb::Destroy => {
                let (local, remote) = self.further_subflow();
                let token = token(self.net, &self.spare.client);
                (Act::Destroy { token, local, remote }, Some(spare))
            }
            Verb::Abort => {
                let (local, remote) = self.further_subflow();
                let (cookie, interface) = socket_of(self.net, local, remote);
                (Act::Abort { local, remote, interface, cookie }, Some(spare))
            }
            Verb::Withdraw => {
                let handle = self.announce(session, &same(Verb::Announce));
                (Act::Withdraw { handle }, None)
            }
            Verb::Remove => {
                self.announce(session, &same(Verb::Announce));
                (same(verb), Some(own))
            }
            Verb::Options => {
                let client = &self.own.client;
                let ends = (client.local_addr().unwrap(), client.peer_addr().unwrap());
                let cookie = cookie_of(self.net, ends.0, ends.1);
                let (level, number) = (libc::IPPROTO_TCP, libc::TCP_NODELAY);
                let mut value = [0; ROOM];
                value[0] = u8::from(is_set);
                let step = Step { is_set, level, number, length: 4, value };
                (Act::Options { cookie, steps: vec![step] }, Some(own))
            }
            Verb::Events => (Act::Events, Some(own)),
            Verb::Check => (CHECK, Some(own)),
            Verb::Create | Verb::SetBackup | Verb::Announce | Verb::PathManager => {
                (same(verb), Some(own))
            }
        }
    }
}

#[test]
fn a_killed_broker_leaves_nothing_behind() {
    /// The last kills come so long after the request.
    const LATEST: Duration = Duration::from_micros(400);
    let Some((net, mut served)) = net_with_broker(EVERYONE) else { return };
    let to = net.paths[0].server_ips()[0];
    let [own, spare] = [Pair::new(&net, to, true), Pair::new(&net, to, true)];
    let unconnected = net.client.run(|| subflows::socket(subflows::Family::V4)).unwrap();
    let asked = Asked { net: &net, own: &own, spare: &spare, unconnected };
    let rounds = rounds();
    let verbs = Verb::ALL.iter().map(|verb| (*verb, false)).chain([(Verb::Options, true)]);
    for (verb, is_set) in verbs {
        let mut unanswered = 0;
        for round in 0..rounds {
            let session = served.session();
            let (act, fd) = asked.prepare(verb, is_set, &session);
            let request = Request { number: 1, act: act.clone() }.encode();
            session.send(&request, fd.as_slice()).unwrap();
            let start = Instant::now();
            // At another moment of the act each time. A sleep would take longer than the act.
            let after = LATEST * round as u32 / rounds as u32;
            while start.elapsed() < after {
                std::hint::spin_loop();
            }
            served.restart(&net.client);
            unanswered += usize::from(session.receive().is_none());
            assert_eq!(net.client.sysctl("net.mptcp.pm_type").unwrap().trim(), "0", "{act:?}");
            own.move_data();
            spare.move_data();
            served.serve(&net);
        }
        println!("{}, killed {rounds} times: {unanswered} were not answered", verb.name());
    }
    served.serves_at_once(&net);
}

/// A control group of version 2, which is removed when the value is dropped.
struct Group(PathBuf);

impl Group {
    fn new() -> Option<Group> {
        let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(PathBuf::from);
        let root = roots.into_iter().find(|root| root.join("cgroup.controllers").exists())?;
        let group = Group(root.join(format!("subflows-{}", std::process::id())));
        fs::create_dir(&group.0).ok()?;
        group.0.join("cgroup.kill").exists().then_some(group)
    }

    fn add(&self, process: u32) {
        fs::write(self.0.join("cgroup.procs"), process.to_string()).unwrap();
    }

    fn kill(&self) {
        fs::write(self.0.join("cgroup.kill"), "1").unwrap();
    }

    fn is_empty(&self) -> bool {
        fs::read_to_string(self.0.join("cgroup.procs")).unwrap().is_empty()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Fails only if a process is left in it, which the test reports.
        let _ = fs::remove_dir(&self.0);
    }
}

/// Killing a control group also kills the process that takes control. The next broker sets it back.
#[test]
fn a_broker_that_is_killed_with_its_group_leaves_nothing_behind() {
    let Some((net, mut served)) = net_with_broker(UNLIMITED) else { return };
    let Some(group) = Group::new() else {
        return skip("control groups of version 2 with cgroup.kill");
    };
    let own = Pair::new(&net, net.paths[0].server_ips()[0], true);
    let sock = net.client.run(|| subflows::socket(subflows::Family::V4)).unwrap();
    let mut interrupted = 0;
    for round in 0..rounds() * 8 {
        group.add(served.process.id());
        group.add(Taker::of(&served).0.as_raw() as u32);
        kill_amid(&served, sock.as_fd(), round, || group.kill());
        served.process.wait().unwrap();
        wait_until(SOON, "the group is empty", || group.is_empty());
        interrupted += usize::from(is_changed(&net));
        own.move_data();
        served.restart(&net.client);
        assert!(!is_changed(&net), "round {round}");
        served.serves_at_once(&net);
    }
    println!("the setting was changed at {interrupted} kills, and set back each time");
}

/// The process of a broker that takes control.
struct Taker(Pid);

impl Taker {
    fn of(served: &Served) -> Taker {
        let broker = served.process.id();
        let mut found = None;
        // The broker listens before it makes the process.
        wait_until(SOON, "the taker", || {
            let children = fs::read_to_string(format!("/proc/{broker}/task/{broker}/children"));
            let numbers = children.unwrap();
            found = numbers.split_whitespace().map(|number| number.parse().unwrap()).next();
            found.is_some_and(|number| name_of(number) == "taker\n")
        });
        Taker(Pid::from_raw(found.expect("a child")))
    }

    fn kill(&self) {
        kill(self.0, Signal::SIGKILL).unwrap();
    }

    fn is_gone(&self) -> bool {
        // One that nothing has waited for yet has its name still.
        name_of(self.0.as_raw()) != "taker\n" || state_of(self.0) == 'Z'
    }
}

fn name_of(process: i32) -> String {
    fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default()
}

fn state_of(process: Pid) -> char {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()).unwrap_or('Z')
}

fn is_changed(net: &Net) -> bool {
    net.client.sysctl("net.mptcp.pm_type").unwrap().trim() != "0"
}

/// Kills something while the broker takes control of one socket after the other, at another moment each time.
fn kill_amid(served: &Served, sock: BorrowedFd<'_>, time: usize, kill: impl FnOnce()) {
    let answers = &AtomicUsize::new(0);
    let sessions: Vec<_> = (0..4).map(|_| served.session()).collect();
    thread::scope(|scope| {
        let ask = |session: &Session| {
            while session.ask(Act::TakeControl, &[sock]).is_some() {
                answers.fetch_add(1, Ordering::Relaxed);
            }
        };
        sessions.iter().for_each(|session| drop(scope.spawn(move || ask(session))));
        wait_until(SOON, "the first answers", || answers.load(Ordering::Relaxed) > 3);
        let (start, after) = (Instant::now(), Duration::from_micros(time as u64 * 37 % 1000));
        while start.elapsed() < after {
            std::hint::spin_loop();
        }
        let killed = panic::catch_unwind(AssertUnwindSafe(kill));
        // They would ask forever if that has failed, and wait for as long as a worker of the broker does.
        sessions.iter().for_each(Session::end);
        killed.unwrap_or_else(|failure| panic::resume_unwind(failure));
    });
}

/// Without another broker: its process that takes control goes on to the end.
#[test]
fn a_killed_broker_sets_the_setting_back() {
    let Some((net, mut served)) = net_with_broker(UNLIMITED) else { return };
    let sock = net.client.run(|| subflows::socket(subflows::Family::V4)).unwrap();
    for round in 0..rounds() * 8 {
        let taker = Taker::of(&served);
        kill_amid(&served, sock.as_fd(), round, || served.signal(Signal::SIGKILL));
        served.process.wait().unwrap();
        wait_until(SOON, "the taker to end", || taker.is_gone());
        assert!(!is_changed(&net), "round {round}");
        served.restart(&net.client);
    }
    served.serves_at_once(&net);
}

/// A worker that waits for a socket which its client has locked keeps the broker's descriptors open. While they were
/// shared with the process that takes control, its death did not free the lock on the namespace.
#[test]
fn a_client_that_locks_its_socket_does_not_keep_the_setting_changed() {
    let Some((net, mut served)) = net_with_broker(UNLIMITED) else { return };
    let own = Pair::new(&net, net.paths[0].server_ips()[0], true);
    let sock = net.client.run(|| subflows::socket(subflows::Family::V4)).unwrap();
    let waiting = acts(&net, &own.client).into_iter().next().expect("an act");
    for round in 0..rounds() * 4 {
        let Some(trap) = Trap::new_or_skip() else { return };
        let taker = Taker::of(&served);
        while_locked(&trap, &own.client, || {
            let session = served.session();
            let request = Request { number: 1, act: waiting.clone() };
            session.send(&request.encode(), &[own.client.as_fd()]).unwrap();
            kill_amid(&served, sock.as_fd(), round, || {
                // The broker alone, and both.
                if round % 2 == 1 {
                    taker.kill();
                }
                served.signal(Signal::SIGKILL);
            });
            // Another taker sets the setting back if both are gone, and waits for no lock.
            match round % 2 {
                0 => wait_until(SOON, "the setting to be set back", || !is_changed(&net)),
                _ => wait_until(SOON, "the taker to end", || taker.is_gone()),
            }
            net.client.run(|| {
                let other = subflows::socket(subflows::Family::V4).unwrap();
                subflows::take_control(&other).unwrap();
            });
            assert!(!is_changed(&net), "round {round}");
        });
        served.process.wait().unwrap();
        served.restart(&net.client);
        served.serves_at_once(&net);
    }
}

/// The worker that waits for the process sets the setting back. The broker then makes a child for each socket, as
/// other programs do.
#[test]
fn a_broker_whose_taker_is_killed_continues() {
    let Some(net) = net() else { return };
    let mut served = Served::start_with(&net.client, UNLIMITED, true);
    let sock = net.client.run(|| subflows::socket(subflows::Family::V4)).unwrap();
    let (mut round, mut restored) = (0, 0);
    let start = Instant::now();
    while restored == 0 || round < rounds() * 8 {
        assert!(start.elapsed() < 6 * SOON, "{round} kills, of which none came in the middle");
        let (taker, session) = (Taker::of(&served), served.session());
        kill_amid(&served, sock.as_fd(), round, || {
            taker.kill();
            wait_until(SOON, "the taker to end", || taker.is_gone());
            // All clients are served to the end. On a busy machine, what takes long costs them much.
            for _ in 0..8 {
                wait_until(SOON, "control is taken", || {
                    let answer = session.ask(Act::TakeControl, &[sock.as_fd()]).expect("an answer");
                    let kind = answer.result.as_ref().err().map(|refusal| refusal.kind);
                    assert!(matches!(kind, None | Some(ErrorKind::Busy)), "{answer:?}");
                    kind.is_none()
                });
            }
            wait_until(SOON, "the setting to be set back", || !is_changed(&net));
            restored += served.restored();
            served.signal(Signal::SIGKILL);
        });
        served.process.wait().unwrap();
        wait_until(SOON, "the setting to be set back", || !is_changed(&net));
        served.restart(&net.client);
        round += 1;
    }
    println!("of {round} kills, {restored} came in the middle");
}

/// How often each act is interrupted: `BROKER_KILLS`.
fn rounds() -> usize {
    std::env::var("BROKER_KILLS").map_or(3, |kills| kills.parse().unwrap())
}
