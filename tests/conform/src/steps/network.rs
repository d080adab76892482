//! The network, and what happens between its ends.

use std::time::Duration;

use subflows_lab::{
    DropSegments, Net, StripMptcp, Topology, WireOptions, has_sysctl, path_manager_setting,
};

use super::Sentence;
use crate::arguments::Arguments;
use crate::step_error::{Result, StepError, ensure, failed};
use crate::world::{Middlebox, World};

pub(super) const SENTENCES: &[Sentence] = &[
    ("network {name...}", network),
    ("{actor} accepts at most {count} additional subflow(s)", limits_subflows),
    ("{actor} sets {setting} to {value...}", sets),
    ("the kernel's path manager opens a subflow on every path", kernel_opens),
    ("the kernel announces the server's address on path {number}", kernel_announces),
    ("every path carries at most {rate} Mbit/s", limits_rate),
    ("path {number} is cut", cut),
    ("path {number} is repaired", repaired),
    ("path {number} drops {what...}", drops),
    ("path {number} strips Multipath TCP options {when...}", strips),
    ("path {number} has dropped at least {count} segment(s)", has_dropped),
    ("the middlebox on path {number} is switched off", switched_off),
    ("the middlebox on path {number} is switched on", switched_on),
    ("the client loses its {family} addresses on path {number}", loses_addresses),
    ("the client's default routes are deleted", deletes_routes),
    ("the router of path {number} reports the unassigned address as unreachable", router_reports),
];

/// `two wires` is two subnets whose paths can have middleboxes. With `two wires of 2 ms`, `open`
/// returns without the rest that it inserts if the peer is near.
fn network(world: &mut World, arguments: &Arguments) -> Result {
    let wires = |delay| {
        let options = WireOptions { delay, ..WireOptions::default() };
        Net::wires(&[("wifi", options), ("lte", options)])
    };
    let net = match arguments.get("name") {
        "two wires" => wires(Duration::ZERO)?,
        "two wires of 2 ms" => wires(Duration::from_millis(2))?,
        name => match name.parse::<Topology>() {
            Ok(topology) => topology.build()?,
            Err(why) => return failed(why),
        },
    };
    // Both ends accept the most subflows that the kernel allows, until a step sets another limit.
    for namespace in [&net.client, &net.server] {
        namespace.ip(&["mptcp", "limits", "set", "subflows", "8", "add_addr_accepted", "8"])?;
    }
    world.set_net(net)
}

fn limits_subflows(world: &mut World, arguments: &Arguments) -> Result {
    let namespace = world.namespace(arguments.get("actor"))?;
    namespace.ip(&["mptcp", "limits", "set", "subflows", arguments.get("count")])?;
    Ok(())
}

/// Sets a sysctl of the namespace. `path_manager` has another name before Linux 6.15.
fn sets(world: &mut World, arguments: &Arguments) -> Result {
    let namespace = world.namespace(arguments.get("actor"))?;
    let (setting, value) = (arguments.get("setting"), arguments.get("value"));
    if setting == "net.mptcp.path_manager" {
        let setting = path_manager_setting();
        return Ok(namespace.run(|| std::fs::write(setting.file, setting.value(value)))?);
    }
    if !has_sysctl(setting) {
        return Err(StepError::Skipped(format!("this kernel has no {setting}")));
    }
    Ok(namespace.set_sysctl(setting, value)?)
}

fn kernel_opens(world: &mut World, _: &Arguments) -> Result {
    Ok(world.net()?.join_by_kernel()?)
}

/// To every client, as soon as a connection is established.
fn kernel_announces(world: &mut World, arguments: &Arguments) -> Result {
    let addresses = world.path(arguments.value("number")?)?.server_ips();
    for address in addresses {
        let words = ["mptcp", "endpoint", "add", &address.to_string(), "signal"];
        world.namespace("server")?.ip(&words)?;
    }
    Ok(())
}

/// Limits the rate by the wire, or by a token bucket (tbf) on paths without one.
fn limits_rate(world: &mut World, arguments: &Arguments) -> Result {
    let rate = arguments.value::<u64>("rate")? * 1_000_000;
    world.rate = Some(rate);
    let net = world.net()?;
    for path in &net.paths {
        if let Some(wire) = path.wire() {
            wire.set_rate(Some(rate));
            continue;
        }
        let ends = [(&net.client, &path.client_interface), (&net.server, &path.server_interface)];
        for (namespace, interface) in ends {
            let rate = format!("{rate}bit");
            let command = ["qdisc", "add", "dev", interface, "root", "tbf", "rate", &rate];
            let bucket = ["burst", "64kb", "latency", "30ms"];
            namespace.output("tc", &[&command[..], &bucket].concat())?;
        }
    }
    Ok(())
}

