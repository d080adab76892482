//! What belongs to a whole network namespace: endpoints, limits, settings and counters.

use std::net::IpAddr;

use subflows_lab::oracle;

use super::Sentence;
use crate::arguments::Arguments;
use crate::ends::ends_in;
use crate::judge::{self, soon};
use crate::protocol::Request;
use crate::step_error::{Result, ensure, failed};
use crate::world::World;

pub(super) const SENTENCES: &[Sentence] = &[
    ("{actor} adds its {family} address on path {number} as an endpoint {with...}", adds),
    ("{actor} lists {count} endpoint(s)", lists),
    ("{actor} makes endpoint {id} a backup", |world, arguments| {
        flag(world, arguments, "backup", true)
    }),
    ("{actor} makes endpoint {id} a regular one", |world, arguments| {
        flag(world, arguments, "backup", false)
    }),
    ("{actor} makes endpoint {id} a full mesh", |world, arguments| {
        flag(world, arguments, "fullmesh", true)
    }),
    ("{actor} removes endpoint {id}", removes),
    ("{actor} removes every endpoint", flushes),
    ("{actor} soon has {count} subflow(s) of {connection}", soon_has),
    ("{actor} allows {subflows} subflow(s) and {addresses} address(es)", allows),
    ("{actor} reads its limits", reads_limits),
    ("{actor} reads its settings", reads_settings),
    ("{actor} changes the setting {setting} to {value}", changes),
    ("{actor} reads its counters", reads_counters),
    ("{actor} finds the process that holds {connection}", finds_process),
    ("{actor} finds {connection} fallen back among the connections", finds_fallen_back),
];

/// Such as `with subflow, backup, id 7`, or `without flags`.
fn adds(world: &mut World, arguments: &Arguments) -> Result {
    let (actor, number) = (arguments.get("actor"), arguments.value("number")?);
    let path = world.path(number)?;
    let v6 = arguments.get("family") == "v6";
    let address: IpAddr = match (actor == "server", v6) {
        (true, true) => path.server_v6.into(),
        (true, false) => path.server_v4.into(),
        (false, true) => path.client_v6.into(),
        (false, false) => path.client_v4.into(),
    };
    let mut request = Request::new("add_endpoint").with("address", address);
    let with = arguments.get("with").trim_start_matches("with ").to_owned();
    for word in with.split(", ").filter(|word| *word != "without flags") {
        request = match word.split_once(' ') {
            Some(("its", "interface")) => {
                let path = world.path(number)?;
                let server = actor == "server";
                let name = if server { &path.server_interface } else { &path.client_interface };
                request.with("interface", name)
            }
            Some((option, value)) => request.with(option, value),
            None => request.with(word, true),
        };
    }
    let Some(added) = world.request(actor, request, arguments)? else { return Ok(()) };
    let is_so = added.value::<IpAddr>("address") == Ok(address);
    let flags = ["signal", "subflow", "backup", "fullmesh", "laminar"];
    let has_flags = flags.iter().all(|flag| {
        let is_asked = with.split(", ").any(|word| word == *flag);
        added.get(&format!("is_{flag}")) == Some(if is_asked { "true" } else { "false" })
    });
    ensure(is_so && has_flags, || added.to_string())?;
    compare(world, actor).map(drop)
}

/// Compares the endpoints with those that `ip mptcp` shows.
fn compare(world: &mut World, actor: &str) -> Result<usize> {
    let ours = world.done(actor, Request::new("endpoints"))?.list()?;
    let theirs = oracle::endpoints(world.namespace(actor)?);
    ensure(ours.len() == theirs.len(), || format!("{ours:?}, ip mptcp: {theirs:?}"))?;
    for (ours, theirs) in ours.iter().zip(&theirs) {
        let flags = ["signal", "subflow", "backup", "fullmesh"];
        let has_flags = flags.iter().all(|flag| {
            let is_theirs = theirs.flags.iter().any(|shown| shown == flag);
            ours.get(&format!("is_{flag}")) == Some(if is_theirs { "true" } else { "false" })
        });
        let is_same = ours.value::<IpAddr>("address") == Ok(theirs.address)
            && ours.value::<u8>("id") == Ok(theirs.id)
            && ours.get("interface") == theirs.interface.as_deref();
        ensure(is_same && has_flags, || format!("{ours}, ip mptcp: {theirs:?}"))?;
    }
    Ok(ours.len())
}

