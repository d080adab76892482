//! What is told as it happens, and addresses that peers are told of.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Instant;

use subflows_lab::traffic;

use super::Sentence;
use crate::judge::{self, SOON, soon};
use crate::place::Ends;
use crate::protocol::{Fields, Request};
use crate::sentence::Words;
use crate::stage::{Stage, ends_of};
use crate::trouble::{Result, ensure, failed};

pub(super) const SENTENCES: &[Sentence] = &[
    ("{actor} follows {sock}", follows),
    ("{actor} follows everything", follows_everything),
    ("{actor} hears {kind} from {ear}", hears),
    ("{actor} hears {kind} of {name} from {ear}", hears_of),
    ("{actor} hears nothing more from {ear}", hears_nothing),
    ("{actor} opens and closes {count} times {sock} from path {number}", churns),
    ("what {actor} hears from {ear} of {link} is what ss shows", believes),
    ("{actor} announces path {number} on {sock}", announces),
    ("{actor} announces path {number} on {sock} with a port", announces_with_port),
    ("{actor} withdraws {handle}", withdraws),
    ("{actor} turns away {count} at {handle}", turns_away),
    ("{count} strangers knock at {handle}", strangers_knock),
    ("nobody listens at {handle}", nobody_listens),
    ("{actor} knows {count} addresses on {sock}", knows_addresses),
];

fn follows(stage: &mut Stage, words: &Words) -> Result {
    let name = if words.kind().is_some() { "none" } else { words.name()? };
    let request = Request::new("events").with("name", name).with("sock", words.get("sock"));
    stage.request(words.get("actor"), request, words).map(drop)
}

fn follows_everything(stage: &mut Stage, words: &Words) -> Result {
    let name = if words.kind().is_some() { "none" } else { words.name()? };
    let request = Request::new("events").with("name", name);
    stage.request(words.get("actor"), request, words).map(drop)
}

/// The next event, if one comes in time.
fn next(stage: &mut Stage, actor: &str, ear: &str, milliseconds: u128) -> Result<Fields> {
    let request = Request::new("next").with("handle", ear);
    stage.done(actor, request.with("timeout_ms", milliseconds))
}

/// The next event for which it holds; others are passed over.
fn hear(stage: &mut Stage, words: &Words, is_it: impl Fn(&Fields) -> bool) -> Result<Fields> {
    let (actor, ear) = (words.get("actor"), words.get("ear"));
    let deadline = Instant::now() + SOON;
    let mut passed = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now()).as_millis();
        let event = next(stage, actor, ear, left)?;
        if event.get("kind") == Some(words.get("kind")) && is_it(&event) {
            return Ok(event);
        }
        if event.get("kind").is_none() {
            return failed(format!("it did not come, but: {passed:?}"));
        }
        passed.push(event.to_string());
    }
}

/// Behind the colon: values that it must have, or the name that it gets.
fn heard(stage: &mut Stage, words: &Words, event: Fields) -> Result {
    for (name, expected) in words.fields() {
        let is_so = event.get(name).unwrap_or("absent") == expected;
        ensure(is_so, || format!("{name} is not {expected} in: {event}"))?;
    }
    if let Ok(name) = words.name() {
        stage.told.insert(name.to_owned(), event);
    }
    Ok(())
}

fn hears(stage: &mut Stage, words: &Words) -> Result {
    let event = hear(stage, words, |_| true)?;
    heard(stage, words, event)
}

/// Of a subflow or of a whole connection, by the ends that ss has.
fn hears_of(stage: &mut Stage, words: &Words) -> Result {
    let (actor, name) = (words.get("actor"), words.get("name"));
    let ends = match stage.links.contains_key(name) {
        true => stage.ends(actor, name)?,
        false => stage.seen(actor, name)?,
    };
    let event = hear(stage, words, |event| ends_of(event).is_ok_and(|told| told == ends))?;
    heard(stage, words, event)
}

fn hears_nothing(stage: &mut Stage, words: &Words) -> Result {
    let event = next(stage, words.get("actor"), words.get("ear"), 0)?;
    ensure(event.get("kind").is_none(), || format!("it hears: {event}"))
}

