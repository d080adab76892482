//! Creates, connects, uses and closes sockets.

use std::net::{IpAddr, SocketAddr};

use subflows_lab::is_before;

use super::Sentence;
use crate::arguments::Arguments;
use crate::family::Family;
use crate::judge::soon;
use crate::names::Listener;
use crate::protocol::{Fields, Request};
use crate::step_error::{Result, ensure, failed};
use crate::world::{World, compare};

pub(super) const SENTENCES: &[Sentence] = &[
    ("{actor} creates a socket over {family}", creates),
    ("{actor} creates a TCP socket over {family}", creates_tcp),
    ("{actor} listens over {family}", listens),
    ("{actor} listens on every address over {family}", listens_on_every_address),
    ("{actor} listens by plain TCP over {family}", listens_by_tcp),
    ("{actor} listens on the socket {sock} over {family}", listens_on),
    ("{actor} binds {sock} to path {number}", binds),
    ("{actor} leaves {sock} unbound", leaves_unbound),
    ("{actor} connects over {family} {how...}", connects_over),
    ("{actor} connects to {listener} {how...}", connects_to),
    ("{actor} connects the socket {sock} to {listener}", connects_socket),
    ("{actor} starts to connect the socket {sock} to {listener}", starts_to_connect),
    ("{sock} becomes connected at the {actor}", becomes_connected),
    ("{actor} accepts from {listener}", accepts),
    ("{actor} takes control of {sock}", takes_control),
    ("{actor} upgrades {sock}", upgrades),
    ("{actor} shuts down {sock} for {direction}", shuts_down),
    ("{actor} closes the socket {sock}", closes),
    ("{connection} ends", ends),
    ("a byte goes each way on {connection}", bytes),
    ("{actor} reads the end of {sock}", reads_end),
    ("{actor} sets option {option} of {sock} to {value}", sets_option),
    ("{actor} reads option {option} of {sock}", reads_option),
    ("{actor} receives the socket {connection}", receives_socket),
    ("the remedy for {actor} mentions {text...}", remedy_mentions),
];

fn with_family(verb: &str, arguments: &Arguments) -> Result<Request> {
    let family: Family = arguments.value("family")?;
    Ok(Request::new(verb).with("name", arguments.new_name()?).with("family", family.of_socket()))
}