fn lists(world: &mut World, arguments: &Arguments) -> Result {
    let count = compare(world, arguments.get("actor"))?;
    ensure(count == arguments.value::<usize>("count")?, || format!("it lists {count}"))
}

fn flag(world: &mut World, arguments: &Arguments, flag: &str, on: bool) -> Result {
    let (actor, id) = (arguments.get("actor"), arguments.get("id"));
    let request =
        Request::new(&format!("set_endpoint_{flag}")).with("endpoint_id", id).with(flag, on);
    if world.request(actor, request, arguments)?.is_some() {
        let theirs = oracle::endpoints(world.namespace(actor)?);
        let found = theirs.iter().find(|found| found.id.to_string() == id);
        let is_so = found.is_some_and(|found| found.flags.iter().any(|shown| shown == flag) == on);
        ensure(is_so, || format!("ip mptcp: {theirs:?}"))?;
    }
    compare(world, actor).map(drop)
}

fn removes(world: &mut World, arguments: &Arguments) -> Result {
    let (actor, id) = (arguments.get("actor"), arguments.get("id"));
    let request = Request::new("remove_endpoint").with("endpoint_id", id);
    if world.request(actor, request, arguments)?.is_some() {
        let theirs = oracle::endpoints(world.namespace(actor)?);
        ensure(theirs.iter().all(|found| found.id.to_string() != id), || format!("{theirs:?}"))?;
    }
    compare(world, actor).map(drop)
}

fn flushes(world: &mut World, arguments: &Arguments) -> Result {
    let actor = arguments.get("actor");
    world.request(actor, Request::new("flush_endpoints"), arguments)?;
    compare(world, actor).map(drop)
}

/// ss shows as many, and the list of the language has them too.
fn soon_has(world: &mut World, arguments: &Arguments) -> Result {
    let (actor, connection) = (arguments.get("actor"), arguments.get("connection"));
    let (token, count) = (world.token(actor, connection)?, arguments.value::<usize>("count")?);
    soon(|| {
        let shown = judge::subflows(world.namespace(actor)?, token);
        let open = shown.iter().filter(|subflow| subflow.state == "ESTAB").count();
        let listed = world.list(actor, connection)?.len();
        let is_so = open == count && listed == count;
        Ok((!is_so).then(|| format!("ss shows {open}, and it lists {listed}")))
    })
}

/// The limits by `ip mptcp`: those of subflows and of addresses.
fn shown_limits(world: &World, actor: &str) -> Result<[String; 2]> {
    let text = world.namespace(actor)?.ip(&["mptcp", "limits", "show"])?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let after = |name| words.iter().position(|word| *word == name).and_then(|at| words.get(at + 1));
    match (after("subflows"), after("add_addr_accepted")) {
        (Some(subflows), Some(addresses)) => Ok([(*subflows).to_owned(), (*addresses).to_owned()]),
        _ => failed(text),
    }
}

fn allows(world: &mut World, arguments: &Arguments) -> Result {
    let actor = arguments.get("actor");
    let wanted = [arguments.get("subflows"), arguments.get("addresses")];
    let request = Request::new("set_limits").with("subflows", wanted[0]);
    let request = request.with("add_addr_accepted", wanted[1]);
    let before = shown_limits(world, actor)?;
    let is_set = world.request(actor, request, arguments)?.is_some();
    let shown = shown_limits(world, actor)?;
    let expected = if is_set { wanted.map(str::to_owned) } else { before };
    ensure(shown == expected, || format!("ip mptcp: {shown:?}"))
}

