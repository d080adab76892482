//! Events, and announced addresses.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Instant;

use subflows_lab::{ignores_interfaces, traffic};

use super::Sentence;
use crate::arguments::Arguments;
use crate::ends::{Ends, ends_in};
use crate::judge::{self, SOON, soon};
use crate::protocol::{Fields, Request};
use crate::step_error::{Result, StepError, ensure, failed};
use crate::world::World;

pub(super) const SENTENCES: &[Sentence] = &[
    ("{actor} follows the events of {sock}", follows),
    ("{actor} follows the events of its namespace", follows_namespace),
    ("{actor} gets the event {kind} from {stream}", gets),
    ("{actor} gets the event {kind} of {name} from {stream}", gets_of),
    ("{actor} gets no further event from {stream}", gets_none),
    ("{actor} opens and closes {count} subflows of {sock} from path {number}", opens_and_closes),
    ("{actor} applies the events of {stream} and has the subflows of {connection}", applies),
    ("{actor} announces its address on path {number} for {sock}", announces),
    ("{actor} announces its address on path {number} with a port for {sock}", announces_with_port),
    ("{actor} withdraws {handle}", withdraws),
    ("{actor} turns away {count} connection(s) at {handle}", turns_away),
    ("{count} unrelated client(s) connect(s) to {handle}", unrelated_connect),
    ("no socket listens at {handle}", no_socket_listens),
    ("{actor} lists {count} address(es) of {sock}", lists_addresses),
    ("{actor} knows that the peer of {sock} announced its address on path {number}", knows_address),
];

fn follows(world: &mut World, arguments: &Arguments) -> Result {
    let name = if arguments.expected_error().is_some() { "none" } else { arguments.new_name()? };
    let request = Request::new("events").with("name", name).with("sock", arguments.get("sock"));
    world.request(arguments.get("actor"), request, arguments).map(drop)
}

fn follows_namespace(world: &mut World, arguments: &Arguments) -> Result {
    let name = if arguments.expected_error().is_some() { "none" } else { arguments.new_name()? };
    let request = Request::new("events").with("name", name);
    world.request(arguments.get("actor"), request, arguments).map(drop)
}

/// The next event, if one comes within this time.
fn next(world: &mut World, actor: &str, stream: &str, milliseconds: u128) -> Result<Fields> {
    let request = Request::new("events.next").with("handle", stream);
    world.done(actor, request.with("timeout_ms", milliseconds))
}

/// The next event for which the condition holds; others are skipped.
fn wait_for(
    world: &mut World,
    arguments: &Arguments,
    is_it: impl Fn(&Fields) -> bool,
) -> Result<Fields> {
    let (actor, stream) = (arguments.get("actor"), arguments.get("stream"));
    let deadline = Instant::now() + SOON;
    let mut skipped = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now()).as_millis();
        let event = next(world, actor, stream, left)?;
        if event.get("kind") == Some(arguments.get("kind")) && is_it(&event) {
            return Ok(event);
        }
        if event.get("kind").is_none() {
            return failed(format!("it did not come, only: {skipped:?}"));
        }
        skipped.push(event.to_string());
    }
}

/// The text after the colon contains values that the event must have, or a name for it.
fn check(world: &mut World, arguments: &Arguments, event: Fields) -> Result {
    for (name, expected) in arguments.expected_fields() {
        let is_so = event.get(name).unwrap_or("absent") == expected;
        ensure(is_so, || format!("expected {name}={expected}, got: {event}"))?;
    }
    if let Ok(name) = arguments.new_name() {
        world.names.answers.insert(name.to_owned(), event);
    }
    Ok(())
}

fn gets(world: &mut World, arguments: &Arguments) -> Result {
    if arguments.get("kind").starts_with("Listener") && subflows_lab::is_before(6, 2) {
        let why = "before Linux 6.2, the kernel reports no listeners";
        return Err(StepError::Skipped(why.to_owned()));
    }
    let event = wait_for(world, arguments, |_| true)?;
    check(world, arguments, event)
}

/// The event of a subflow or of a connection, which is found by the ends that ss shows.
fn gets_of(world: &mut World, arguments: &Arguments) -> Result {
    let (actor, name) = (arguments.get("actor"), arguments.get("name"));
    let ends = if world.names.connections.contains_key(name) {
        world.names.ends(actor, name)?
    } else {
        world.names.subflow_ends(actor, name)?
    };
    // Kernels that ignore the interface of a new subflow also ignore that it is a backup. The library sets
    // that afterwards, which is a further change of the priority.
    let is_repeated = arguments.get("kind") == "SubflowPriority" && ignores_interfaces();
    let event = wait_for(world, arguments, |event| {
        let mut expected = arguments.expected_fields();
        ends_in(event).is_ok_and(|found| found == ends)
            && (!is_repeated || expected.all(|(name, value)| event.get(name) == Some(value)))
    })?;
    check(world, arguments, event)
}

fn gets_none(world: &mut World, arguments: &Arguments) -> Result {
    let event = next(world, arguments.get("actor"), arguments.get("stream"), 0)?;
    ensure(event.get("kind").is_none(), || format!("it got: {event}"))
}

/// Causes more events than the kernel stores for a program that does not read them.
fn opens_and_closes(world: &mut World, arguments: &Arguments) -> Result {
    let (actor, sock) = (arguments.get("actor").to_owned(), arguments.get("sock").to_owned());
    let count: usize = arguments.value("count")?;
    let ip = world.names.family(&sock).client_ip(world.path(arguments.value("number")?)?);
    for _ in 0..count {
        let open = Request::new("open").with("sock", &sock).with("local", ip);
        let id: u32 = world.done(&actor, open)?.value("id")?;
        world.done(&actor, Request::new("close").with("sock", &sock).with("id", id))?;
    }
    Ok(())
}

