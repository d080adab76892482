//! The state of a socket, and the result of each operation in that state.

use super::Sentence;
use crate::arguments::Arguments;
use crate::ends::ends_in;
use crate::judge::{self, soon};
use crate::protocol::{Answer, Fields, Request};
use crate::step_error::{Result, StepError, ensure, failed};
use crate::world::World;

pub(super) const SENTENCES: &[Sentence] = &[
    ("{actor} sees {sock} as {what...}", sees),
    ("{actor} soon sees {sock} as {what...}", soon_sees),
    ("{actor} calls on {sock}", calls),
    ("{actor} knows whether the peer of {sock} denies joins", knows_denial),
    ("{actor} lists {count} connection(s)", lists_connections),
    ("{actor} finds {connection} with {count} subflow(s) among the connections", finds),
    ("{actor} looks up a token that no connection has", looks_up_unknown),
    ("capability {capability} is available to {actor}", available),
    ("capability {capability} is not available to {actor}", not_available),
];

fn status(world: &mut World, actor: &str, sock: &str) -> Result<Fields> {
    world.done(actor, Request::new("status").with("sock", sock))
}

/// The status, such as `Mptcp, ready, Userspace`: the state, whether the connection is ready for
/// additional subflows, and its path manager (`Unknown` if the step names none). ss must show the
/// same token.
fn sees(world: &mut World, arguments: &Arguments) -> Result {
    let answer = status(world, arguments.get("actor"), arguments.get("sock"))?;
    match difference(&answer, arguments) {
        None => token(world, arguments, &answer),
        Some(why) => failed(why),
    }
}

fn soon_sees(world: &mut World, arguments: &Arguments) -> Result {
    soon(|| {
        Ok(difference(&status(world, arguments.get("actor"), arguments.get("sock"))?, arguments))
    })?;
    sees(world, arguments)
}

/// Why the status differs from the expected one.
fn difference(answer: &Fields, arguments: &Arguments) -> Option<String> {
    let what: Vec<_> = arguments.parts("what").collect();
    let manager = what.iter().find(|what| ["Kernel", "Userspace"].contains(what));
    // Before Linux 6.10, the kernel shows it of a socket with a token alone, and to a privileged process.
    let has_token = matches!(what[0], "Connecting" | "Mptcp");
    let is_shown = has_token && arguments.get("actor") != "unprivileged";
    let manager = manager.filter(|_| is_shown || !subflows_lab::is_before(6, 10));
    let is_so = answer.get("state") == Some(what[0])
        && answer.get("is_ready") == Some(if what.contains(&"ready") { "true" } else { "false" })
        && answer.get("path_manager") == Some(manager.unwrap_or(&"Unknown"))
        && answer.get("token").is_some() == has_token;
    (!is_so).then(|| answer.to_string())
}

fn token(world: &World, arguments: &Arguments, answer: &Fields) -> Result {
    let (actor, sock) = (arguments.get("actor"), arguments.get("sock"));
    if answer.get("token").is_none() {
        return Ok(());
    }
    let token = answer.value("token")?;
    // The outsider has a socket of the client's namespace.
    let home = if actor == "outsider" { "client" } else { actor };
    let namespace = world.namespace(home)?;
    ensure(judge::knows(namespace, token), || format!("ss -M shows no token {token:x}"))?;
    match world.names.ends(actor, sock) {
        Ok(ends) => {
            let shown = judge::token(namespace, ends);
            ensure(shown == Some(token), || format!("ss -M shows the token {shown:x?}"))
        }
        Err(_) => Ok(()),
    }
}

/// What the status reports: `true`, `false`, or `nothing` if the process cannot know it.
fn knows_denial(world: &mut World, arguments: &Arguments) -> Result {
    let (actor, sock) = (arguments.get("actor"), arguments.get("sock"));
    let answer = status(world, actor, sock)?;
    // The command is a new process each time, which has not followed any connection. The broker shows a program
    // no events of the namespace.
    let follows_none = world.language.name == "command" || world.has_broker(actor);
    let expected = if follows_none { "nothing" } else { &arguments.expected };
    let known = answer.get("is_join_denied").unwrap_or("nothing");
    ensure(known == expected, || answer.to_string())
}

