//! The network, and what is between the ends.

use subflows_lab::{DropSegments, Net, StripMptcp, Topology, WireOptions};

use super::Sentence;
use crate::sentence::Words;
use crate::stage::{Meddler, Stage};
use crate::trouble::{Result, ensure, failed};

pub(super) const SENTENCES: &[Sentence] = &[
    ("network {name...}", network),
    ("{actor} takes {count} subflows", takes),
    ("{actor} sets {setting} to {value...}", sets),
    ("the kernel opens the paths", by_kernel),
    ("every path carries {rate} mbit", carries),
    ("path {number} is cut", cut),
    ("path {number} is mended", mended),
    ("path {number} drops {what...}", drops),
    ("path {number} strips options {when...}", strips),
    ("path {number} has dropped at least {count}", has_dropped),
    ("path {number} meddles no more", meddles_no_more),
    ("path {number} begins to meddle", begins_to_meddle),
    ("interface {number} loses its {family} addresses", loses_addresses),
    ("the routes beyond the subnets vanish", no_routes),
    ("the router of path {number} says unreachable for nowhere", router_says),
];

/// Two wires are two subnets with room for middleboxes.
fn network(stage: &mut Stage, words: &Words) -> Result {
    let name = words.get("name");
    let net = if name == "two wires" {
        let perfect = WireOptions::default();
        Net::wires(&[("wifi", perfect), ("lte", perfect)])?
    } else {
        match name.parse::<Topology>() {
            Ok(topology) => topology.build()?,
            Err(why) => return failed(why),
        }
    };
    // A network whose ends take as many subflows as there may be, unless told otherwise.
    for namespace in [&net.client, &net.server] {
        namespace.ip(&["mptcp", "limits", "set", "subflows", "8", "add_addr_accepted", "8"])?;
    }
    stage.set(net)
}

fn takes(stage: &mut Stage, words: &Words) -> Result {
    let namespace = stage.namespace(words.get("actor"))?;
    namespace.ip(&["mptcp", "limits", "set", "subflows", words.get("count")])?;
    Ok(())
}

/// A setting of the namespace; `path_manager` also by the older name that it had before Linux 6.15.
fn sets(stage: &mut Stage, words: &Words) -> Result {
    let namespace = stage.namespace(words.get("actor"))?;
    let (setting, value) = (words.get("setting"), words.get("value"));
    let result = namespace.set_sysctl(setting, value);
    if result.is_err() && setting == "net.mptcp.path_manager" {
        let older = if value == "userspace" { "1" } else { "0" };
        return Ok(namespace.set_sysctl("net.mptcp.pm_type", older)?);
    }
    Ok(result?)
}

fn by_kernel(stage: &mut Stage, _: &Words) -> Result {
    Ok(stage.net()?.join_by_kernel()?)
}

/// By a token bucket where no wire is.
fn carries(stage: &mut Stage, words: &Words) -> Result {
    let rate = words.value::<u64>("rate")? * 1_000_000;
    stage.rate = Some(rate);
    let net = stage.net()?;
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

/// For as long as it takes: the client never stops asking for its neighbour, or else it learns
/// after three seconds that nobody is there, which is another failure.
fn cut(stage: &mut Stage, words: &Words) -> Result {
    let path = stage.path(words.value("number")?)?;
    for family in ["ipv4", "ipv6"] {
        for asking in ["mcast_solicit", "ucast_solicit"] {
            let key = format!("net/{family}/neigh/{}/{asking}", path.client_interface);
            stage.net()?.client.set_sysctl(&key, "1000")?;
        }
    }
    Ok(path.pull_cable()?)
}

fn mended(stage: &mut Stage, words: &Words) -> Result {
    Ok(stage.path(words.value("number")?)?.plug_in()?)
}

fn drops(stage: &mut Stage, words: &Words) -> Result {
    let segments = match words.get("what") {
        "SYNs that ask for Multipath TCP" => DropSegments::mptcp_syns(),
        "SYNs that join" => DropSegments::join_syns(),
        "the third ACK of joins" => DropSegments::third_ack_of_join(),
        "the fourth ACK of joins" => DropSegments::fourth_ack_of_join(),
        what => return failed(format!("nothing can drop {what}")),
    };
    meddle(stage, words, Meddler::Drop(segments))
}

fn strips(stage: &mut Stage, words: &Words) -> Result {
    let strip = match words.get("when") {
        "from the SYN" => StripMptcp::from_syn(),
        "after the handshake" => StripMptcp::after_handshake(),
        "when it begins to meddle" => StripMptcp::when_enabled(),
        when => return failed(format!("nothing can strip {when}")),
    };
    meddle(stage, words, Meddler::Strip(strip))
}

fn meddle(stage: &mut Stage, words: &Words, meddler: Meddler) -> Result {
    let number = words.value("number")?;
    let Some(wire) = stage.path(number)?.wire() else {
        return failed("only wires have room for that: network two wires");
    };
    match meddler.clone() {
        Meddler::Drop(segments) => wire.add(segments),
        Meddler::Strip(strip) => wire.add(strip),
    }
    stage.meddlers.push((number, meddler));
    Ok(())
}

/// What meddles with a path.
fn meddlers<'a>(stage: &'a Stage, words: &Words) -> Result<impl Iterator<Item = &'a Meddler>> {
    let number: usize = words.value("number")?;
    let of_path = stage.meddlers.iter().filter(move |(path, _)| *path == number);
    Ok(of_path.map(|(_, meddler)| meddler))
}

fn has_dropped(stage: &mut Stage, words: &Words) -> Result {
    let wanted: u64 = words.value("count")?;
    crate::judge::soon(|| {
        let dropped: u64 = meddlers(stage, words)?
            .map(|meddler| match meddler {
                Meddler::Drop(segments) => segments.dropped(),
                Meddler::Strip(strip) => strip.stripped(),
            })
            .sum();
        Ok((dropped < wanted).then(|| format!("it has dropped {dropped}")))
    })
}

fn meddles_no_more(stage: &mut Stage, words: &Words) -> Result {
    for meddler in meddlers(stage, words)? {
        match meddler {
            Meddler::Drop(segments) => segments.stop(),
            Meddler::Strip(strip) => strip.disable(),
        }
    }
    Ok(())
}

fn begins_to_meddle(stage: &mut Stage, words: &Words) -> Result {
    for meddler in meddlers(stage, words)? {
        match meddler {
            Meddler::Strip(strip) => strip.enable(),
            Meddler::Drop(_) => return failed("what drops does so from the beginning"),
        }
    }
    Ok(())
}

fn loses_addresses(stage: &mut Stage, words: &Words) -> Result {
    let path = stage.path(words.value("number")?)?;
    let family = if words.get("family") == "v6" { "-6" } else { "-4" };
    let device = path.client_interface.as_str();
    stage.net()?.client.ip(&[family, "address", "flush", "dev", device])?;
    Ok(())
}

/// Bound to an interface, IPv4 takes any address for a neighbour, and waits for its answer.
fn no_routes(stage: &mut Stage, _: &Words) -> Result {
    let net = stage.net()?;
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

fn router_says(stage: &mut Stage, words: &Words) -> Result {
    let number: usize = words.value("number")?;
    let net = stage.net()?;
    ensure(number <= net.routers.len(), || "there is no such router".to_owned())?;
    for family in [crate::place::Family::V4, crate::place::Family::V6] {
        let nowhere = family.nowhere().to_string();
        net.routers[number - 1].ip(&["route", "replace", "unreachable", &nowhere])?;
    }
    Ok(())
}
