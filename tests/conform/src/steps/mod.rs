//! The sentences of scenarios.
//!
//! `{name}` is one word, `{name...}` all that are left. Behind a colon stands what is expected: a
//! kind of error (`NotReady`), values (`is_ready=true`), or the name that what came is given.

mod event;
mod load;
mod network;
mod shown;
mod socket;
mod state;
mod subflow;

use crate::scenario::Step;
use crate::sentence::Words;
use crate::stage::Stage;
use crate::trouble::{Result, failed};

/// Does what a sentence says.
pub type Act = fn(&mut Stage, &Words) -> Result;

/// A sentence, and what it does.
pub type Sentence = (&'static str, Act);

/// Every sentence that there is, in groups.
pub const SENTENCES: &[&[Sentence]] = &[
    network::SENTENCES,
    socket::SENTENCES,
    subflow::SENTENCES,
    shown::SENTENCES,
    load::SENTENCES,
    event::SENTENCES,
    state::SENTENCES,
];

/// Does what a step says. `client's child` is a fork of the client's driver.
pub fn perform(stage: &mut Stage, step: &Step) -> Result {
    stage.is_child = step.text.contains("'s child ");
    stage.last = None;
    match find(step) {
        Some((act, words)) => act(stage, &words),
        None => failed("no sentence is like this; see tests/conform/src/steps"),
    }
}

/// Whether a step can be read at all.
pub fn is_known(step: &Step) -> bool {
    find(step).is_some()
}

/// Of the sentences that it may be, the one with the fewest holes.
fn find(step: &Step) -> Option<(Act, Words)> {
    let text = step.text.replace("'s child ", " ");
    let all = SENTENCES.iter().copied().flatten();
    let fitting = all.filter_map(|(pattern, act)| Some((*act, Words::fill(pattern, &text)?)));
    fitting.min_by_key(|(_, words)| words.holes())
}
