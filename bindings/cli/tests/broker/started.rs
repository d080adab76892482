//! What the broker is after its start: its privileges, its files, its metrics.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use subflows::ErrorKind;
use subflows::broker::Act;
use subflows_lab::{Net, skip_unless_ready, wait_until};

use crate::common::{Pair, SOON};
use crate::served::{CHECK, NOBODY, Served, net, net_with_broker};
use crate::{EVERYONE, kind};

/// CAP_CHOWN, CAP_NET_ADMIN, CAP_PERFMON and CAP_BPF.
const CAPABILITIES: u64 = 1 | 1 << 12 | 1 << 38 | 1 << 39;

#[test]
fn a_broker_keeps_four_capabilities_and_opens_no_file() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let served = Served::start(&net.client, EVERYONE);
    served.serves_at_once(&net);
    let session = served.session();
    let ids = fs::read_dir(format!("/proc/{}/task", served.process.id())).unwrap().flatten();
    for task in ids {
        let Ok(status) = fs::read_to_string(task.path().join("status")) else { continue };
        let value = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim_start_matches(':').trim().to_owned()
        };
        let set = |name| u64::from_str_radix(&value(name), 16).unwrap();
        for name in ["CapPrm", "CapEff", "CapBnd"] {
            assert_eq!(set(name) & !CAPABILITIES, 0, "{name} {status}");
        }
        assert_eq!((set("CapInh"), set("CapAmb")), (0, 0), "{status}");
        // The filter is tested with the service: it denies to open files.
        assert_eq!((value("NoNewPrivs"), value("Seccomp")), ("1".into(), "2".into()), "{status}");
    }
    drop(session);
}

/// A rule that names control groups makes the broker read /proc, which its filter then allows.
#[test]
fn a_policy_may_name_control_groups() {
    let Some(net) = net() else { return };
    let sock = net.client.run(|| subflows::socket(subflows::Family::V4)).unwrap();
    let served = Served::start(&net.client, "[[allow]]\ncgroups = [\"/\"]\n");
    let answer = served.session_of(NOBODY).ask(CHECK, &[sock.as_fd()]);
    assert_eq!(answer.unwrap().result, Ok(0), "{}", served.log());
    let served = Served::start(&net.client, "[[allow]]\ncgroups = [\"/no-such-group\"]\n");
    let answer = served.session_of(NOBODY).ask(CHECK, &[sock.as_fd()]);
    assert_eq!(kind(answer), ErrorKind::NotPermitted);
}

#[test]
fn metrics_count_what_the_broker_does() {
    let Some(net) = net() else { return };
    let served = Served::start_with(&net.client, EVERYONE, true);
    let sock = net.client.run(|| subflows::socket(subflows::Family::V4)).unwrap();
    let session = served.session_of(NOBODY);
    session.ask(CHECK, &[sock.as_fd()]).unwrap();
    session.ask(Act::TakeControl, &[sock.as_fd()]).unwrap();
    session.ask(Act::Events, &[sock.as_fd()]).unwrap();
    let read = |request: &[u8]| served.read_metrics(request);
    // What is not HTTP is not answered, and does not stop the next reader.
    assert_eq!(read(b"GET"), "");
    let silent = UnixStream::connect(served.metrics()).unwrap();
    let text = read(b"GET /metrics HTTP/1.1\r\nHost: broker\r\n\r\n");
    drop(silent);
    assert!(text.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n"));
    for line in [
        "requests_total{verb=\"check\",result=\"ok\"} 1",
        "requests_total{verb=\"take_control\",result=\"ok\"} 1",
        "requests_total{verb=\"events\",result=\"NotConnected\"} 1",
        "workers 1",
        "throttled_total 0",
        "refused_sessions_total 0",
        "restored_total 0",
    ] {
        assert!(text.contains(&format!("\nsubflows_broker_{line}\n")), "{line} in {text}");
    }
}

#[test]
fn a_user_has_as_many_streams_as_the_policy_allows() {
    let Some((net, served)) = net_with_broker("[[allow]]\n[limits]\nstreams = 3\n") else { return };
    let own = Pair::new(&net, net.paths[0].server_ips()[0], true);
    let sessions = [served.session_of(NOBODY), served.session_of(NOBODY)];
    let open = |number: usize| {
        let (answer, stream) =
            sessions[number % 2].ask_for_fd(Act::Events, &[own.client.as_fd()]).unwrap();
        answer.result.map(|_| stream.expect("a stream")).map_err(|refusal| refusal.kind)
    };
    let mut streams: Vec<_> = (0..3).map(|number| open(number).unwrap()).collect();
    assert_eq!(open(3).unwrap_err(), ErrorKind::Busy);
    // Another user has streams of its own.
    let answer = served.session().ask(Act::Events, &[own.client.as_fd()]).unwrap();
    assert_eq!(answer.result, Ok(0));
    // The client closes one without the broker.
    streams.pop();
    // A process that another test starts has a copy until it runs its program.
    wait_until(SOON, "a closed stream counts no more", || {
        open(4).map(|stream| streams.push(stream)).is_ok()
    });
    assert_eq!(open(5).unwrap_err(), ErrorKind::Busy);
}
