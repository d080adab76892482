//! What a socket is, and what each verb does to it then.

use super::Sentence;
use crate::judge::{self, soon};
use crate::protocol::{Answer, Fields, Request};
use crate::sentence::Words;
use crate::stage::Stage;
use crate::trouble::{Result, Trouble, ensure, failed};

pub(super) const SENTENCES: &[Sentence] = &[
    ("{actor} sees {sock} as {what...}", sees),
    ("{actor} soon sees {sock} as {what...}", soon_sees),
    ("{actor} asks {sock}", asks),
    ("{actor} asks for the connections", connections),
    ("{actor} finds {link} among the connections", finds),
    ("{actor} finds no connection", finds_none),
    ("{actor} can {capability}", can),
    ("{actor} cannot {capability}", cannot),
];

fn status(stage: &mut Stage, actor: &str, sock: &str) -> Result<Fields> {
    stage.done(actor, Request::new("status").with("sock", sock))
}

/// Such as `Mptcp, ready, Userspace`: the state, whether it is ready, and who manages its paths
/// (`Unknown` where that is not said). ss must know the token that it tells.
fn sees(stage: &mut Stage, words: &Words) -> Result {
    let told = status(stage, words.get("actor"), words.get("sock"))?;
    match against(&told, words) {
        None => token(stage, words, &told),
        Some(why) => failed(why),
    }
}

fn soon_sees(stage: &mut Stage, words: &Words) -> Result {
    soon(|| Ok(against(&status(stage, words.get("actor"), words.get("sock"))?, words)))?;
    sees(stage, words)
}

/// Why it is not what is expected.
fn against(told: &Fields, words: &Words) -> Option<String> {
    let what: Vec<_> = words.parts("what").collect();
    let manager = what.iter().find(|what| ["Kernel", "Userspace"].contains(what));
    let has_token = matches!(what[0], "Connecting" | "Mptcp");
    let is_so = told.get("state") == Some(what[0])
        && told.get("is_ready") == Some(if what.contains(&"ready") { "true" } else { "false" })
        && told.get("path_manager") == Some(manager.unwrap_or(&"Unknown"))
        && told.get("token").is_some() == has_token;
    (!is_so).then(|| told.to_string())
}

fn token(stage: &Stage, words: &Words, told: &Fields) -> Result {
    let (actor, sock) = (words.get("actor"), words.get("sock"));
    if told.get("token").is_none() {
        return Ok(());
    }
    let token = told.value("token")?;
    // The stranger was given what lives at the client.
    let home = if actor == "stranger" { "client" } else { actor };
    let namespace = stage.namespace(home)?;
    ensure(judge::knows(namespace, token), || format!("ss -M knows no token {token:x}"))?;
    match stage.ends(actor, sock) {
        Ok(ends) => {
            let shown = judge::token(namespace, ends);
            ensure(shown == Some(token), || format!("ss -M shows the token {shown:x?}"))
        }
        Err(_) => Ok(()),
    }
}

