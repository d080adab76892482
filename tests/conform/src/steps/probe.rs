//! What a probe finds.

use super::Sentence;
use crate::arguments::Arguments;
use crate::protocol::Request;
use crate::step_error::{Result, ensure};
use crate::world::World;

pub(super) const SENTENCES: &[Sentence] = &[
    ("{actor} probes {listener}", |world, arguments| finds(world, arguments, None)),
    ("{actor} probes {listener} with data", |world, arguments| finds(world, arguments, Some("?"))),
];

/// The verdict is the expected one, and the address is that of the listener.
fn finds(world: &mut World, arguments: &Arguments, data: Option<&str>) -> Result {
    let listener = super::socket::find_listener(world, arguments.get("listener"))?;
    let mut request = Request::new("probe").with("address", listener.address);
    if let Some(data) = data {
        request = request.with("data", data);
    }
    let report = world.done(arguments.get("actor"), request)?;
    let is_so = report.get("verdict") == Some(&*arguments.expected)
        && report.value("remote") == Ok(listener.address);
    ensure(is_so, || report.to_string())
}
