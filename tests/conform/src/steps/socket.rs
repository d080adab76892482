//! Sockets: made, connected, accepted, used, closed.

use std::net::{IpAddr, SocketAddr};

use super::Sentence;
use crate::judge::soon;
use crate::place::Family;
use crate::protocol::{Fields, Request};
use crate::sentence::Words;
use crate::stage::{Door, Stage, expect};
use crate::trouble::{Result, ensure, failed};

pub(super) const SENTENCES: &[Sentence] = &[
    ("{actor} makes a socket over {family}", makes),
    ("{actor} makes a TCP socket over {family}", makes_tcp),
    ("{actor} listens over {family}", listens),
    ("{actor} listens everywhere over {family}", listens_everywhere),
    ("{actor} listens by TCP over {family}", listens_by_tcp),
    ("{actor} hears with {sock} over {family}", hears),
    ("{actor} binds {sock} to path {number}", binds),
    ("{actor} binds {sock} to nothing", leaves_unbound),
    ("{actor} connects over {family} {how...}", connects_over),
    ("{actor} connects to {door} {how...}", connects_to),
    ("{actor} dials {door} with {sock}", dials),
    ("{actor} begins to dial {door} with {sock}", begins_to_dial),
    ("{actor} is connected by {sock}", is_connected),
    ("{actor} accepts at {door}", accepts),
    ("{actor} takes control of {sock}", takes_control),
    ("{actor} upgrades {sock}", upgrades),
    ("{actor} shuts {sock} for {direction}", shuts),
    ("{actor} drops {sock}", drops),
    ("{link} ends", ends),
    ("{actor} sends {bytes} on {sock}", sends),
    ("{actor} receives {bytes} on {sock}", receives),
    ("a byte goes each way on {link}", bytes),
    ("{actor} sees the end of {sock}", sees_the_end),
    ("{actor} sets option {option} of {sock} to {value}", sets_option),
    ("{actor} reads option {option} of {sock}", reads_option),
    ("{actor} is given {link}", is_given),
    ("{actor} is told of {text...}", is_told),
];

fn with_family(verb: &str, words: &Words) -> Result<Request> {
    let family: Family = words.value("family")?;
    Ok(Request::new(verb).with("name", words.name()?).with("family", family.of_socket()))
}

fn makes(stage: &mut Stage, words: &Words) -> Result {
    make(stage, words, "socket")
}

fn makes_tcp(stage: &mut Stage, words: &Words) -> Result {
    make(stage, words, "tcp")
}

fn make(stage: &mut Stage, words: &Words, verb: &str) -> Result {
    stage.done(words.get("actor"), with_family(verb, words)?)?;
    stage.made.insert(words.name()?.to_owned(), words.value("family")?);
    Ok(())
}

/// Where an actor listens on the first path, and to what others connect.
fn place(stage: &Stage, actor: &str, family: Family) -> Result<(IpAddr, IpAddr)> {
    let path = stage.path(1)?;
    Ok(match actor {
        "server" => family.server(path),
        _ => (family.client_ip(path), family.client_ip(path)),
    })
}

fn listens(stage: &mut Stage, words: &Words) -> Result {
    let (actor, family) = (words.get("actor"), words.value("family")?);
    let (at, to) = place(stage, actor, family)?;
    listen(stage, actor, family, (at, to), words.name()?)
}

/// Only there can peers come to an address that is announced without a port.
fn listens_everywhere(stage: &mut Stage, words: &Words) -> Result {
    let (actor, family) = (words.get("actor"), words.value("family")?);
    let (_, to) = place(stage, actor, family)?;
    listen(stage, actor, family, (family.everywhere(), to), words.name()?)
}

fn listen(
    stage: &mut Stage,
    actor: &str,
    family: Family,
    (at, to): (IpAddr, IpAddr),
    name: &str,
) -> Result {
    let request = Request::new("listen").with("name", name);
    let told = stage.done(actor, request.with("at", SocketAddr::new(at, 0)))?;
    keep_door(stage, name, family, to, &told)
}

fn keep_door(stage: &mut Stage, name: &str, family: Family, to: IpAddr, told: &Fields) -> Result {
    let port = told.value::<SocketAddr>("local")?.port();
    let door = Door { address: SocketAddr::new(to, port), family };
    stage.doors.insert(name.to_owned(), door);
    Ok(())
}

fn listens_by_tcp(stage: &mut Stage, words: &Words) -> Result {
    let (actor, name) = (words.get("actor"), words.name()?);
    stage.done(actor, with_family("tcp", words)?)?;
    hear(stage, actor, words.value("family")?, name)
}

fn hears(stage: &mut Stage, words: &Words) -> Result {
    hear(stage, words.get("actor"), words.value("family")?, words.get("sock"))
}