/// Whether an address is one only together with an interface.
fn needs_scope(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

fn creates(world: &mut World, arguments: &Arguments) -> Result {
    create(world, arguments, "socket")
}

fn creates_tcp(world: &mut World, arguments: &Arguments) -> Result {
    create(world, arguments, "plain.socket")
}

fn create(world: &mut World, arguments: &Arguments, verb: &str) -> Result {
    world.done(arguments.get("actor"), with_family(verb, arguments)?)?;
    world.names.sockets.insert(arguments.new_name()?.to_owned(), arguments.value("family")?);
    Ok(())
}

/// The address on which an actor listens on the first path, and the one to which peers connect.
fn addresses(world: &World, actor: &str, family: Family) -> Result<(IpAddr, IpAddr)> {
    let path = world.path(1)?;
    Ok(match actor {
        "server" => family.server(path),
        _ => (family.client_ip(path), family.client_ip(path)),
    })
}

fn listens(world: &mut World, arguments: &Arguments) -> Result {
    let (actor, family) = (arguments.get("actor"), arguments.value("family")?);
    let (at, to) = addresses(world, actor, family)?;
    listen(world, actor, family, (at, to), arguments.new_name()?)
}

/// Peers can connect to an address that is announced without a port only if the listener has it.
fn listens_on_every_address(world: &mut World, arguments: &Arguments) -> Result {
    let (actor, family) = (arguments.get("actor"), arguments.value("family")?);
    let (_, to) = addresses(world, actor, family)?;
    listen(world, actor, family, (family.any_address(), to), arguments.new_name()?)
}

fn listen(
    world: &mut World,
    actor: &str,
    family: Family,
    (at, to): (IpAddr, IpAddr),
    name: &str,
) -> Result {
    let request = Request::new("listen").with("name", name);
    // On link-local addresses, the server listens on all of them.
    let at = if needs_scope(at) { family.any_address() } else { at };
    let answer = world.done(actor, request.with("address", SocketAddr::new(at, 0)))?;
    keep_listener(world, name, family, to, &answer)
}

fn keep_listener(
    world: &mut World,
    name: &str,
    family: Family,
    to: IpAddr,
    answer: &Fields,
) -> Result {
    let port = answer.value::<SocketAddr>("local")?.port();
    let address = world.path(1)?.server_end(to, port)?;
    let listener = Listener { address, family };
    world.names.listeners.insert(name.to_owned(), listener);
    Ok(())
}

fn listens_by_tcp(world: &mut World, arguments: &Arguments) -> Result {
    let (actor, name) = (arguments.get("actor"), arguments.new_name()?);
    world.done(actor, with_family("plain.socket", arguments)?)?;
    listen_plain(world, actor, arguments.value("family")?, name)
}

fn listens_on(world: &mut World, arguments: &Arguments) -> Result {
    listen_plain(world, arguments.get("actor"), arguments.value("family")?, arguments.get("sock"))
}

/// Makes a socket listen without the library.
fn listen_plain(world: &mut World, actor: &str, family: Family, sock: &str) -> Result {
    let (at, to) = addresses(world, actor, family)?;
    let bind = Request::new("plain.bind").with("sock", sock).with("to", SocketAddr::new(at, 0));
    let answer = world.done(actor, bind)?;
    world.done(actor, Request::new("plain.listen").with("sock", sock))?;
    keep_listener(world, sock, family, to, &answer)
}

fn binds(world: &mut World, arguments: &Arguments) -> Result {
    let (actor, sock) = (arguments.get("actor"), arguments.get("sock"));
    let path = world.path(arguments.value("number")?)?;
    let family = world.names.family(sock);
    let ip = if actor == "server" { family.server_ip(path) } else { family.client_ip(path) };
    let request = Request::new("plain.bind").with("sock", sock).with("to", SocketAddr::new(ip, 0));
    world.request(actor, request, arguments).map(drop)
}

/// The alternative to `binds` in scenarios that try both.
fn leaves_unbound(_: &mut World, _: &Arguments) -> Result {
    Ok(())
}

/// The server listens, the client connects, and the server accepts.
fn connects_over(world: &mut World, arguments: &Arguments) -> Result {
    let name = arguments.new_name()?;
    let listener = format!("{name}'s-listener");
    let family = arguments.value("family")?;
    let at_and_to = addresses(world, "server", family)?;
    listen(world, "server", family, at_and_to, &listener)?;
    connect(world, arguments, &listener)?;
    accept(world, "server", &listener, name)
}

fn connects_to(world: &mut World, arguments: &Arguments) -> Result {
    connect(world, arguments, arguments.get("listener"))
}

fn connect(world: &mut World, arguments: &Arguments, listener: &str) -> Result {
    let actor = arguments.get("actor");
    let listener = find_listener(world, listener)?;
    let name = if arguments.expected_error().is_some() { "none" } else { arguments.new_name()? };
    let mut request = Request::new("connect").with("name", name).with("address", listener.address);
    for how in arguments.parts("how") {
        request = match how {
            "with control" if world.always_has_control() => request,
            "with control" => request.with("control", true),
            "without control" => request,
            how if how.starts_with("over the interface of path ") => {
                let number = how.rsplit(' ').next().unwrap_or_default();
                let path = world.path(super::subflow::parse_number(number)?)?;
                request.with("interface", &path.client_interface)
            }
            how if how.starts_with("from path ") => {
                let number = how.rsplit(' ').next().unwrap_or_default();
                let path = world.path(super::subflow::parse_number(number)?)?;
                request.with("local", SocketAddr::new(listener.family.client_ip(path), 0))
            }
            _ => return failed(format!("unknown way to connect: {how}")),
        };
    }
    match world.request(actor, request, arguments)? {
        Some(answer) => world.names.add_connection(actor, name, listener.family, &answer),
        None => Ok(()),
    }
}

pub(super) fn find_listener(world: &World, name: &str) -> Result<Listener> {
    match world.names.listeners.get(name) {
        Some(listener) => Ok(listener.clone()),
        None if name == "closed-port" => {
            // A port that the kernel chose and that is free again.
            let ip = Family::V4.server(world.path(1)?).0;
            let server = &world.net()?.server;
            let address = server.run(|| std::net::TcpListener::bind((ip, 0))?.local_addr())?;
            // A child that another thread starts at this moment has a copy of the listener until it executes.
            soon(|| {
                let is_open = server.run(|| std::net::TcpStream::connect(address)).is_ok();
                Ok(is_open.then(|| format!("{address} still listens")))
            })?;
            Ok(Listener { address, family: Family::V4 })
        }
        None => failed(format!("no listener has the name {name}")),
    }
}

fn connects_socket(world: &mut World, arguments: &Arguments) -> Result {
    let (actor, sock) = (arguments.get("actor"), arguments.get("sock"));
    let listener = find_listener(world, arguments.get("listener"))?;
    let request = Request::new("plain.connect").with("sock", sock).with("to", listener.address);
    match world.request(actor, request, arguments)? {
        Some(answer) => world.names.add_connection(actor, sock, listener.family, &answer),
        None => Ok(()),
    }
}

fn starts_to_connect(world: &mut World, arguments: &Arguments) -> Result {
    let (actor, sock) = (arguments.get("actor"), arguments.get("sock"));
    let listener = find_listener(world, arguments.get("listener"))?;
    let request = Request::new("plain.connect").with("sock", sock).with("to", listener.address);
    world.done(actor, request.with("wait", false)).map(drop)
}

/// Soon `status` reports that the socket is connected.
fn becomes_connected(world: &mut World, arguments: &Arguments) -> Result {
    let (actor, sock) = (arguments.get("actor"), arguments.get("sock"));
    soon(|| {
        let answer = world.done(actor, Request::new("status").with("sock", sock))?;
        Ok((answer.get("state") != Some("Mptcp")).then(|| answer.to_string()))
    })
}

fn accepts(world: &mut World, arguments: &Arguments) -> Result {
    accept(world, arguments.get("actor"), arguments.get("listener"), arguments.new_name()?)
}

fn accept(world: &mut World, actor: &str, listener: &str, name: &str) -> Result {
    let family = find_listener(world, listener)?.family;
    let answer = world
        .done(actor, Request::new("plain.accept").with("sock", listener).with("name", name))?;
    world.names.add_connection(actor, name, family, &answer)
}

fn about(verb: &str, arguments: &Arguments) -> Request {
    Request::new(verb).with("sock", arguments.get("sock"))
}

fn takes_control(world: &mut World, arguments: &Arguments) -> Result {
    world.request(arguments.get("actor"), about("take_control", arguments), arguments).map(drop)
}

fn upgrades(world: &mut World, arguments: &Arguments) -> Result {
    world.request(arguments.get("actor"), about("upgrade", arguments), arguments).map(drop)
}

fn shuts_down(world: &mut World, arguments: &Arguments) -> Result {
    let how = if arguments.get("direction") == "writing" { "write" } else { "read" };
    world
        .done(arguments.get("actor"), about("plain.shutdown", arguments).with("how", how))
        .map(drop)
}

fn closes(world: &mut World, arguments: &Arguments) -> Result {
    let request = Request::new("plain.close").with("name", arguments.get("sock"));
    world.done(arguments.get("actor"), request).map(drop)
}

/// The text after the colon is the way in which it ends.
fn ends(world: &mut World, arguments: &Arguments) -> Result {
    let connection = arguments.get("connection").to_owned();
    let shut = Request::new("plain.shutdown").with("sock", &connection).with("how", "write");
    match arguments.expected.as_str() {
        "both ends shut it down" => {
            for actor in ["client", "server"] {
                world.done(actor, shut.clone())?;
            }
            Ok(())
        }
        "the server resets it" => {
            // A close with unread data resets the connection.
            world.done(
                "client",
                Request::new("plain.send").with("sock", &connection).with("bytes", 1),
            )?;
            arrived(world, &connection)?;
            world.done("server", Request::new("plain.close").with("name", &connection)).map(drop)
        }
        "its last subflow is closed" => {
            let id = world.id("client", &format!("{connection}'s initial"))?;
            let request = Request::new("close").with("sock", &connection).with("id", id);
            let request = request.with("force", true);
            world.done("client", request).map(drop)
        }
        how => failed(format!("unknown way to end: {how}")),
    }
}

/// Soon ss shows received and unread data at the server.
fn arrived(world: &World, connection: &str) -> Result {
    let ends = world.names.ends("server", connection)?;
    let namespace = world.namespace("server")?;
    soon(|| {
        let unread = crate::judge::unread(namespace, ends);
        Ok((unread == 0).then(|| "nothing has arrived".to_owned()))
    })
}

fn bytes(world: &mut World, arguments: &Arguments) -> Result {
    let connection = arguments.get("connection");
    for (from, to) in [("client", "server"), ("server", "client")] {
        world.done(from, Request::new("plain.send").with("sock", connection).with("bytes", 1))?;
        let request = Request::new("plain.receive").with("sock", connection).with("bytes", 1);
        let answer = world.done(to, request)?;
        ensure(answer.value("bytes") == Ok(1), || format!("the {to} received nothing: {answer}"))?;
    }
    Ok(())
}

fn reads_end(world: &mut World, arguments: &Arguments) -> Result {
    let answer =
        world.done(arguments.get("actor"), about("plain.receive", arguments).with("bytes", 1))?;
    ensure(answer.value("bytes") == Ok(0), || format!("the stream has not ended: {answer}"))
}

/// The level and the number of an option, from <asm-generic/socket.h> and <linux/tcp.h>.
fn option(request: Request, arguments: &Arguments) -> Result<Request> {
    let (level, option) = match arguments.get("option") {
        "SO_KEEPALIVE" => (1, 9),
        "SO_MARK" => (1, 36),
        "SO_PROTOCOL" => (1, 38),
        "TCP_NODELAY" => (6, 1),
        "TCP_KEEPIDLE" => (6, 4),
        "TCP_DEFER_ACCEPT" => (6, 9),
        "TCP_IS_MPTCP" => (6, 43),
        "IPV6_V6ONLY" => (41, 26),
        "TCP_REPAIR" => (6, 19),
        "TCP_MD5SIG_EXT" => (6, 32),
        "TCP_FASTOPEN_CONNECT" => (6, 30),
        name => {
            return failed(format!(
                "unknown option {name}: add its number to tests/conform/src/steps/socket.rs"
            ));
        }
    };
    Ok(request.with("level", level).with("option", option))
}

fn sets_option(world: &mut World, arguments: &Arguments) -> Result {
    let request = option(about("plain.setsockopt", arguments), arguments)?;
    let request = request.with("value", arguments.get("value"));
    world.done(arguments.get("actor"), request).map(drop)
}

fn reads_option(world: &mut World, arguments: &Arguments) -> Result {
    let request = option(about("plain.getsockopt", arguments), arguments)?;
    if arguments.get("option") == "TCP_IS_MPTCP" && is_before(6, 9) {
        let (answer, _) = world.ask(arguments.get("actor"), request)?;
        return ensure(answer.done().is_err(), || "this kernel has no TCP_IS_MPTCP".to_owned());
    }
    world.request(arguments.get("actor"), request, arguments).map(drop)
}

fn receives_socket(world: &mut World, arguments: &Arguments) -> Result {
    world.give(arguments.get("connection"), arguments.get("actor"))
}

/// The remedy of the last error contains this text.
fn remedy_mentions(world: &mut World, arguments: &Arguments) -> Result {
    let (answer, _) = world.ask(arguments.get("actor"), Request::new("remedy"))?;
    let answer = compare(answer, &Arguments::default())?.unwrap_or_default();
    let remedy: String = answer.value("remedy")?;
    ensure(remedy.contains(arguments.get("text")), || format!("the remedy is: {remedy}"))
}
