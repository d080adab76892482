//! What the doctor finds.

use super::Sentence;
use crate::arguments::Arguments;
use crate::protocol::{Fields, Request};
use crate::step_error::{Result, ensure};
use crate::world::World;

pub(super) const SENTENCES: &[Sentence] = &[
    ("{actor} asks the doctor about its namespace", |world, arguments| {
        finds(world, arguments, Request::new("doctor"))
    }),
    ("{actor} asks the doctor about the way to {listener}", |world, arguments| {
        let remote = super::socket::find_listener(world, arguments.get("listener"))?.address;
        finds(world, arguments, Request::new("doctor").with("remote", remote))
    }),
    ("{actor} asks the doctor about {connection}", |world, arguments| {
        let connection = arguments.get("connection");
        finds(world, arguments, Request::new("diagnose").with("sock", connection))
    }),
];

/// The first finding is the expected one, or nothing graver than a notice is found: `nothing`. Each has a text
/// and a remedy.
fn finds(world: &mut World, arguments: &Arguments, request: Request) -> Result {
    let found = world.done(arguments.get("actor"), request)?.list()?;
    let has_texts = |one: &Fields| {
        ["explanation", "remedy"]
            .iter()
            .all(|name| one.get(name).is_some_and(|text| text.len() > 8))
    };
    let grave: Vec<_> = found.iter().filter(|one| one.get("severity") != Some("Notice")).collect();
    let is_so = match arguments.expected.as_str() {
        "nothing" => grave.is_empty(),
        kind => grave.first().is_some_and(|first| first.get("kind") == Some(kind)),
    };
    ensure(is_so && found.iter().all(has_texts), || format!("{found:?}"))
}