/// Makes a socket listen by the language's own means.
fn hear(stage: &mut Stage, actor: &str, family: Family, sock: &str) -> Result {
    let (at, to) = place(stage, actor, family)?;
    let bind = Request::new("bind").with("sock", sock).with("to", SocketAddr::new(at, 0));
    let told = stage.done(actor, bind)?;
    stage.done(actor, Request::new("hear").with("sock", sock))?;
    keep_door(stage, sock, family, to, &told)
}

fn binds(stage: &mut Stage, words: &Words) -> Result {
    let (actor, sock) = (words.get("actor"), words.get("sock"));
    let path = stage.path(words.value("number")?)?;
    let family = stage.family(sock);
    let ip = if actor == "server" { family.server_ip(path) } else { family.client_ip(path) };
    let request = Request::new("bind").with("sock", sock).with("to", SocketAddr::new(ip, 0));
    stage.request(actor, request, words).map(drop)
}

/// What is chosen where others are bound.
fn leaves_unbound(_: &mut Stage, _: &Words) -> Result {
    Ok(())
}

/// A listener of the server's, a connection to it, and the same accepted.
fn connects_over(stage: &mut Stage, words: &Words) -> Result {
    let name = words.name()?;
    let door = format!("{name}'s-door");
    let family = words.value("family")?;
    let place = place(stage, "server", family)?;
    listen(stage, "server", family, place, &door)?;
    connect(stage, words, &door)?;
    accept(stage, "server", &door, name)
}

fn connects_to(stage: &mut Stage, words: &Words) -> Result {
    connect(stage, words, words.get("door"))
}

fn connect(stage: &mut Stage, words: &Words, door: &str) -> Result {
    let actor = words.get("actor");
    let door = find_door(stage, door)?;
    let name = if words.kind().is_some() { "none" } else { words.name()? };
    let mut request = Request::new("connect").with("name", name).with("to", door.address);
    for how in words.parts("how") {
        request = match how {
            "with control" if stage.has_control_anyway() => request,
            "with control" => request.with("control", true),
            "without control" => request,
            _ => return failed(format!("cannot connect {how}")),
        };
    }
    match stage.request(actor, request, words)? {
        Some(told) => stage.keep(actor, name, door.family, &told),
        None => Ok(()),
    }
}

fn find_door(stage: &Stage, name: &str) -> Result<Door> {
    match stage.doors.get(name) {
        Some(door) => Ok(door.clone()),
        None if name == "nobody" => {
            // A port at which nobody listens: the kernel chose it, and it is free again.
            let ip = Family::V4.server(stage.path(1)?).0;
            let bound = stage.net()?.server.run(|| std::net::TcpListener::bind((ip, 0)))?;
            Ok(Door { address: bound.local_addr()?, family: Family::V4 })
        }
        None => failed(format!("nobody listens at {name}")),
    }
}

fn dials(stage: &mut Stage, words: &Words) -> Result {
    let (actor, sock) = (words.get("actor"), words.get("sock"));
    let door = find_door(stage, words.get("door"))?;
    let request = Request::new("dial").with("sock", sock).with("to", door.address);
    match stage.request(actor, request, words)? {
        Some(told) => stage.keep(actor, sock, door.family, &told),
        None => Ok(()),
    }
}

fn begins_to_dial(stage: &mut Stage, words: &Words) -> Result {
    let (actor, sock) = (words.get("actor"), words.get("sock"));
    let door = find_door(stage, words.get("door"))?;
    let request = Request::new("dial").with("sock", sock).with("to", door.address);
    stage.done(actor, request.with("wait", false)).map(drop)
}

/// What was begun to be dialled is connected, by `status`.
fn is_connected(stage: &mut Stage, words: &Words) -> Result {
    let (actor, sock) = (words.get("actor"), words.get("sock"));
    soon(|| {
        let told = stage.done(actor, Request::new("status").with("sock", sock))?;
        Ok((told.get("state") != Some("Mptcp")).then(|| told.to_string()))
    })
}

fn accepts(stage: &mut Stage, words: &Words) -> Result {
    accept(stage, words.get("actor"), words.get("door"), words.name()?)
}

fn accept(stage: &mut Stage, actor: &str, door: &str, name: &str) -> Result {
    let family = find_door(stage, door)?.family;
    let told = stage.done(actor, Request::new("accept").with("sock", door).with("name", name))?;
    stage.keep(actor, name, family, &told)
}

fn about(verb: &str, words: &Words) -> Request {
    Request::new(verb).with("sock", words.get("sock"))
}

fn takes_control(stage: &mut Stage, words: &Words) -> Result {
    stage.request(words.get("actor"), about("take_control", words), words).map(drop)
}

fn upgrades(stage: &mut Stage, words: &Words) -> Result {
    stage.request(words.get("actor"), about("upgrade", words), words).map(drop)
}

