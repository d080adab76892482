//! Data under which subflows come and go, and the wires that carry it.

use std::time::{Duration, Instant};

use subflows_lab::Path;

use super::Sentence;
use crate::judge::{SOON, soon};
use crate::protocol::Request;
use crate::sentence::Words;
use crate::stage::Stage;
use crate::trouble::{Result, ensure, failed};

pub(super) const SENTENCES: &[Sentence] = &[
    ("{actor} pours into {link}", pours),
    ("every path carries data", every_path),
    ("only path {number} carries data", only_path),
    ("every byte has arrived", every_byte),
];

/// Over which time a wire is watched.
const WINDOW: Duration = Duration::from_millis(300);
/// The least part of its rate that a path that is used carries.
const USED: f64 = 0.3;
/// The most of what the others carry that goes over a path that is not used.
const SILENT: f64 = 0.02;

fn peer(actor: &str) -> &'static str {
    if actor == "client" { "server" } else { "client" }
}

/// One end sends without an end, the other one takes it.
fn pours(stage: &mut Stage, words: &Words) -> Result {
    let (actor, link) = (words.get("actor"), words.get("link"));
    stage.done(peer(actor), Request::new("drain").with("sock", link))?;
    stage.done(actor, Request::new("pour").with("sock", link))?;
    stage.pouring = Some((link.to_owned(), actor.to_owned()));
    // Once something has come through, the connection is ready.
    let before = carried(stage)?.iter().sum::<u64>();
    soon(|| {
        let now = carried(stage)?.iter().sum::<u64>();
        Ok((now < before + 200_000).then(|| "no data come through".to_owned()))
    })
}

/// What each path has carried in the direction of the data.
fn carried(stage: &Stage) -> Result<Vec<u64>> {
    let Some((_, actor)) = &stage.pouring else { return failed("nobody pours") };
    let of = |path: &Path| {
        let bytes = path.bytes()?;
        Ok(if actor == "client" { bytes.to_server } else { bytes.to_client })
    };
    stage.net()?.paths.iter().map(of).collect()
}

/// Soon there is a window in which the wires carry that.
fn window(stage: &Stage, is_so: impl Fn(&[f64]) -> bool) -> Result {
    let Some(rate) = stage.rate else { return failed("say what the paths carry first") };
    let deadline = Instant::now() + SOON;
    let (mut start, mut before) = (Instant::now(), carried(stage)?);
    loop {
        std::thread::sleep(WINDOW);
        let span = start.elapsed().as_secs_f64();
        let now = carried(stage)?;
        let can = rate as f64 / 8.0 * span;
        let parts: Vec<f64> =
            now.iter().zip(&before).map(|(now, then)| (now - then) as f64 / can).collect();
        if is_so(&parts) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return failed(format!("the wires carry these parts of their rate: {parts:.3?}"));
        }
        (start, before) = (Instant::now(), now);
    }
}

/// The first two, where a network has more.
fn every_path(stage: &mut Stage, _: &Words) -> Result {
    window(stage, |parts| parts.iter().take(2).all(|part| *part >= USED))
}

fn only_path(stage: &mut Stage, words: &Words) -> Result {
    let number: usize = words.value("number")?;
    stage.path(number)?;
    window(stage, |parts| {
        let used = parts[number - 1];
        let others = parts.iter().enumerate().filter(|(place, _)| *place != number - 1);
        used >= USED && others.map(|(_, part)| part).all(|part| *part < used * SILENT)
    })
}

/// As many bytes as were sent, and the same.
fn every_byte(stage: &mut Stage, _: &Words) -> Result {
    let Some((link, actor)) = stage.pouring.take() else { return failed("nobody pours") };
    let about = |verb: &str| Request::new(verb).with("sock", &link);
    let sent = stage.done(&actor, about("poured"))?;
    let received = stage.done(peer(&actor), about("drained"))?;
    ensure(sent.value::<u64>("bytes")? > 1 << 20, || format!("hardly any were sent: {sent}"))?;
    if sent != received {
        return failed(format!("sent: {sent}; received: {received}"));
    }
    Ok(())
}
