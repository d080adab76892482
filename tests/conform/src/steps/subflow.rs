//! Subflows: opened, closed, turned into backups.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use subflows_lab::oracle;

use super::Sentence;
use crate::judge;
use crate::place::Family;
use crate::protocol::{Fields, Request};
use crate::sentence::Words;
use crate::stage::{Stage, ends_of, expect};
use crate::trouble::{Result, ensure, failed};

pub(super) const SENTENCES: &[Sentence] = &[
    ("{actor} opens {sock} {how...}", opens),
    ("{actor} opens {count} times {sock} {how...}", opens_many),
    ("{actor} begins to open {sock} {how...}", begins),
    ("{actor} is still opening", is_still_opening),
    ("{actor} has opened", has_opened),
    ("{actor} closes {name}", closes),
    ("{actor} closes subflow {id} of {sock}", closes_id),
    ("{actor} force-closes {name}", force_closes),
    ("{actor} makes {name} a backup", makes_backup),
    ("{actor} makes {name} no backup", makes_no_backup),
];

/// By how much a busy machine may be late.
const LATE: Duration = Duration::from_millis(1500);
/// How long `open` tries where nothing else is said.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// What `open` is asked for.
fn request(stage: &Stage, words: &Words) -> Result<Request> {
    let (actor, sock) = (words.get("actor"), words.get("sock"));
    let family = stage.family(sock);
    let mut request = Request::new("open").with("sock", sock);
    let mut has_remote = false;
    for how in words.parts("how") {
        let parts: Vec<&str> = how.split(' ').collect();
        request = match parts[..] {
            ["from", "path", number] => request.with("local", local(stage, actor, family, number)?),
            ["from", "the", "family", ip] | ["from", ip] => request.with("local", ip),
            ["by", "interface", name] => request.with("interface", name),
            ["by", "the", "interface", "of", "path", number] => {
                request.with("interface", &stage.path(place(number)?)?.client_interface)
            }
            ["as", "backup"] => request.with("backup", true),
            ["unbound"] => request.with("unbound", true),
            ["within", time, "ms"] => request.with("timeout_ms", time),
            ["port", "of", name] => request.with("local_port", stage.seen(actor, name)?.0.port()),
            ["to", ref to @ ..] => {
                has_remote = true;
                request.with("remote", remote(stage, family, to)?)
            }
            _ => return failed(format!("cannot open {how}")),
        };
    }
    // Its peer's address is IPv6; port 0 stands for the one that was connected to.
    if family == Family::V4OnV6 && !has_remote && actor == "client" {
        let server = stage.path(1)?.server_v4;
        request = request.with("remote", SocketAddr::from((server, 0)));
    }
    Ok(request)
}

pub(super) fn place(number: &str) -> Result<usize> {
    number.parse().or_else(|_| failed(format!("{number} is no number of a path")))
}

fn local(stage: &Stage, actor: &str, family: Family, number: &str) -> Result<IpAddr> {
    let path = stage.path(place(number)?)?;
    Ok(if actor == "server" { family.server_ip(path) } else { family.client_ip(path) })
}

fn remote(stage: &Stage, family: Family, to: &[&str]) -> Result<SocketAddr> {
    let server = family.server_ip(stage.path(1)?);
    Ok(match to {
        ["a", "closed", "port"] => {
            let bind = || std::net::TcpListener::bind((server, 0))?.local_addr();
            stage.net()?.server.run(bind)?
        }
        ["nowhere"] => SocketAddr::new(family.nowhere(), 0),
        ["path", number] => SocketAddr::new(family.server_ip(stage.path(place(number)?)?), 0),
        ["v4", "of", "path", number] => {
            SocketAddr::from((stage.path(place(number)?)?.server_v4, 0))
        }
        ["v6", "of", "path", number] => {
            SocketAddr::from((stage.path(place(number)?)?.server_v6, 0))
        }
        ["door", name] => match stage.doors.get(*name) {
            Some(door) => SocketAddr::new(server, door.address.port()),
            None => return failed(format!("nobody listens at {name}")),
        },
        [name] if stage.told.contains_key(*name) => stage.told(name)?.value("remote")?,
        [ip] => match ip.parse() {
            Ok(ip) => SocketAddr::new(ip, 0),
            Err(_) => return failed(format!("{ip} is no address")),
        },
        _ => return failed(format!("cannot open to {}", to.join(" "))),
    })
}

impl Stage {
    /// Something that was told, by its name.
    pub fn told(&self, name: &str) -> Result<&Fields> {
        let found = self.told.get(name);
        found.map_or_else(|| failed(format!("nothing told is called {name}")), Ok)
    }
}

/// What works is usable by ss when the answer comes; what fails leaves nothing behind, and takes no
/// longer than it may.
fn opens(stage: &mut Stage, words: &Words) -> Result {
    let (actor, link) = (words.get("actor").to_owned(), words.get("sock").to_owned());
    let request = request(stage, words)?;
    let Some(kind) = words.kind() else {
        let told = stage.done(&actor, request)?;
        return opened(stage, &actor, &link, words.name()?, &told);
    };
    let timeout = request.get("timeout_ms").and_then(|time| time.parse().ok());
    let timeout = timeout.map_or(DEFAULT_TIMEOUT, Duration::from_millis);
    let token = stage.token(&actor, &link).ok();
    let shown = |stage: &Stage| -> Result<_> {
        let namespace = stage.namespace(&actor)?;
        Ok(token.map(|token| judge::ends(namespace, token)))
    };
    let before = shown(stage)?;
    let (answer, elapsed) = stage.ask(&actor, request)?;
    let after = shown(stage)?;
    expect(answer, words)?;
    ensure(after == before, || format!("it left something: ss has {after:?}"))?;
    ensure(elapsed < timeout + LATE, || format!("it took {elapsed:?}"))?;
    let is_early = kind == "TimedOut" && elapsed < timeout;
    ensure(!is_early, || format!("it gave up after {elapsed:?}"))
}