fn shuts(stage: &mut Stage, words: &Words) -> Result {
    let how = if words.get("direction") == "writing" { "write" } else { "read" };
    stage.done(words.get("actor"), about("shutdown", words).with("how", how)).map(drop)
}

fn drops(stage: &mut Stage, words: &Words) -> Result {
    let request = Request::new("drop").with("name", words.get("sock"));
    stage.done(words.get("actor"), request).map(drop)
}

/// Behind the colon: how.
fn ends(stage: &mut Stage, words: &Words) -> Result {
    let link = words.get("link").to_owned();
    let shut = Request::new("shutdown").with("sock", &link).with("how", "write");
    match words.expected.as_str() {
        "both shut it" => {
            for actor in ["client", "server"] {
                stage.done(actor, shut.clone())?;
            }
            Ok(())
        }
        "the server resets it" => {
            // By what is left unread.
            stage.done("client", Request::new("send").with("sock", &link).with("bytes", 1))?;
            arrived(stage, &link)?;
            stage.done("server", Request::new("drop").with("name", &link)).map(drop)
        }
        "its last path is closed" => {
            let id = stage.id("client", &format!("{link}'s initial"))?;
            let request = Request::new("force_close").with("sock", &link).with("id", id);
            stage.done("client", request).map(drop)
        }
        how => failed(format!("nothing ends by that {how}")),
    }
}

/// Soon ss shows at the server something that was received and not read.
fn arrived(stage: &Stage, link: &str) -> Result {
    let ends = stage.ends("server", link)?;
    let namespace = stage.namespace("server")?;
    soon(|| {
        let unread = crate::judge::unread(namespace, ends);
        Ok((unread == 0).then(|| "nothing has arrived".to_owned()))
    })
}

fn sends(stage: &mut Stage, words: &Words) -> Result {
    let request = about("send", words).with("bytes", words.get("bytes"));
    stage.request(words.get("actor"), request, words).map(drop)
}

fn receives(stage: &mut Stage, words: &Words) -> Result {
    let bytes: u64 = words.value("bytes")?;
    let told = stage.done(words.get("actor"), about("receive", words).with("bytes", bytes))?;
    ensure(told.value::<u64>("bytes")? == bytes, || told.to_string())
}

fn bytes(stage: &mut Stage, words: &Words) -> Result {
    let link = words.get("link");
    for (from, to) in [("client", "server"), ("server", "client")] {
        stage.done(from, Request::new("send").with("sock", link).with("bytes", 1))?;
        let request = Request::new("receive").with("sock", link).with("bytes", 1);
        let told = stage.done(to, request)?;
        ensure(told.value("bytes") == Ok(1), || format!("nothing came to the {to}: {told}"))?;
    }
    Ok(())
}

fn sees_the_end(stage: &mut Stage, words: &Words) -> Result {
    let told = stage.done(words.get("actor"), about("receive", words).with("bytes", 1))?;
    ensure(told.value("bytes") == Ok(0), || format!("it is not over: {told}"))
}

/// The level and the number of an option, from <asm-generic/socket.h> and <linux/tcp.h>.
fn option(request: Request, words: &Words) -> Result<Request> {
    let (level, option) = match words.get("option") {
        "SO_KEEPALIVE" => (1, 9),
        "SO_MARK" => (1, 36),
        "SO_PROTOCOL" => (1, 38),
        "TCP_NODELAY" => (6, 1),
        "TCP_KEEPIDLE" => (6, 4),
        "TCP_IS_MPTCP" => (6, 43),
        "IPV6_V6ONLY" => (41, 26),
        "TCP_REPAIR" => (6, 19),
        "TCP_MD5SIG_EXT" => (6, 32),
        "TCP_FASTOPEN_CONNECT" => (6, 30),
        name => return failed(format!("the number of {name} is not known here")),
    };
    Ok(request.with("level", level).with("option", option))
}

fn sets_option(stage: &mut Stage, words: &Words) -> Result {
    let request = option(about("set_option", words), words)?;
    let request = request.with("value", words.get("value"));
    stage.done(words.get("actor"), request).map(drop)
}

fn reads_option(stage: &mut Stage, words: &Words) -> Result {
    let request = option(about("get_option", words), words)?;
    stage.request(words.get("actor"), request, words).map(drop)
}

fn is_given(stage: &mut Stage, words: &Words) -> Result {
    stage.give(words.get("link"), words.get("actor"))
}

/// The remedy of the last error names it.
fn is_told(stage: &mut Stage, words: &Words) -> Result {
    let (answer, _) = stage.ask(words.get("actor"), Request::new("remedy"))?;
    let told = expect(answer, &Words::default())?.unwrap_or_default();
    let remedy: String = told.value("remedy")?;
    ensure(remedy.contains(words.get("text")), || format!("the remedy is: {remedy}"))
}
