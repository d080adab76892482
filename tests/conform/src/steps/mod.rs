//! The sentences of scenarios, and the step that each performs.
//!
//! The parameter `{name}` matches one word, `{name...}` all remaining words. The text after a colon
//! is what the step expects or names: a kind of error (`NotReady`), values (`is_ready=true`), or a
//! name for the result.

mod doctor;
mod events;
mod namespace;
mod network;
mod probe;
mod shown;
mod socket;
mod state;
mod subflow;
mod transfer;

use crate::arguments::Arguments;
use crate::scenario::Step;
use crate::step_error::{Result, failed};
use crate::world::World;

/// Performs a step.
pub type Perform = fn(&mut World, &Arguments) -> Result;

/// A sentence, and the function that performs it.
pub type Sentence = (&'static str, Perform);

/// Every sentence, in groups.
pub const SENTENCES: &[&[Sentence]] = &[
    network::SENTENCES,
    socket::SENTENCES,
    subflow::SENTENCES,
    shown::SENTENCES,
    transfer::SENTENCES,
    events::SENTENCES,
    state::SENTENCES,
    namespace::SENTENCES,
    doctor::SENTENCES,
    probe::SENTENCES,
];

/// Performs a step. `client's child` is a child process of the client's driver.
pub fn perform(world: &mut World, step: &Step) -> Result {
    world.is_child = step.text.contains("'s child ");
    world.last = None;
    match find(step) {
        Some((perform, arguments)) => perform(world, &arguments),
        None => failed("no sentence matches this step: see tests/conform/src/steps"),
    }
}

/// Whether a sentence matches the step.
pub fn is_known(step: &Step) -> bool {
    find(step).is_some()
}

/// The matching sentence whose parameters match the fewest words.
fn find(step: &Step) -> Option<(Perform, Arguments)> {
    let text = step.text.replace("'s child ", " ");
    let all = SENTENCES.iter().copied().flatten();
    let matching =
        all.filter_map(|(sentence, perform)| Some((*perform, Arguments::parse(sentence, &text)?)));
    matching.min_by_key(|(_, arguments)| arguments.word_count())
}