/// More events than the kernel keeps for one who does not read.
fn churns(stage: &mut Stage, words: &Words) -> Result {
    let (actor, sock) = (words.get("actor").to_owned(), words.get("sock").to_owned());
    let count: usize = words.value("count")?;
    let ip = stage.family(&sock).client_ip(stage.path(words.value("number")?)?);
    for _ in 0..count {
        let open = Request::new("open").with("sock", &sock).with("local", ip);
        let id: u32 = stage.done(&actor, open)?.value("id")?;
        stage.done(&actor, Request::new("close").with("sock", &sock).with("id", id))?;
    }
    Ok(())
}

/// Who takes events at their word, from a loss on, has what ss has. Behind the colon: the subflows
/// that were there when it began to listen.
fn believes(stage: &mut Stage, words: &Words) -> Result {
    let (actor, ear) = (words.get("actor"), words.get("ear"));
    let link = words.get("link").to_owned();
    let mut open = BTreeSet::<Ends>::new();
    for name in words.expected.split(", ") {
        open.insert(stage.seen(actor, name)?);
    }
    let mut lost = 0;
    loop {
        let event = next(stage, actor, ear, 300)?;
        match event.get("kind") {
            None => break,
            Some("Lost") => lost += 1,
            Some("SubflowEstablished") => drop(open.insert(ends_of(&event)?)),
            Some("SubflowClosed") => drop(open.remove(&ends_of(&event)?)),
            Some(_) => {}
        }
    }
    ensure(lost > 0, || "nothing was lost".to_owned())?;
    let shown = judge::ends(stage.namespace(actor)?, stage.token(actor, &link)?);
    ensure(open == shown, || format!("it believes in {open:?}; ss has {shown:?}"))
}

fn announce(stage: &mut Stage, words: &Words, port: Option<u16>) -> Result {
    let (actor, sock) = (words.get("actor"), words.get("sock"));
    let path = stage.path(words.value("number")?)?;
    let family = stage.family(sock);
    let ip = if actor == "server" { family.server_ip(path) } else { family.client_ip(path) };
    let name = if words.kind().is_some() { "none" } else { words.name()? };
    let request = Request::new("announce").with("sock", sock).with("name", name).with("ip", ip);
    let request = match port {
        Some(port) => request.with("port", port),
        None => request,
    };
    if let Some(mut told) = stage.request(actor, request, words)? {
        // Where a peer is told to come to.
        let address = told.value::<SocketAddr>("address")?;
        told.0.push(("remote".to_owned(), address.to_string()));
        stage.told.insert(name.to_owned(), told);
    }
    Ok(())
}

fn announces(stage: &mut Stage, words: &Words) -> Result {
    announce(stage, words, None)
}

fn announces_with_port(stage: &mut Stage, words: &Words) -> Result {
    announce(stage, words, Some(0))
}

fn withdraws(stage: &mut Stage, words: &Words) -> Result {
    let request = Request::new("withdraw").with("handle", words.get("handle"));
    stage.request(words.get("actor"), request, words).map(drop)
}

fn turns_away(stage: &mut Stage, words: &Words) -> Result {
    let wanted: u64 = words.value("count")?;
    let mut away = 0;
    soon(|| {
        let request = Request::new("turn_away").with("handle", words.get("handle"));
        away += stage.done(words.get("actor"), request)?.value::<u64>("count")?;
        Ok((away < wanted).then(|| format!("{away} were turned away")))
    })?;
    ensure(away == wanted, || format!("{away} were turned away"))
}

/// By plain TCP and by Multipath TCP in turn. They are gone when they have knocked.
fn strangers_knock(stage: &mut Stage, words: &Words) -> Result {
    let address: SocketAddr = stage.told(words.get("handle"))?.value("address")?;
    for number in 0..words.value::<usize>("count")? {
        let connect = traffic::Connect::new().timeout(SOON);
        let connect = if number % 2 == 0 { connect.plain_tcp() } else { connect };
        stage.namespace("server")?.run(|| connect.to(address))?;
    }
    Ok(())
}

fn nobody_listens(stage: &mut Stage, words: &Words) -> Result {
    let address: SocketAddr = stage.told(words.get("handle"))?.value("address")?;
    let listeners = judge::listeners(stage.namespace("client")?)?;
    ensure(!listeners.contains(&address), || format!("ss shows one at {address}"))
}

fn knows_addresses(stage: &mut Stage, words: &Words) -> Result {
    let request = Request::new("addresses").with("sock", words.get("sock"));
    let known = stage.done(words.get("actor"), request)?.list()?;
    ensure(known.len() == words.value::<usize>("count")?, || format!("it knows {known:?}"))
}
