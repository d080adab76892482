//! Opens and closes subflows, and changes their priority.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use subflows_lab::{ignores_interfaces, is_before, oracle};

use super::Sentence;
use crate::arguments::Arguments;
use crate::ends::ends_in;
use crate::family::Family;
use crate::judge;
use crate::protocol::{Answer, Fields, Request};
use crate::step_error::{Result, StepError, ensure, failed};
use crate::world::{World, compare};

pub(super) const SENTENCES: &[Sentence] = &[
    ("{actor} opens a subflow of {sock} {how...}", opens),
    ("{actor} opens {count} subflow(s) of {sock} {how...}", opens_many),
    ("{actor} starts to open a subflow of {sock} {how...}", starts_to_open),
    ("{actor} is still opening", is_still_opening),
    ("{actor} finishes opening", finishes_opening),
    ("{actor} closes {name}", closes),
    ("{actor} closes subflow {id} of {sock}", closes_id),
    ("{actor} force-closes {name}", force_closes),
    ("{actor} makes {name} a backup", makes_backup),
    ("{actor} makes {name} regular", makes_regular),
    ("BPF programs are permitted", bpf_is_permitted),
    ("{actor} sets {option} of {name} to {value}", sets_option),
    ("{actor} reads {option} of {name}", reads_option),
    ("{actor} reads the options of {name}", reads_options),
    ("{actor} sets the mark of {name} to the bytes {value}", sets_raw_mark),
    ("{actor} reads the bytes of the mark of {name}", reads_raw_mark),
    ("ss shows the mark {mark} on {name} alone", shows_mark),
];

/// How late a busy machine may be.
const LATE: Duration = Duration::from_millis(1500);
/// The default timeout of `open`.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// The request for `open`.
fn request(world: &World, arguments: &Arguments) -> Result<Request> {
    let (actor, sock) = (arguments.get("actor"), arguments.get("sock"));
    let family = world.names.family(sock);
    let mut request = Request::new("open").with("sock", sock);
    let mut has_remote = false;
    for how in arguments.parts("how") {
        let parts: Vec<&str> = how.split(' ').collect();
        request = match parts[..] {
            ["from", "path", number] => request.with("local", local(world, actor, family, number)?),
            ["from", ip] => request.with("local", ip),
            ["from", "the", "address", "of", "the", "whole", "host"] => {
                let host = if family.adds_v4() { "10.55.0.1" } else { "2001:db8:55::1" };
                request.with("local", host)
            }
            ["over", "interface", name] => request.with("interface", name),
            ["over", "the", "interface", "of", "path", number] => {
                request.with("interface", &world.path(parse_number(number)?)?.client_interface)
            }
            ["as", "backup"] => request.with("backup", true),
            ["without", "binding", "to", "the", "interface"] => {
                if ignores_interfaces() {
                    let why = "on this kernel, the lab's rules send it over that interface";
                    return Err(StepError::Skipped(why.to_owned()));
                }
                request.with("unbound", true)
            }
            ["within", time, "ms"] => request.with("timeout_ms", time),
            ["from", "the", "port", "of", name] => {
                request.with("local_port", world.names.subflow_ends(actor, name)?.0.port())
            }
            ["to", ref to @ ..] => {
                has_remote = true;
                request.with("remote", remote(world, family, to)?)
            }
            _ => return failed(format!("unknown option of open: {how}")),
        };
    }
    // The peer's address is IPv6. Port 0 means the port of the connection.
    if family == Family::V4OnV6 && !has_remote && actor == "client" {
        let server = world.path(1)?.server_v4;
        request = request.with("remote", SocketAddr::from((server, 0)));
    }
    Ok(request)
}

pub(super) fn parse_number(text: &str) -> Result<usize> {
    text.parse().or_else(|_| failed(format!("{text} is not a number")))
}

fn local(world: &World, actor: &str, family: Family, number: &str) -> Result<IpAddr> {
    let path = world.path(parse_number(number)?)?;
    Ok(if actor == "server" { family.server_ip(path) } else { family.client_ip(path) })
}

