//! What ss, nstat and the library report.

use std::collections::BTreeSet;

use subflows_lab::{ignores_interfaces, oracle};

use super::Sentence;
use super::subflow::parse_number;
use crate::arguments::Arguments;
use crate::ends::{Ends, ends_in, mirrored};
use crate::judge::{self, soon};
use crate::step_error::{Result, ensure};
use crate::world::World;

pub(super) const SENTENCES: &[Sentence] = &[
    ("{connection} has the subflows {names...}", has_subflows),
    ("{connection} has no subflows", has_subflows),
    ("{name} is joined at both ends", is_joined),
    ("{name} uses the interface of path {number}", uses_interface),
    ("{name} uses the client's address on path {number}", uses_address),
    ("ss shows {count} subflow(s) of {connection} at the {actor}", shows),
    ("ss shows {connection} as Multipath TCP at the {actor}", shows_mptcp),
    ("ss shows no Multipath TCP at the {actor}", shows_no_mptcp),
    ("ss shows a subflow on path {number} in state {state} that is not joined", shows_unjoined),
    ("nstat of the {actor} counts {counter}", counts),
    ("nstat of the {actor} counts no {counter}", counts_none),
    ("the kernel has opened a subflow of {connection} on path {number}", kernel_has_opened),
];

/// Soon `list` and ss both show exactly these subflows, at both ends.
fn has_subflows(world: &mut World, arguments: &Arguments) -> Result {
    let connection = arguments.get("connection").to_owned();
    let mut expected = BTreeSet::<Ends>::new();
    for name in arguments.parts("names") {
        let full = format!("{connection}'s {name}");
        let name = if world.names.subflows.contains_key(&full) { full.as_str() } else { name };
        // A range such as `extra1..8`. `extra1..0` is empty.
        match name.split_once("1..") {
            Some((prefix, last)) => {
                for index in 1..=parse_number(last)? {
                    expected.insert(world.names.subflow(&format!("{prefix}{index}"))?.ends);
                }
            }
            None => drop(expected.insert(world.names.subflow(name)?.ends)),
        }
    }
    for actor in ["client", "server"] {
        let expected = match actor {
            "server" => expected.iter().copied().map(mirrored).collect(),
            _ => expected.clone(),
        };
        let token = world.token(actor, &connection)?;
        soon(|| {
            let listed = world.list(actor, &connection)?;
            let count = listed.len();
            let listed: BTreeSet<Ends> = listed.iter().map(ends_in).collect::<Result<_>>()?;
            ensure(listed.len() == count, || format!("list contains a subflow twice: {listed:?}"))?;
            let shown = judge::ends(world.namespace(actor)?, token);
            let is_so = listed == expected && shown == expected;
            Ok((!is_so).then(|| {
                format!(
                    "at the {actor}, expected {expected:?}, list has {listed:?}, ss shows {shown:?}"
                )
            }))
        })?;
    }
    Ok(())
}

fn is_joined(world: &mut World, arguments: &Arguments) -> Result {
    let name = arguments.get("name");
    let connection = world.names.subflow(name)?.connection.clone();
    for actor in ["client", "server"] {
        let (token, ends) =
            (world.token(actor, &connection)?, world.names.subflow_ends(actor, name)?);
        let found = judge::find(world.namespace(actor)?, token, ends);
        let is_it = found.as_ref().is_some_and(|found| found.flags.contains('e'));
        ensure(is_it, || format!("at the {actor}, ss shows {found:?}"))?;
    }
    Ok(())
}

fn uses_interface(world: &mut World, arguments: &Arguments) -> Result {
    let name = arguments.get("name");
    let connection = world.names.subflow(name)?.connection.clone();
    let token = world.token("client", &connection)?;
    let ends = world.names.subflow_ends("client", name)?;
    let found = judge::find(world.namespace("client")?, token, ends);
    let mut bound = found.and_then(|found| found.interface);
    if bound.is_none() && ignores_interfaces() {
        // The kernel binds no subflow: the source address decides.
        bound = world.net()?.route_interface(ends.0.ip(), ends.1.ip())?;
    }
    let expected = &world.path(arguments.value("number")?)?.client_interface;
    ensure(bound.as_ref() == Some(expected), || format!("ss shows that it is bound to {bound:?}"))
}