fn reads_limits(world: &mut World, arguments: &Arguments) -> Result {
    let actor = arguments.get("actor");
    let answer = world.done(actor, Request::new("limits"))?;
    let shown = shown_limits(world, actor)?;
    let ours = [answer.get("subflows"), answer.get("add_addr_accepted")];
    ensure(ours == shown.each_ref().map(|text| Some(text.as_str())), || answer.to_string())
}

/// sysctl shows the same values.
fn reads_settings(world: &mut World, arguments: &Arguments) -> Result {
    let actor = arguments.get("actor");
    let answer = world.done(actor, Request::new("settings"))?;
    let shown = world.namespace(actor)?.output("sysctl", &["net.mptcp"])?;
    let lines = shown.lines().filter_map(|line| line.strip_prefix("net.mptcp."));
    let mut pairs = lines.filter_map(|line| line.split_once(" = ")).peekable();
    ensure(pairs.peek().is_some(), || shown.clone())?;
    for (name, value) in pairs {
        let ours = match answer.get(name) {
            Some("true") => Some("1"),
            Some("false") => Some("0"),
            other => other,
        };
        ensure(ours == Some(value.trim()), || format!("{name} is {value}: {answer}"))?;
    }
    Ok(())
}

fn changes(world: &mut World, arguments: &Arguments) -> Result {
    let (actor, name) = (arguments.get("actor"), arguments.get("setting"));
    let value = arguments.get("value");
    let request = Request::new("set_setting").with("setting", name).with("value", value);
    if world.request(actor, request, arguments)?.is_none() {
        return Ok(());
    }
    let shown = world.namespace(actor)?.sysctl(&format!("net.mptcp.{name}"))?;
    let written = match value {
        "true" => "1",
        "false" => "0",
        other => other,
    };
    ensure(shown.trim() == written, || format!("sysctl: {shown}"))
}

fn reads_counters(world: &mut World, arguments: &Arguments) -> Result {
    let actor = arguments.get("actor");
    let answer = world.done(actor, Request::new("counters"))?.list()?;
    let namespace = world.namespace(actor)?;
    ensure(answer.len() > 10, || format!("{answer:?}"))?;
    for counter in &answer {
        let name = format!("MPTcpExt{}", counter.get("name").unwrap_or_default());
        let shown = oracle::nstat_if_any(namespace, &name);
        ensure(counter.value("value").ok() == shown, || format!("{counter}, nstat: {shown:?}"))?;
    }
    Ok(())
}

/// The process is one that has the socket among its descriptors, and its name is that of /proc.
fn finds_process(world: &mut World, arguments: &Arguments) -> Result {
    let (actor, connection) = (arguments.get("actor"), arguments.get("connection"));
    let token = world.token(actor, connection)?;
    let request = Request::new("connections").with("processes", true);
    let all = world.done(actor, request)?.list()?;
    let Some(found) = all.iter().find(|found| found.value::<u32>("token") == Ok(token)) else {
        return failed(format!("the list does not contain the token {token:x}: {all:?}"));
    };
    ensure(found.get("processes.count") == Some("1"), || found.to_string())?;
    let pid: u32 = found.value("processes.0.pid")?;
    let target = format!("socket:[{}]", found.value::<u32>("inode")?);
    let mut descriptors = std::fs::read_dir(format!("/proc/{pid}/fd"))?.flatten();
    let holds = descriptors.any(|entry| {
        std::fs::read_link(entry.path()).is_ok_and(|link| link.as_os_str() == &*target)
    });
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm"))?;
    let is_named = found.get("processes.0.name") == Some(name.trim_end());
    ensure(holds && is_named, || format!("{found}; {pid} is {name}"))
}

/// It is found by its ends, because its status has no token.
fn finds_fallen_back(world: &mut World, arguments: &Arguments) -> Result {
    let (actor, connection) = (arguments.get("actor"), arguments.get("connection"));
    let ends = world.names.ends(actor, connection)?;
    let all = world.done(actor, Request::new("connections"))?.list()?;
    let found = all.iter().find(|found| ends_in(found).is_ok_and(|found| found == ends));
    let is_so = found.is_some_and(|found| found.get("is_fallen_back") == Some("true"));
    ensure(is_so, || format!("{all:?}"))
}