fn remote(world: &World, family: Family, to: &[&str]) -> Result<SocketAddr> {
    let server = family.server_ip(world.path(1)?);
    Ok(match to {
        ["a", "closed", "port"] => {
            let bind = || std::net::TcpListener::bind((server, 0))?.local_addr();
            world.net()?.server.run(bind)?
        }
        ["an", "unassigned", "address"] => SocketAddr::new(family.unassigned(), 0),
        ["path", number] => {
            let path = world.path(parse_number(number)?)?;
            path.server_end(family.server_ip(path), 0)?
        }
        // Of a link-local address, without its scope.
        ["path", number, "without", "a", "scope"] => {
            SocketAddr::new(family.server_ip(world.path(parse_number(number)?)?), 0)
        }
        ["the", "v4", "address", "of", "path", number] => {
            SocketAddr::from((world.path(parse_number(number)?)?.server_v4, 0))
        }
        ["the", "v6", "address", "of", "path", number] => {
            SocketAddr::from((world.path(parse_number(number)?)?.server_v6, 0))
        }
        ["listener", name] => SocketAddr::new(server, world.names.listener(name)?.address.port()),
        [name] if world.names.answers.contains_key(*name) => {
            world.names.answer(name)?.value("remote")?
        }
        [ip] => match ip.parse() {
            Ok(ip) => SocketAddr::new(ip, 0),
            Err(_) => return failed(format!("{ip} is not an IP address")),
        },
        _ => return failed(format!("unknown remote address: {}", to.join(" "))),
    })
}

/// When `open` succeeds, ss shows the subflow as joined. When it fails, it leaves no subflow behind
/// and keeps its timeout.
fn opens(world: &mut World, arguments: &Arguments) -> Result {
    let actor = arguments.get("actor").to_owned();
    let connection = arguments.get("sock").to_owned();
    let request = request(world, arguments)?;
    let Some(kind) = arguments.expected_error() else {
        let is_backup = request.get("backup").is_some();
        let is_link_local = request.get("remote").is_some_and(|remote| remote.contains("fe80:"));
        let (answer, _) = world.ask(&actor, request)?;
        if matches!(&answer, Answer::Err(kind, _) if kind == "Unsupported")
            && is_link_local
            && ignores_interfaces()
        {
            let why = "this kernel ignores the interface, which a link-local address needs";
            return Err(StepError::Skipped(why.to_owned()));
        }
        let (answer, name) = (answer.done()?, arguments.new_name()?);
        opened(world, &actor, &connection, name, &answer)?;
        if is_backup {
            judge::soon(|| differs_from_backup(world, &actor, &connection, name, true))?;
        }
        return Ok(());
    };
    let timeout = request.get("timeout_ms").and_then(|time| time.parse().ok());
    let timeout = timeout.map_or(DEFAULT_TIMEOUT, Duration::from_millis);
    let token = world.token(&actor, &connection).ok();
    let shown = |world: &World| -> Result<_> {
        let namespace = world.namespace(&actor)?;
        Ok(token.map(|token| judge::ends(namespace, token)))
    };
    let before = shown(world)?;
    let (answer, elapsed) = world.ask(&actor, request)?;
    let after = shown(world)?;
    compare(answer, arguments)?;
    ensure(after == before, || format!("it left a subflow behind: ss shows {after:?}"))?;
    ensure(elapsed < timeout + LATE, || format!("it took {elapsed:?}"))?;
    let is_early = kind == "TimedOut" && elapsed < timeout;
    ensure(!is_early, || format!("it timed out after only {elapsed:?}"))
}

/// ss shows the subflow as joined at the end that opened it. The step gives it a name.
fn opened(world: &mut World, actor: &str, connection: &str, name: &str, answer: &Fields) -> Result {
    world.names.add_subflow(name, actor, connection, answer)?;
    let token = world.token(actor, connection)?;
    let namespace = world.namespace(actor)?;
    let found = judge::find(namespace, token, ends_in(answer)?);
    match found {
        Some(found) if found.state == "ESTAB" && found.flags.contains('e') => Ok(()),
        Some(found) => failed(format!("ss shows it as {} {}", found.state, found.flags)),
        None => failed(format!("ss shows only {:?}", oracle::ss_subflows(namespace))),
    }
}

