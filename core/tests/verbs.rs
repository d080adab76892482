//! Each verb, as root and as nobody: it works, or its error names what is missing. Other kernels are found
//! out about by the lines that this prints (`make kernels`).

mod common;

use std::collections::HashSet;
use std::fmt::Debug;
use std::io::{self, Read};
use std::net::{IpAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Stdio;

use common::child::{helper, helper_without_rights, is_child};
use common::raw::hides_subflows;
use common::{Pair, open_handed, raw, ways};
use subflows::{
    AddEndpoint, Announce, Connect, ConnectionsOptions, Doctor, ErrorKind, Family, Listen,
    OPERATIONS, Open, OptionValue, Probe, SubflowOption,
};
use subflows_lab::{Net, ready, skip};

/// What came of each verb, by its name.
#[derive(Default)]
struct Outcomes {
    who: &'static str,
    tried: HashSet<&'static str>,
}

impl Outcomes {
    /// Prints what came of a verb. Its error is the expected kind, or `Unsupported`, and has a remedy.
    #[track_caller]
    fn of<T: Debug>(
        &mut self,
        verb: &'static str,
        expected: Option<ErrorKind>,
        result: subflows::Result<T>,
    ) -> Option<T> {
        self.tried.insert(verb.split(' ').next().unwrap());
        let kind = result.as_ref().err().map(subflows::Error::kind);
        let shown = kind.map_or("ok".to_owned(), |kind| format!("{kind:?}"));
        println!("verb: {verb} as {}: {shown}", self.who);
        if let Err(error) = &result {
            assert!(kind == expected || kind == Some(ErrorKind::Unsupported), "{verb}: {error}");
            assert!(error.remedy().len() > 10, "{verb}: {error}");
        }
        assert!(expected.is_none() || kind.is_some(), "{verb} works: {result:?}");
        result.ok()
    }
}

/// Calls every verb, on the connection that is standard input. The peer's address is its other end.
fn call_all(who: &'static str) {
    let is_root = who == "root";
    let stream = TcpStream::from(io::stdin().as_fd().try_clone_to_owned().unwrap());
    let mut outcomes = Outcomes { who, ..Outcomes::default() };
    let privileged = Some(ErrorKind::NotPermitted).filter(|_| !is_root);
    let hidden = Some(ErrorKind::NotPermitted).filter(|_| hides_subflows());
    assert!(hidden.is_none() || !is_root);

    outcomes.of("capabilities", None, subflows::capabilities());
    outcomes.of("diagnose", None, subflows::diagnose(&stream));
    let status = outcomes.of("status", None, subflows::status(&stream)).unwrap();
    assert!(status.is_ready);
    let info = outcomes.of("info", None, subflows::info(&stream)).unwrap();
    assert!(info.subflows.is_none_or(|count| count == 2), "{info:?}");
    let list = outcomes.of("list", None, subflows::list(&stream)).unwrap();
    let [initial, second] = &list[..] else { panic!("not two: {list:?}") };
    let details = outcomes.of("details", hidden, subflows::details(&stream, second.id));
    assert!(details.is_none_or(|details| details.is_joined && details.is_additional));
    let addresses = outcomes.of("addresses", hidden, subflows::addresses(&stream));
    assert!(addresses.is_none_or(|addresses| addresses.iter().any(|one| one.subflows > 0)));
    // Another process made this connection.
    outcomes.of("peer_addresses", Some(ErrorKind::InvalidState), subflows::peer_addresses(&stream));
    let mut options = ConnectionsOptions::new();
    let all = outcomes.of("connections", None, subflows::connections(&options)).unwrap();
    assert!(all.iter().any(|one| Some(one.token) == status.token));
    options.subflows = true;
    let all = outcomes.of("connections with subflows", hidden, subflows::connections(&options));
    let of_ours = all.map(|all| all.into_iter().find(|one| Some(one.token) == status.token));
    assert!(of_ours.is_none_or(|found| found.unwrap().subflows.len() == 2));
    outcomes.of("connection", None, subflows::connection(status.token.unwrap())).unwrap();

    let own = second.local.ip();
    let events = outcomes.of("events", privileged, subflows::events(&stream));
    drop(events);
    let announced = subflows::announce(&stream, own, &Announce::new());
    outcomes.of("announce", privileged, announced);
    options_of(&mut outcomes, &stream, initial.id, privileged, hidden);
    outcomes.of("set_backup", privileged, subflows::set_backup(&stream, second.id, true));
    outcomes.of("close", privileged, subflows::close(&stream, second.id));
    let opened = outcomes.of("open", privileged, subflows::open(&stream, &Open::new().local(own)));
    if let Some(opened) = opened {
        outcomes.of("close initial", privileged, subflows::close(&stream, initial.id));
        assert_eq!(subflows::list(&stream).unwrap()[0].id, opened.id);
    }

    let peer = stream.peer_addr().unwrap();
    outcomes.of("connect", None, subflows::connect(peer, &Connect::new()));
    let control = Connect::new().control(true);
    outcomes.of("connect with control", privileged, subflows::connect(peer, &control));
    outcomes.of("listen", None, subflows::listen("127.0.0.1:0", &Listen::new()));
    outcomes.of("listen_any", None, subflows::listen_any(0, &Listen::new()));
    let sock = outcomes.of("socket", None, subflows::socket(Family::V4)).unwrap();
    outcomes.of("take_control", privileged, subflows::take_control(&sock));
    let tcp = raw::socket(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_TCP).unwrap();
    outcomes.of("upgrade", None, subflows::upgrade(&tcp));

    let probe = Probe::new().data("?");
    let report = outcomes.of("probe", None, subflows::probe(peer, &probe)).unwrap();
    assert_eq!(report.is_join_denied.is_some(), is_root);
    outcomes.of("doctor", None, subflows::doctor(&Doctor::new()));
    outcomes.of("doctor of an address", None, subflows::doctor(&Doctor::new().remote(peer)));

    of_the_namespace(&mut outcomes, privileged);

    for operation in OPERATIONS {
        assert!(outcomes.tried.contains(operation.name), "{} was not tried", operation.name);
    }
    println!("all verbs tried");
}

/// What belongs to the whole network namespace: everyone may read it.
fn of_the_namespace(outcomes: &mut Outcomes, privileged: Option<ErrorKind>) {
    outcomes.of("endpoints", None, subflows::endpoints()).unwrap();
    let limits = outcomes.of("limits", None, subflows::limits()).unwrap();
    outcomes.of("settings", None, subflows::settings()).unwrap();
    outcomes.of("counters", None, subflows::counters()).unwrap();
    let nowhere = IpAddr::from([192, 0, 2, 9]);
    let added = subflows::add_endpoint(nowhere, &AddEndpoint::new());
    let id = outcomes.of("add_endpoint", privileged, added).map_or(1, |added| added.id);
    let set = subflows::set_endpoint_backup(id, true);
    let unprivileged = privileged.map(|_| ErrorKind::NoSuchEndpoint);
    outcomes.of("set_endpoint_backup", unprivileged, set);
    let set = subflows::set_endpoint_fullmesh(id, true);
    outcomes.of("set_endpoint_fullmesh", unprivileged, set);
    outcomes.of("remove_endpoint", privileged, subflows::remove_endpoint(id));
    outcomes.of("flush_endpoints", privileged, subflows::flush_endpoints());
    let set = subflows::set_limits(limits.subflows, limits.add_addr_accepted);
    outcomes.of("set_limits", privileged, set);
    outcomes.of("set_setting", privileged, subflows::set_setting("enabled", true));
}

/// Those that the kernel reports to all need no privilege, unless it hides the subflows. Some kernels let no
/// BPF program set options.
fn options_of(
    outcomes: &mut Outcomes,
    stream: &TcpStream,
    id: u32,
    privileged: Option<ErrorKind>,
    hidden: Option<ErrorKind>,
) {
    let all = subflows::capabilities().unwrap();
    let options = all.into_iter().find(|found| found.name == "options").unwrap();
    let is_lacking = privileged.is_none() && !options.is_available;
    let privileged = if is_lacking { Some(ErrorKind::Unsupported) } else { privileged };
    let pacing = SubflowOption::MaxPacingRate;
    outcomes.of("options", hidden, subflows::options(stream, id));
    outcomes.of("get_option", hidden, subflows::get_option(stream, id, pacing));
    let priority = SubflowOption::Priority;
    outcomes.of("set_option", privileged, subflows::set_option(stream, id, priority, 6));
    let (level, number) = (libc::SOL_SOCKET as u32, libc::SO_PRIORITY as u32);
    let bytes = 6u32.to_ne_bytes();
    let set = subflows::set_raw_option(stream, id, level, number, &bytes[..]);
    outcomes.of("set_raw_option", privileged, set);
    let got = subflows::get_raw_option(stream, id, level, number, 4);
    let got = outcomes.of("get_raw_option", privileged, got);
    assert!(got.is_none_or(|got| got == OptionValue::from(&bytes[..])));
}

#[test]
#[ignore = "a child of other tests"]
fn helper_root() {
    if is_child() {
        call_all("root");
    }
}

#[test]
#[ignore = "a child of other tests"]
fn helper_nobody() {
    if is_child() {
        call_all("nobody");
    }
}

fn try_all(who: &str) {
    let net = open_handed(Net::two_subnets().unwrap());
    let pair = common::controlled(&net, net.paths[0].server_v4.into());
    let _entered = net.client.enter().unwrap();
    subflows::open(&pair.client, &ways::second(&net, &pair)).unwrap();
    let name = format!("helper_{who}");
    let mut command = if who == "root" { helper(&name) } else { helper_without_rights(&name) };
    let stdin = OwnedFd::from(pair.client.try_clone().unwrap());
    let child = command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut child) = child else { return skip("there is no other user here") };
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut said = String::new();
    stdout.unwrap().read_to_string(&mut said).unwrap();
    stderr.unwrap().read_to_string(&mut said).unwrap();
    // Not by a macro, whose output libtest keeps.
    let verbs: String = said
        .lines()
        .filter(|line| line.starts_with("verb: "))
        .map(|line| format!("{line}\n"))
        .collect();
    io::Write::write_all(&mut io::stderr(), verbs.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success() && said.contains("all verbs tried"), "{said}");
    assert!(Pair::moves_data(&pair));
}

#[test]
fn every_verb_of_root_works() {
    if ready() {
        try_all("root");
    }
}

#[test]
fn every_verb_of_an_unprivileged_user_works_or_names_the_right_it_needs() {
    if ready() {
        try_all("nobody");
    }
}