fn uses_address(world: &mut World, arguments: &Arguments) -> Result {
    let subflow = world.names.subflow(arguments.get("name"))?;
    let path = world.path(arguments.value("number")?)?;
    let expected = world.names.family(&subflow.connection).client_ip(path);
    ensure(subflow.ends.0.ip() == expected, || format!("its address is {}", subflow.ends.0))
}

fn shows(world: &mut World, arguments: &Arguments) -> Result {
    let (actor, count): (&str, usize) = (arguments.get("actor"), arguments.value("count")?);
    let token = world.token(actor, arguments.get("connection"))?;
    soon(|| {
        let shown = judge::ends(world.namespace(actor)?, token);
        Ok((shown.len() != count).then(|| format!("ss shows {shown:?}")))
    })
}

fn shows_mptcp(world: &mut World, arguments: &Arguments) -> Result {
    world.shown_token(arguments.get("actor"), arguments.get("connection")).map(drop)
}

/// ss still shows a connection that fell back, marked as `fallback`.
fn shows_no_mptcp(world: &mut World, arguments: &Arguments) -> Result {
    let mut shown = oracle::ss_connections(world.namespace(arguments.get("actor"))?);
    shown.retain(|shown| !shown.details.split(' ').any(|word| word == "fallback"));
    ensure(shown.is_empty(), || format!("ss -M shows {shown:?}"))
}

/// Soon ss shows a subflow in this state (ESTAB or SYN-SENT), and never one that is joined.
fn shows_unjoined(world: &mut World, arguments: &Arguments) -> Result {
    let path = world.path(arguments.value("number")?)?;
    let ips = [path.client_v4.into(), path.client_v6.into()];
    let state = arguments.get("state");
    soon(|| {
        let mut shown = oracle::ss_subflows(world.namespace("client")?);
        shown.retain(|shown| ips.contains(&shown.local.ip()));
        let joined = shown.iter().find(|shown| shown.flags.contains('e'));
        ensure(joined.is_none(), || format!("a subflow is joined: {joined:?}"))?;
        let is_there = shown.iter().any(|shown| shown.state == state);
        Ok((!is_there).then(|| format!("ss shows {shown:?}")))
    })
}

fn counts(world: &mut World, arguments: &Arguments) -> Result {
    let count = oracle::nstat(world.namespace(arguments.get("actor"))?, arguments.get("counter"));
    ensure(count > 0, || "the counter is 0".to_owned())
}

fn counts_none(world: &mut World, arguments: &Arguments) -> Result {
    let count = oracle::nstat(world.namespace(arguments.get("actor"))?, arguments.get("counter"));
    ensure(count == 0, || format!("the counter is {count}"))
}

/// Soon ss shows a joined subflow with the client's address on the path. The step gives it a name.
fn kernel_has_opened(world: &mut World, arguments: &Arguments) -> Result {
    let (name, connection) = (arguments.new_name()?, arguments.get("connection").to_owned());
    let ip = world.names.family(&connection).client_ip(world.path(arguments.value("number")?)?);
    let token = world.token("client", &connection)?;
    let mut ends = None;
    soon(|| {
        let shown = judge::subflows(world.namespace("client")?, token);
        let found = shown
            .iter()
            .find(|found| found.local.ip().to_canonical() == ip && found.flags.contains('e'));
        ends = found.map(|found| (found.local, found.remote));
        Ok(ends.is_none().then(|| format!("ss shows {shown:?}")))
    })?;
    if let Some(ends) = ends {
        let ids = std::collections::BTreeMap::new();
        world
            .names
            .subflows
            .insert(name.to_owned(), crate::names::NamedSubflow { connection, ends, ids });
    }
    Ok(())
}
