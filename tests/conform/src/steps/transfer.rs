//! Continuous transfers, and which paths carry them.

use std::time::{Duration, Instant};

use subflows_lab::Path;

use super::Sentence;
use crate::arguments::Arguments;
use crate::judge::{SOON, soon};
use crate::protocol::Request;
use crate::step_error::{Result, ensure, failed};
use crate::world::{Transfer, World};

pub(super) const SENTENCES: &[Sentence] = &[
    ("{actor} sends continuously on {connection}", sends),
    ("{actor} receives continuously on {connection}", receives),
    ("the paths carry more data", carry_more),
    ("both paths carry data", both_paths),
    ("only path {number} carries data", only_path),
    ("every byte has arrived", every_byte),
];

/// How long the paths are observed.
const WINDOW: Duration = Duration::from_millis(300);
/// A used path carries at least this part of its rate.
const USED: f64 = 0.3;
/// An unused path carries less than this part of what the used path carries.
const SILENT: f64 = 0.02;

const NO_TRANSFER: &str = "no actor sends continuously";

fn peer(actor: &str) -> &'static str {
    if actor == "client" { "server" } else { "client" }
}

/// One end sends until a later step, and the other end receives.
fn sends(world: &mut World, arguments: &Arguments) -> Result {
    start(world, arguments.get("actor"), arguments.get("connection"))
}

fn receives(world: &mut World, arguments: &Arguments) -> Result {
    start(world, peer(arguments.get("actor")), arguments.get("connection"))
}

fn start(world: &mut World, actor: &str, connection: &str) -> Result {
    world.done(peer(actor), Request::new("plain.start_receiving").with("sock", connection))?;
    world.done(actor, Request::new("plain.start_sending").with("sock", connection))?;
    world.transfer = Some(Transfer { connection: connection.to_owned(), sender: actor.to_owned() });
    // The connection is ready for additional subflows once data has arrived.
    wait_for(world, 200_000)
}

fn carry_more(world: &mut World, _: &Arguments) -> Result {
    wait_for(world, 2_000_000)
}

/// Waits until the paths have carried that many bytes more.
fn wait_for(world: &World, bytes: u64) -> Result {
    let before = carried(world)?.iter().sum::<u64>();
    soon(|| {
        let now = carried(world)?.iter().sum::<u64>();
        Ok((now < before + bytes).then(|| "hardly any data has arrived".to_owned()))
    })
}

/// How many bytes each path has carried in the direction of the transfer.
fn carried(world: &World) -> Result<Vec<u64>> {
    let Some(transfer) = &world.transfer else { return failed(NO_TRANSFER) };
    let of = |path: &Path| {
        let bytes = path.bytes()?;
        Ok(if transfer.sender == "client" { bytes.to_server } else { bytes.to_client })
    };
    world.net()?.paths.iter().map(of).collect()
}

/// Waits for a time in which the paths carry these parts of their rates.
fn window(world: &World, is_so: impl Fn(&[f64]) -> bool) -> Result {
    let Some(rate) = world.rate else { return failed("limit the rate of the paths first") };
    let deadline = Instant::now() + SOON;
    let (mut start, mut before) = (Instant::now(), carried(world)?);
    loop {
        std::thread::sleep(WINDOW);
        let span = start.elapsed().as_secs_f64();
        let now = carried(world)?;
        let can = rate as f64 / 8.0 * span;
        let parts: Vec<f64> =
            now.iter().zip(&before).map(|(now, then)| (now - then) as f64 / can).collect();
        if is_so(&parts) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return failed(format!("the paths carry these parts of their rates: {parts:.3?}"));
        }
        (start, before) = (Instant::now(), now);
    }
}

/// The first two paths of the network.
fn both_paths(world: &mut World, _: &Arguments) -> Result {
    window(world, |parts| parts.iter().take(2).all(|part| *part >= USED))
}

fn only_path(world: &mut World, arguments: &Arguments) -> Result {
    let number: usize = arguments.value("number")?;
    world.path(number)?;
    window(world, |parts| {
        let used = parts[number - 1];
        let others = parts.iter().enumerate().filter(|(place, _)| *place != number - 1);
        used >= USED && others.map(|(_, part)| part).all(|part| *part < used * SILENT)
    })
}

/// The receiver has the number of bytes that were sent, and their checksum.
fn every_byte(world: &mut World, _: &Arguments) -> Result {
    let Some(Transfer { connection, sender }) = world.transfer.take() else {
        return failed(NO_TRANSFER);
    };
    let about = |verb: &str| Request::new(verb).with("sock", &connection);
    let sent = world.done(&sender, about("plain.stop_sending"))?;
    let received = world.done(peer(&sender), about("plain.finish_receiving"))?;
    ensure(sent.value::<u64>("bytes")? > 1 << 20, || format!("hardly any data was sent: {sent}"))?;
    if sent != received {
        return failed(format!("sent: {sent}; received: {received}"));
    }
    Ok(())
}