fn opens_many(world: &mut World, arguments: &Arguments) -> Result {
    let actor = arguments.get("actor").to_owned();
    let connection = arguments.get("sock").to_owned();
    let count: usize = arguments.value("count")?;
    let request = request(world, arguments)?;
    for number in 1..=count {
        let answer = world.done(&actor, request.clone())?;
        opened(world, &actor, &connection, &format!("{}{number}", arguments.new_name()?), &answer)?;
    }
    Ok(())
}

fn starts_to_open(world: &mut World, arguments: &Arguments) -> Result {
    let request = request(world, arguments)?;
    world.begin(arguments.get("actor"), &request, arguments.get("sock"))
}

/// The driver has not answered yet.
fn is_still_opening(world: &mut World, arguments: &Arguments) -> Result {
    let is_busy = world.driver(arguments.get("actor"))?.is_busy();
    ensure(is_busy, || "open returned before the subflow was joined".to_owned())
}

fn finishes_opening(world: &mut World, arguments: &Arguments) -> Result {
    let actor = arguments.get("actor").to_owned();
    let Some(connection) = world.pending.remove(&actor) else {
        return failed("no open is pending");
    };
    let answer = world.driver(&actor)?.receive()?;
    world.record_answer(answer.to_string());
    match compare(answer, arguments)? {
        Some(answer) => opened(world, &actor, &connection, arguments.new_name()?, &answer),
        None => Ok(()),
    }
}

/// A closed subflow is no longer in the list as soon as `close` returns.
fn closes(world: &mut World, arguments: &Arguments) -> Result {
    close(world, arguments, false)
}

fn force_closes(world: &mut World, arguments: &Arguments) -> Result {
    close(world, arguments, true)
}

fn close(world: &mut World, arguments: &Arguments, force: bool) -> Result {
    let (actor, name) = (arguments.get("actor"), arguments.get("name"));
    let connection = world.names.subflow(name)?.connection.clone();
    let request = Request::new("close").with("sock", &connection);
    let request = request.with("id", world.id(actor, name)?);
    let request = if force { request.with("force", true) } else { request };
    if world.request(actor, request, arguments)?.is_none() {
        return Ok(());
    }
    let ends = world.names.subflow_ends(actor, name)?;
    let listed = world.list(actor, &connection)?;
    for listed in &listed {
        ensure(ends_in(listed)? != ends, || {
            format!("the list of {actor} still contains it: {listed}")
        })?;
    }
    let token = world.token(actor, &connection)?;
    let shown = judge::find(world.namespace(actor)?, token, ends);
    ensure(shown.is_none(), || format!("ss still shows it: {shown:?}"))
}

fn closes_id(world: &mut World, arguments: &Arguments) -> Result {
    let (actor, sock) = (arguments.get("actor"), arguments.get("sock"));
    let mut id = arguments.get("id").to_owned();
    if id == "1" && is_before(6, 5) {
        // These kernels have no ids: the library uses other numbers.
        let initial = world.list(actor, sock)?.into_iter().next();
        id = initial.as_ref().and_then(|initial| initial.get("id")).unwrap_or(&id).to_owned();
    }
    let request = Request::new("close").with("sock", sock).with("id", id);
    world.request(actor, request, arguments).map(drop)
}

fn makes_backup(world: &mut World, arguments: &Arguments) -> Result {
    set_backup(world, arguments, true)
}

fn makes_regular(world: &mut World, arguments: &Arguments) -> Result {
    set_backup(world, arguments, false)
}

/// TCP does not retransmit the option that carries the change (MP_PRIO). The step repeats the
/// request until ss shows the change at both ends.
fn set_backup(world: &mut World, arguments: &Arguments, backup: bool) -> Result {
    let (actor, name) = (arguments.get("actor"), arguments.get("name"));
    let connection = world.names.subflow(name)?.connection.clone();
    let request = Request::new("set_backup").with("sock", &connection);
    let request = request.with("id", world.id(actor, name)?).with("backup", backup);
    if world.request(actor, request.clone(), arguments)?.is_none() {
        return Ok(());
    }
    let mut again = Instant::now() + Duration::from_millis(200);
    judge::soon(|| {
        if Instant::now() > again {
            world.done(actor, request.clone())?;
            again = Instant::now() + Duration::from_millis(200);
        }
        differs_from_backup(world, actor, &connection, name, backup)
    })
}