/// Calls operations one after the other. Each is followed by its expected result: `ok`, a number of
/// items, or a kind of error. What the kernel hides from `unprivileged` is `NotPermitted`.
fn calls(world: &mut World, arguments: &Arguments) -> Result {
    let (actor, sock) = (arguments.get("actor"), arguments.get("sock"));
    let before = status(world, actor, sock)?;
    let mut missing = Vec::new();
    for item in arguments.expected.split(", ") {
        let Some((verb, expected)) = item.rsplit_once(' ') else {
            return failed(format!("write the expected result after {item}"));
        };
        let is_hidden = actor == "unprivileged"
            && ["details", "addresses"].contains(&verb)
            && judge::hides_subflows(world.namespace("client")?)?;
        // Before Linux 6.5, the ids are those of the namespace's socket table.
        let is_elsewhere = actor == "outsider" && verb == "list" && subflows_lab::is_before(6, 5);
        let expected = match (is_hidden, is_elsewhere) {
            (true, _) => "NotPermitted",
            (_, true) => "OtherNamespace",
            _ => expected,
        };
        match call(world, actor, sock, verb) {
            Ok(answer) => check(verb, expected, &answer)?,
            Err(StepError::NotOffered(verb)) => {
                missing.push(verb);
                continue;
            }
            Err(error) => return Err(error),
        }
        if !["take_control", "upgrade"].contains(&verb) {
            let after = status(world, actor, sock)?;
            ensure(after == before, || format!("{verb} has changed the status: {after}"))?;
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(StepError::NotOffered(missing.join(", "))) }
}

fn check(verb: &str, expected: &str, answer: &Answer) -> Result {
    let is_so = match (answer, expected.parse::<usize>()) {
        (Answer::Ok(fields), Ok(count)) => {
            let answer = fields.value::<usize>("count").or_else(|_| fields.value("subflows"));
            answer? == count
        }
        (Answer::Ok(_), Err(_)) => expected == "ok",
        (Answer::Err(kind, _), _) => kind == expected,
    };
    ensure(is_so, || format!("{verb}: expected {expected}, got: {answer}"))
}

/// Calls an operation with the arguments that it requires, and undoes it if it succeeds.
fn call(world: &mut World, actor: &str, sock: &str, verb: &str) -> Result<Answer> {
    let about = |verb: &str| Request::new(verb).with("sock", sock);
    // 1 is the id of an initial subflow, for a socket that has no list.
    let first = match world.ask(actor, about("list"))?.0 {
        Answer::Ok(list) => list.value::<u32>("0.id").unwrap_or(1),
        Answer::Err(..) => 1,
    };
    let family = world.names.family(sock);
    let path = world.path(2)?;
    let local = if actor == "server" { family.server_ip(path) } else { family.client_ip(path) };
    let spare = world.path(3).unwrap_or(path);
    let spare = if actor == "server" { family.server_ip(spare) } else { family.client_ip(spare) };
    let request = match verb {
        "details" | "close" => about(verb).with("id", first),
        "set_backup" => about(verb).with("id", first).with("backup", true),
        "details of unknown" | "close of unknown" => {
            about(verb.trim_end_matches(" of unknown")).with("id", u32::MAX)
        }
        "forced close of unknown" => about("close").with("id", u32::MAX).with("force", true),
        "set_backup of unknown" => about("set_backup").with("id", u32::MAX).with("backup", true),
        "open" => about(verb).with("local", local).with("timeout_ms", 300),
        "announce" => about(verb).with("name", "tried").with("address", spare),
        "events" => about(verb).with("name", "tried"),
        _ => about(verb),
    };
    let (answer, _) = world.ask(actor, request)?;
    let Answer::Ok(fields) = &answer else { return Ok(answer) };
    let undo = match verb {
        "set_backup" => about(verb).with("id", first).with("backup", false),
        "open" => about("close").with("id", fields.value::<u32>("id")?),
        // The handles of a child ended with it.
        "announce" | "events" if world.is_child => return Ok(answer),
        "announce" => Request::new("announced.withdraw").with("handle", "tried"),
        "events" => Request::new("events.close").with("handle", "tried"),
        _ => return Ok(answer),
    };
    world.done(actor, undo)?;
    Ok(answer)
}

/// ss shows the same number of connections.
fn lists_connections(world: &mut World, arguments: &Arguments) -> Result {
    let actor = arguments.get("actor");
    let answer = world.done(actor, Request::new("connections"))?.list()?;
    let shown = subflows_lab::oracle::ss_connections(world.namespace(actor)?);
    let count: usize = arguments.value("count")?;
    let is_so = answer.len() == count && shown.len() == count;
    ensure(is_so, || format!("it lists {}, ss shows {}", answer.len(), shown.len()))
}

/// The connection is in the list, and is found by its token.
fn finds(world: &mut World, arguments: &Arguments) -> Result {
    let (actor, connection) = (arguments.get("actor"), arguments.get("connection"));
    let (token, ends) = (world.token(actor, connection)?, world.names.ends(actor, connection)?);
    let of_all = world.done(actor, Request::new("connections").with("subflows", true))?.list()?;
    let is_it = |answer: &Fields| answer.value::<u32>("token") == Ok(token);
    let Some(found) = of_all.iter().find(|answer| is_it(answer)) else {
        return failed(format!("the list does not contain the token {token:x}: {of_all:?}"));
    };
    ensure(ends_in(found)? == ends, || found.to_string())?;
    let count: usize = found.value("subflows.count")?;
    ensure(count == arguments.value::<usize>("count")?, || format!("it has {count} subflows"))?;
    let (answer, _) = world.ask(actor, Request::new("connection").with("token", token))?;
    let one = answer.done()?;
    ensure(ends_in(&one)? == ends, || one.to_string())
}

fn looks_up_unknown(world: &mut World, arguments: &Arguments) -> Result {
    // No connection has the token 0.
    let request = Request::new("connection").with("token", 0);
    world.request(arguments.get("actor"), request, arguments).map(drop)
}

fn capability(world: &mut World, arguments: &Arguments) -> Result<Fields> {
    let (actor, name) = (arguments.get("actor"), arguments.get("capability"));
    let all = world.done(actor, Request::new("capabilities"))?.list()?;
    let found = all.into_iter().find(|answer| answer.get("name") == Some(name));
    found.map_or_else(|| failed(format!("no capability has the name {name}")), Ok)
}

fn available(world: &mut World, arguments: &Arguments) -> Result {
    let answer = capability(world, arguments)?;
    ensure(answer.get("is_available") == Some("true"), || answer.to_string())
}

/// A capability that is not available has a remedy.
fn not_available(world: &mut World, arguments: &Arguments) -> Result {
    let answer = capability(world, arguments)?;
    let is_so = answer.get("is_available") == Some("false");
    let has_remedy = answer.get("remedy").is_some_and(|remedy| !remedy.is_empty());
    ensure(is_so && has_remedy, || answer.to_string())
}