/// A program that applies every event, also after a loss, has the subflows that ss shows. The text
/// after the colon names the subflows that were open when the stream began.
fn applies(world: &mut World, arguments: &Arguments) -> Result {
    let (actor, stream) = (arguments.get("actor"), arguments.get("stream"));
    let connection = arguments.get("connection").to_owned();
    let mut open = BTreeSet::<Ends>::new();
    for name in arguments.expected.split(", ") {
        open.insert(world.names.subflow_ends(actor, name)?);
    }
    let mut lost = 0;
    loop {
        let event = next(world, actor, stream, 300)?;
        match event.get("kind") {
            None => break,
            Some("Lost") => lost += 1,
            Some("SubflowEstablished") => drop(open.insert(ends_in(&event)?)),
            Some("SubflowClosed") => drop(open.remove(&ends_in(&event)?)),
            Some(_) => {}
        }
    }
    ensure(lost > 0, || "no event was lost".to_owned())?;
    let token = world.token(actor, &connection)?;
    let shown = judge::ends(world.namespace(actor)?, token);
    ensure(open == shown, || format!("by its events {open:?} are open, ss shows {shown:?}"))
}

fn announce(world: &mut World, arguments: &Arguments, port: Option<u16>) -> Result {
    let (actor, sock) = (arguments.get("actor"), arguments.get("sock"));
    let path = world.path(arguments.value("number")?)?;
    let family = world.names.family(sock);
    let ip = if actor == "server" { family.server_ip(path) } else { family.client_ip(path) };
    let name = if arguments.expected_error().is_some() { "none" } else { arguments.new_name()? };
    let request =
        Request::new("announce").with("sock", sock).with("name", name).with("address", ip);
    let request = match port {
        Some(port) => request.with("port", port),
        None => request,
    };
    if let Some(mut answer) = world.request(actor, request, arguments)? {
        // The address to which the peer connects.
        let address = answer.value::<SocketAddr>("address")?;
        answer.0.push(("remote".to_owned(), address.to_string()));
        world.names.answers.insert(name.to_owned(), answer);
    }
    Ok(())
}

fn announces(world: &mut World, arguments: &Arguments) -> Result {
    announce(world, arguments, None)
}

fn announces_with_port(world: &mut World, arguments: &Arguments) -> Result {
    announce(world, arguments, Some(0))
}

fn withdraws(world: &mut World, arguments: &Arguments) -> Result {
    let request = Request::new("announced.withdraw").with("handle", arguments.get("handle"));
    world.request(arguments.get("actor"), request, arguments).map(drop)
}

fn turns_away(world: &mut World, arguments: &Arguments) -> Result {
    let wanted: u64 = arguments.value("count")?;
    let mut away = 0;
    soon(|| {
        let request = Request::new("announced.turn_away").with("handle", arguments.get("handle"));
        away += world.done(arguments.get("actor"), request)?.value::<u64>("count")?;
        Ok((away < wanted).then(|| format!("it turned away {away}")))
    })?;
    ensure(away == wanted, || format!("it turned away {away}"))
}

/// By plain TCP and by Multipath TCP in turn. Each closes its connection at once.
fn unrelated_connect(world: &mut World, arguments: &Arguments) -> Result {
    let address: SocketAddr = world.names.answer(arguments.get("handle"))?.value("address")?;
    for number in 0..arguments.value::<usize>("count")? {
        let connect = traffic::Connect::new().timeout(SOON);
        let connect = if number % 2 == 0 { connect.plain_tcp() } else { connect };
        world.namespace("server")?.run(|| connect.to(address))?;
    }
    Ok(())
}

fn no_socket_listens(world: &mut World, arguments: &Arguments) -> Result {
    let address: SocketAddr = world.names.answer(arguments.get("handle"))?.value("address")?;
    let listeners = judge::listeners(world.namespace("client")?)?;
    ensure(!listeners.contains(&address), || format!("ss shows a listener at {address}"))
}

fn lists_addresses(world: &mut World, arguments: &Arguments) -> Result {
    let request = Request::new("addresses").with("sock", arguments.get("sock"));
    let known = world.done(arguments.get("actor"), request)?.list()?;
    ensure(known.len() == arguments.value::<usize>("count")?, || format!("it lists {known:?}"))
}

/// The peer announces its addresses one after the other.
fn knows_address(world: &mut World, arguments: &Arguments) -> Result {
    let family = world.names.family(arguments.get("sock"));
    let [v4, v6] = world.path(arguments.value("number")?)?.server_ips();
    let expected = if family.adds_v4() { v4 } else { v6 };
    let request = || Request::new("peer_addresses").with("sock", arguments.get("sock"));
    let mut found = None;
    soon(|| {
        let known = world.done(arguments.get("actor"), request())?.list()?;
        let is_it = |address: &&Fields| {
            address.value("remote").is_ok_and(|remote: SocketAddr| remote.ip() == expected)
        };
        found = known.iter().find(is_it).cloned();
        Ok(found.is_none().then(|| format!("it knows {known:?}")))
    })?;
    world.names.answers.extend(Some(arguments.new_name()?.to_owned()).zip(found));
    Ok(())
}