/// The client asks for its neighbour 1000 times. With the default of 3, it would report after three
/// seconds that the neighbour is unreachable, which is another failure.
fn cut(world: &mut World, arguments: &Arguments) -> Result {
    let path = world.path(arguments.value("number")?)?;
    for family in ["ipv4", "ipv6"] {
        for setting in ["mcast_solicit", "ucast_solicit"] {
            let key = format!("net/{family}/neigh/{}/{setting}", path.client_interface);
            world.net()?.client.set_sysctl(&key, "1000")?;
        }
    }
    Ok(path.pull_cable()?)
}

fn repaired(world: &mut World, arguments: &Arguments) -> Result {
    Ok(world.path(arguments.value("number")?)?.plug_in()?)
}

fn drops(world: &mut World, arguments: &Arguments) -> Result {
    let segments = match arguments.get("what") {
        "the SYNs of Multipath TCP" => {
            world.net()?.client.fall_back_by_syns()?;
            DropSegments::mptcp_syns()
        }
        "the SYNs of joins" => DropSegments::join_syns(),
        "the third ACK of joins" => DropSegments::third_ack_of_join(),
        "the fourth ACK of joins" => DropSegments::fourth_ack_of_join(),
        what => return failed(format!("unknown segments to drop: {what}")),
    };
    add(world, arguments, Middlebox::Drop(segments))
}

fn strips(world: &mut World, arguments: &Arguments) -> Result {
    let strip = match arguments.get("when") {
        "from the SYN" => StripMptcp::from_syn(),
        "after the handshake" => StripMptcp::after_handshake(),
        "once switched on" => StripMptcp::when_enabled(),
        when => return failed(format!("unknown time to strip options: {when}")),
    };
    add(world, arguments, Middlebox::Strip(strip))
}

fn add(world: &mut World, arguments: &Arguments, middlebox: Middlebox) -> Result {
    let number = arguments.value("number")?;
    let Some(wire) = world.path(number)?.wire() else {
        return failed("only this network can have middleboxes: network two wires");
    };
    match middlebox.clone() {
        Middlebox::Drop(segments) => wire.add(segments),
        Middlebox::Strip(strip) => wire.add(strip),
    }
    world.middleboxes.push((number, middlebox));
    Ok(())
}

/// The middleboxes on a path.
fn middleboxes<'a>(
    world: &'a World,
    arguments: &Arguments,
) -> Result<impl Iterator<Item = &'a Middlebox>> {
    let number: usize = arguments.value("number")?;
    let of_path = world.middleboxes.iter().filter(move |(path, _)| *path == number);
    Ok(of_path.map(|(_, middlebox)| middlebox))
}

fn has_dropped(world: &mut World, arguments: &Arguments) -> Result {
    let wanted: u64 = arguments.value("count")?;
    crate::judge::soon(|| {
        let dropped: u64 = middleboxes(world, arguments)?
            .map(|middlebox| match middlebox {
                Middlebox::Drop(segments) => segments.dropped(),
                Middlebox::Strip(strip) => strip.stripped(),
            })
            .sum();
        Ok((dropped < wanted).then(|| format!("it has dropped {dropped} segments")))
    })
}

fn switched_off(world: &mut World, arguments: &Arguments) -> Result {
    for middlebox in middleboxes(world, arguments)? {
        match middlebox {
            Middlebox::Drop(segments) => segments.stop(),
            Middlebox::Strip(strip) => strip.disable(),
        }
    }
    Ok(())
}

fn switched_on(world: &mut World, arguments: &Arguments) -> Result {
    for middlebox in middleboxes(world, arguments)? {
        match middlebox {
            Middlebox::Strip(strip) => strip.enable(),
            Middlebox::Drop(_) => {
                return failed("a middlebox that drops segments is on from the start");
            }
        }
    }
    Ok(())
}

fn loses_addresses(world: &mut World, arguments: &Arguments) -> Result {
    let path = world.path(arguments.value("number")?)?;
    let family = if arguments.get("family") == "v6" { "-6" } else { "-4" };
    let device = path.client_interface.as_str();
    world.net()?.client.ip(&[family, "address", "flush", "dev", device])?;
    Ok(())
}

/// Without a route, a socket that is bound to an interface treats every IPv4 address as a
/// neighbour. The shorter retransmission time makes the neighbour lookup fail soon.
fn deletes_routes(world: &mut World, _: &Arguments) -> Result {
    let net = world.net()?;
    for path in &net.paths {
        let device = path.client_interface.as_str();
        for family in ["-4", "-6"] {
            net.client.ip(&[family, "route", "del", "default", "dev", device])?;
        }
        let probes = format!("net/ipv4/neigh/{device}/retrans_time_ms");
        net.client.set_sysctl(&probes, "100")?;
    }
    Ok(())
}

fn router_reports(world: &mut World, arguments: &Arguments) -> Result {
    let number: usize = arguments.value("number")?;
    let net = world.net()?;
    ensure(number <= net.routers.len(), || "the network has no such router".to_owned())?;
    for family in [crate::family::Family::V4, crate::family::Family::V6] {
        let unassigned = family.unassigned().to_string();
        net.routers[number - 1].ip(&["route", "replace", "unreachable", &unassigned])?;
    }
    Ok(())
}