/// Why ss at either end does not show a subflow as backup of `actor`, or as a regular one.
fn differs_from_backup(
    world: &mut World,
    actor: &str,
    connection: &str,
    name: &str,
    backup: bool,
) -> Result<Option<String>> {
    let peer = if actor == "client" { "server" } else { "client" };
    for (end, letter) in [(actor, 'b'), (peer, 'B')] {
        let (token, ends) = (world.token(end, connection)?, world.names.subflow_ends(end, name)?);
        let flags = judge::find(world.namespace(end)?, token, ends).map(|found| found.flags);
        if flags.as_ref().is_none_or(|flags| flags.contains(letter) != backup) {
            return Ok(Some(format!("at the {end}, ss shows {flags:?}")));
        }
    }
    Ok(None)
}

/// The rights that an option of one subflow requires, which root of a user namespace does not have.
fn bpf_is_permitted(_: &mut World, _: &Arguments) -> Result {
    /// CAP_PERFMON and CAP_BPF, of <linux/capability.h>.
    const NEEDED: u64 = (1 << 38) | (1 << 39);
    let status = std::fs::read_to_string("/proc/thread-self/status")?;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let has = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    let map = std::fs::read_to_string("/proc/self/uid_map")?;
    let is_host = map.split_whitespace().eq(["0", "0", "4294967295"]);
    if is_host && has & NEEDED == NEEDED {
        return Ok(());
    }
    Err(StepError::Skipped("BPF programs require CAP_BPF and CAP_PERFMON of the host".to_owned()))
}

/// A request about a subflow that has a name.
fn about(world: &mut World, verb: &str, arguments: &Arguments) -> Result<Request> {
    let (actor, name) = (arguments.get("actor"), arguments.get("name"));
    let connection = world.names.subflow(name)?.connection.clone();
    Ok(Request::new(verb).with("sock", connection).with("id", world.id(actor, name)?))
}

/// An option of one subflow.
fn sets_option(world: &mut World, arguments: &Arguments) -> Result {
    let request = about(world, "set_option", arguments)?;
    let request = request.with("option", arguments.get("option"));
    let request = request.with("value", arguments.get("value"));
    world.request(arguments.get("actor"), request, arguments).map(drop)
}

fn reads_option(world: &mut World, arguments: &Arguments) -> Result {
    let request = about(world, "get_option", arguments)?.with("option", arguments.get("option"));
    world.request(arguments.get("actor"), request, arguments).map(drop)
}

fn reads_options(world: &mut World, arguments: &Arguments) -> Result {
    let request = about(world, "options", arguments)?;
    world.request(arguments.get("actor"), request, arguments).map(drop)
}

/// The mark by its numbers: SOL_SOCKET and SO_MARK.
fn raw_mark(world: &mut World, verb: &str, arguments: &Arguments) -> Result<Request> {
    Ok(about(world, verb, arguments)?.with("level", 1).with("number", 36))
}

fn sets_raw_mark(world: &mut World, arguments: &Arguments) -> Result {
    let request = raw_mark(world, "set_raw_option", arguments)?;
    let request = request.with("value", arguments.get("value"));
    world.request(arguments.get("actor"), request, arguments).map(drop)
}

fn reads_raw_mark(world: &mut World, arguments: &Arguments) -> Result {
    let request = raw_mark(world, "get_raw_option", arguments)?.with("length", 4);
    world.request(arguments.get("actor"), request, arguments).map(drop)
}

/// The kernel's own view at the client: this subflow has the mark, and no other has one.
fn shows_mark(world: &mut World, arguments: &Arguments) -> Result {
    let (name, mark) = (arguments.get("name"), arguments.get("mark"));
    let ends = world.names.subflow_ends("client", name)?;
    let token = world.token("client", &world.names.subflow(name)?.connection.clone())?;
    let namespace = world.namespace("client")?;
    let marked = judge::find(namespace, token, ends);
    let is_marked = |details: &str| details.contains(&format!("fwmark:{mark} "));
    let found = marked.is_some_and(|found| is_marked(&found.details));
    ensure(found, || format!("ss does not show the mark: {:?}", oracle::ss_subflows(namespace)))?;
    let all = oracle::ss_subflows(namespace);
    let count = all.iter().filter(|subflow| subflow.details.contains("fwmark:")).count();
    ensure(count == 1, || format!("ss shows {count} marks: {all:?}"))
}