/// What a verb is expected to come to: `ok`, a number of things, or a kind of error.
fn asks(stage: &mut Stage, words: &Words) -> Result {
    let (actor, sock) = (words.get("actor"), words.get("sock"));
    let before = status(stage, actor, sock)?;
    let mut missing = Vec::new();
    for item in words.expected.split(", ") {
        let Some((verb, expected)) = item.rsplit_once(' ') else {
            return failed(format!("say what {item} comes to"));
        };
        match ask(stage, actor, sock, verb) {
            Ok(answer) => came(verb, expected, &answer)?,
            Err(Trouble::NotOffered(verb)) => {
                missing.push(verb);
                continue;
            }
            Err(trouble) => return Err(trouble),
        }
        if !["take_control", "upgrade"].contains(&verb) {
            let after = status(stage, actor, sock)?;
            ensure(after == before, || format!("{verb} has changed something: {after}"))?;
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(Trouble::NotOffered(missing.join(", "))) }
}

fn came(verb: &str, expected: &str, answer: &Answer) -> Result {
    let is_so = match (answer, expected.parse::<usize>()) {
        (Answer::Ok(fields), Ok(count)) => {
            let told = fields.value::<usize>("count").or_else(|_| fields.value("subflows"));
            told? == count
        }
        (Answer::Ok(_), Err(_)) => expected == "ok",
        (Answer::Err(kind, _), _) => kind == expected,
    };
    ensure(is_so, || format!("{verb} does not come to {expected}, but: {answer}"))
}

/// Asks a verb with whatever arguments it needs; what works is undone.
fn ask(stage: &mut Stage, actor: &str, sock: &str, verb: &str) -> Result<Answer> {
    let about = |verb: &str| Request::new(verb).with("sock", sock);
    // Without a list there is no id to ask for; 1 is that of an initial subflow.
    let first = match stage.ask(actor, about("list"))?.0 {
        Answer::Ok(list) => list.value::<u32>("0.id").unwrap_or(1),
        Answer::Err(..) => 1,
    };
    let family = stage.family(sock);
    let path = stage.path(2)?;
    let local = if actor == "server" { family.server_ip(path) } else { family.client_ip(path) };
    let spare = stage.path(3).unwrap_or(path);
    let spare = if actor == "server" { family.server_ip(spare) } else { family.client_ip(spare) };
    let request = match verb {
        "details" | "close" => about(verb).with("id", first),
        "set_backup" => about(verb).with("id", first).with("yes", true),
        "details of none" | "close of none" | "force_close of none" => {
            about(verb.trim_end_matches(" of none")).with("id", u32::MAX)
        }
        "set_backup of none" => about("set_backup").with("id", u32::MAX).with("yes", true),
        "open" => about(verb).with("local", local).with("timeout_ms", 300),
        "announce" => about(verb).with("name", "tried").with("ip", spare),
        "events" => about(verb).with("name", "tried"),
        _ => about(verb),
    };
    let (answer, _) = stage.ask(actor, request)?;
    let Answer::Ok(fields) = &answer else { return Ok(answer) };
    let undo = match verb {
        "set_backup" => about(verb).with("id", first).with("yes", false),
        "open" => about("close").with("id", fields.value::<u32>("id")?),
        // A child has taken its handles with it.
        "announce" | "events" if stage.is_child => return Ok(answer),
        "announce" => Request::new("withdraw").with("handle", "tried"),
        "events" => Request::new("unfollow").with("handle", "tried"),
        _ => return Ok(answer),
    };
    stage.done(actor, undo)?;
    Ok(answer)
}

/// Behind the colon: how many there are, as ss counts them too.
fn connections(stage: &mut Stage, words: &Words) -> Result {
    let actor = words.get("actor");
    let told = stage.done(actor, Request::new("connections"))?.list()?;
    let shown = subflows_lab::oracle::ss_connections(stage.namespace(actor)?);
    let is_so = told.len().to_string() == words.expected && told.len() == shown.len();
    ensure(is_so, || format!("it has {}, ss {}", told.len(), shown.len()))
}

/// Both in the list and by its token, with the number of subflows behind the colon.
fn finds(stage: &mut Stage, words: &Words) -> Result {
    let (actor, link) = (words.get("actor"), words.get("link"));
    let (token, ends) = (stage.token(actor, link)?, stage.ends(actor, link)?);
    let of_all = stage.done(actor, Request::new("connections").with("subflows", true))?.list()?;
    let is_it = |told: &Fields| told.value::<u32>("token") == Ok(token);
    let Some(found) = of_all.iter().find(|told| is_it(told)) else {
        return failed(format!("{token:x} is not among them: {of_all:?}"));
    };
    ensure(crate::stage::ends_of(found)? == ends, || found.to_string())?;
    let count: String = found.value("subflows.count")?;
    ensure(count == words.expected, || format!("it has {count} subflows"))?;
    let (answer, _) = stage.ask(actor, Request::new("connection").with("token", token))?;
    let one = answer.done()?;
    ensure(crate::stage::ends_of(&one)? == ends, || one.to_string())
}

fn finds_none(stage: &mut Stage, words: &Words) -> Result {
    // No connection has the token 0.
    let request = Request::new("connection").with("token", 0);
    stage.request(words.get("actor"), request, words).map(drop)
}

fn capability(stage: &mut Stage, words: &Words) -> Result<Fields> {
    let (actor, name) = (words.get("actor"), words.get("capability"));
    let all = stage.done(actor, Request::new("capabilities"))?.list()?;
    let found = all.into_iter().find(|told| told.get("name") == Some(name));
    found.map_or_else(|| failed(format!("no capability is called {name}")), Ok)
}

fn can(stage: &mut Stage, words: &Words) -> Result {
    let told = capability(stage, words)?;
    ensure(told.get("is_available") == Some("true"), || told.to_string())
}

/// Each "no" has a remedy.
fn cannot(stage: &mut Stage, words: &Words) -> Result {
    let told = capability(stage, words)?;
    let is_so = told.get("is_available") == Some("false");
    let has_remedy = told.get("remedy").is_some_and(|remedy| !remedy.is_empty());
    ensure(is_so && has_remedy, || told.to_string())
}
