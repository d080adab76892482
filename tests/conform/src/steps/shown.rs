//! What ss, nstat and the library show.

use std::collections::BTreeSet;

use subflows_lab::oracle;

use super::Sentence;
use super::subflow::place;
use crate::judge::{self, soon};
use crate::place::{Ends, mirrored};
use crate::sentence::Words;
use crate::stage::{Stage, ends_of};
use crate::trouble::{Result, ensure, failed};

pub(super) const SENTENCES: &[Sentence] = &[
    ("{link} consists of {names...}", consists_of),
    ("{name} is joined at both ends", is_joined),
    ("{name} leaves by the interface of path {number}", leaves_by),
    ("{name} leaves from path {number}", leaves_from),
    ("ss shows {count} subflows of {link} at the {actor}", shows),
    ("ss shows {link} as Multipath TCP at the {actor}", shows_mptcp),
    ("ss shows no Multipath TCP at the {actor}", shows_no_mptcp),
    ("ss shows a subflow from path {number} that is only {state}", shows_unjoined),
    ("nstat of the {actor} counts {counter}", counts),
    ("nstat of the {actor} counts no {counter}", counts_none),
    ("the kernel has opened {name} from path {number} of {link}", kernel_has_opened),
];

/// Soon `list` and ss both show exactly these, at both ends.
fn consists_of(stage: &mut Stage, words: &Words) -> Result {
    let link = words.get("link").to_owned();
    let mut expected = BTreeSet::<Ends>::new();
    for name in words.parts("names").filter(|name| *name != "nothing") {
        let own = format!("{link}'s {name}");
        let name = if stage.known.contains_key(&own) { own.as_str() } else { name };
        // Such as `extra1..8`; up to 0 there is none.
        match name.split_once("1..") {
            Some((many, last)) => {
                for number in 1..=place(last)? {
                    expected.insert(stage.subflow(&format!("{many}{number}"))?.ends);
                }
            }
            None => drop(expected.insert(stage.subflow(name)?.ends)),
        }
    }
    for actor in ["client", "server"] {
        let expected = match actor {
            "server" => expected.iter().copied().map(mirrored).collect(),
            _ => expected.clone(),
        };
        let token = stage.token(actor, &link)?;
        soon(|| {
            let listed = stage.listed(actor, &link)?;
            let count = listed.len();
            let listed: BTreeSet<Ends> = listed.iter().map(ends_of).collect::<Result<_>>()?;
            ensure(listed.len() == count, || format!("listed twice: {listed:?}"))?;
            let shown = judge::ends(stage.namespace(actor)?, token);
            let is_so = listed == expected && shown == expected;
            Ok((!is_so).then(|| {
                format!("at the {actor} list has {listed:?}, ss {shown:?}, and not {expected:?}")
            }))
        })?;
    }
    Ok(())
}

fn is_joined(stage: &mut Stage, words: &Words) -> Result {
    let name = words.get("name");
    let link = stage.subflow(name)?.link.clone();
    for actor in ["client", "server"] {
        let (token, ends) = (stage.token(actor, &link)?, stage.seen(actor, name)?);
        let found = judge::find(stage.namespace(actor)?, token, ends);
        let is_it = found.as_ref().is_some_and(|found| found.flags.contains('e'));
        ensure(is_it, || format!("at the {actor} ss shows {found:?}"))?;
    }
    Ok(())
}

fn leaves_by(stage: &mut Stage, words: &Words) -> Result {
    let name = words.get("name");
    let token = stage.token("client", &stage.subflow(name)?.link)?;
    let found = judge::find(stage.namespace("client")?, token, stage.seen("client", name)?);
    let bound = found.and_then(|found| found.interface);
    let expected = &stage.path(words.value("number")?)?.client_interface;
    ensure(bound.as_ref() == Some(expected), || format!("ss shows it bound to {bound:?}"))
}

fn leaves_from(stage: &mut Stage, words: &Words) -> Result {
    let known = stage.subflow(words.get("name"))?;
    let path = stage.path(words.value("number")?)?;
    let expected = stage.family(&known.link).client_ip(path);
    ensure(known.ends.0.ip() == expected, || format!("it leaves from {}", known.ends.0))
}

fn shows(stage: &mut Stage, words: &Words) -> Result {
    let (actor, count): (&str, usize) = (words.get("actor"), words.value("count")?);
    let token = stage.token(actor, words.get("link"))?;
    soon(|| {
        let shown = judge::ends(stage.namespace(actor)?, token);
        Ok((shown.len() != count).then(|| format!("ss shows {shown:?}")))
    })
}

fn shows_mptcp(stage: &mut Stage, words: &Words) -> Result {
    stage.token(words.get("actor"), words.get("link")).map(drop)
}

/// What fell back is still shown, and said to be so.
fn shows_no_mptcp(stage: &mut Stage, words: &Words) -> Result {
    let mut shown = oracle::ss_connections(stage.namespace(words.get("actor"))?);
    shown.retain(|shown| !shown.details.split(' ').any(|word| word == "fallback"));
    ensure(shown.is_empty(), || format!("ss -M shows {shown:?}"))
}

/// Soon ss shows what is answered or asked for, and never what is joined.
fn shows_unjoined(stage: &mut Stage, words: &Words) -> Result {
    let path = stage.path(words.value("number")?)?;
    let ips = [path.client_v4.into(), path.client_v6.into()];
    let state = match words.get("state") {
        "answered" => "ESTAB",
        "asked" => "SYN-SENT",
        other => return failed(format!("a subflow is answered or asked, not {other}")),
    };
    soon(|| {
        let mut shown = oracle::ss_subflows(stage.namespace("client")?);
        shown.retain(|shown| ips.contains(&shown.local.ip()));
        let joined = shown.iter().find(|shown| shown.flags.contains('e'));
        ensure(joined.is_none(), || format!("it is joined: {joined:?}"))?;
        let is_there = shown.iter().any(|shown| shown.state == state);
        Ok((!is_there).then(|| format!("ss shows {shown:?}")))
    })
}

fn counts(stage: &mut Stage, words: &Words) -> Result {
    let count = oracle::nstat(stage.namespace(words.get("actor"))?, words.get("counter"));
    ensure(count > 0, || "it has counted nothing".to_owned())
}

fn counts_none(stage: &mut Stage, words: &Words) -> Result {
    let count = oracle::nstat(stage.namespace(words.get("actor"))?, words.get("counter"));
    ensure(count == 0, || format!("it has counted {count}"))
}

/// Soon ss shows one from there that is joined: it gets this name.
fn kernel_has_opened(stage: &mut Stage, words: &Words) -> Result {
    let (name, link) = (words.get("name"), words.get("link").to_owned());
    let ip = stage.family(&link).client_ip(stage.path(words.value("number")?)?);
    let token = stage.token("client", &link)?;
    let mut ends = None;
    soon(|| {
        let shown = judge::subflows(stage.namespace("client")?, token);
        let found = shown
            .iter()
            .find(|found| found.local.ip().to_canonical() == ip && found.flags.contains('e'));
        ends = found.map(|found| (found.local, found.remote));
        Ok(ends.is_none().then(|| format!("ss shows {shown:?}")))
    })?;
    if let Some(ends) = ends {
        let ids = std::collections::BTreeMap::new();
        stage.known.insert(name.to_owned(), crate::stage::Known { link, ends, ids });
    }
    Ok(())
}