/// ss shows it, joined, at the end that opened it, and it gets its name.
fn opened(stage: &mut Stage, actor: &str, link: &str, name: &str, told: &Fields) -> Result {
    stage.name(name, actor, link, told)?;
    let token = stage.token(actor, link)?;
    let namespace = stage.namespace(actor)?;
    let found = judge::find(namespace, token, ends_of(told)?);
    match found {
        Some(found) if found.state == "ESTAB" && found.flags.contains('e') => Ok(()),
        Some(found) => failed(format!("ss shows it as {} {}", found.state, found.flags)),
        None => failed(format!("ss shows only {:?}", oracle::ss_subflows(namespace))),
    }
}

fn opens_many(stage: &mut Stage, words: &Words) -> Result {
    let (actor, link) = (words.get("actor").to_owned(), words.get("sock").to_owned());
    let count: usize = words.value("count")?;
    let request = request(stage, words)?;
    for number in 1..=count {
        let told = stage.done(&actor, request.clone())?;
        opened(stage, &actor, &link, &format!("{}{number}", words.name()?), &told)?;
    }
    Ok(())
}

fn begins(stage: &mut Stage, words: &Words) -> Result {
    let request = request(stage, words)?;
    stage.begin(words.get("actor"), &request, words.get("sock"))
}

/// No answer came, though ss may show that much is on its way; none shows it as joined.
fn is_still_opening(stage: &mut Stage, words: &Words) -> Result {
    let is_busy = stage.driver(words.get("actor"))?.is_busy();
    ensure(is_busy, || "it was reported before it was joined".to_owned())
}

fn has_opened(stage: &mut Stage, words: &Words) -> Result {
    let actor = words.get("actor").to_owned();
    let Some(link) = stage.begun.remove(&actor) else { return failed("nothing was begun") };
    let answer = stage.driver(&actor)?.receive()?;
    if let Some((_, came)) = &mut stage.last {
        *came = answer.to_string();
    }
    match expect(answer, words)? {
        Some(told) => opened(stage, &actor, &link, words.name()?, &told),
        None => Ok(()),
    }
}

/// What was closed is at once in nobody's list.
fn closes(stage: &mut Stage, words: &Words) -> Result {
    close(stage, words, "close")
}

fn force_closes(stage: &mut Stage, words: &Words) -> Result {
    close(stage, words, "force_close")
}

fn close(stage: &mut Stage, words: &Words, verb: &str) -> Result {
    let (actor, name) = (words.get("actor"), words.get("name"));
    let link = stage.subflow(name)?.link.clone();
    let request = Request::new(verb).with("sock", &link).with("id", stage.id(actor, name)?);
    if stage.request(actor, request, words)?.is_none() {
        return Ok(());
    }
    let ends = stage.seen(actor, name)?;
    let listed = stage.listed(actor, &link)?;
    for listed in &listed {
        ensure(ends_of(listed)? != ends, || format!("{actor} still lists it: {listed}"))?;
    }
    let shown = judge::find(stage.namespace(actor)?, stage.token(actor, &link)?, ends);
    ensure(shown.is_none(), || format!("ss still shows it: {shown:?}"))
}

fn closes_id(stage: &mut Stage, words: &Words) -> Result {
    let sock = words.get("sock");
    let request = Request::new("close").with("sock", sock).with("id", words.get("id"));
    stage.request(words.get("actor"), request, words).map(drop)
}

fn makes_backup(stage: &mut Stage, words: &Words) -> Result {
    set_backup(stage, words, true)
}

fn makes_no_backup(stage: &mut Stage, words: &Words) -> Result {
    set_backup(stage, words, false)
}

/// The peer is told by an option that nobody sends again when it is lost: so it is said again
/// until ss shows it at both ends.
fn set_backup(stage: &mut Stage, words: &Words, yes: bool) -> Result {
    let (actor, name) = (words.get("actor"), words.get("name"));
    let link = stage.subflow(name)?.link.clone();
    let request = Request::new("set_backup").with("sock", &link);
    let request = request.with("id", stage.id(actor, name)?).with("yes", yes);
    if stage.request(actor, request.clone(), words)?.is_none() {
        return Ok(());
    }
    let peer = if actor == "client" { "server" } else { "client" };
    let mut again = Instant::now() + Duration::from_millis(200);
    judge::soon(|| {
        if Instant::now() > again {
            stage.done(actor, request.clone())?;
            again = Instant::now() + Duration::from_millis(200);
        }
        let mut wrong = None;
        for (actor, letter) in [(actor, 'b'), (peer, 'B')] {
            let (token, ends) = (stage.token(actor, &link)?, stage.seen(actor, name)?);
            let flags = judge::find(stage.namespace(actor)?, token, ends).map(|found| found.flags);
            if flags.as_ref().is_none_or(|flags| flags.contains(letter) != yes) {
                wrong = Some(format!("at the {actor} ss shows {flags:?}"));
            }
        }
        Ok(wrong)
    })
}
