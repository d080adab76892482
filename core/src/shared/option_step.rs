//! One option to get or to set, as a door does it.

use crate::sys::bpf::subflow_option::{ROOM, Step};

/// An option to get or to set, by its numbers in the kernel, and what came of it.
#[derive(Clone, Debug)]
pub(crate) struct OptionStep(Step);

impl OptionStep {
    /// The longest value, in bytes.
    pub(crate) const ROOM: usize = ROOM;

    /// Sets an option to at most [`ROOM`](Self::ROOM) bytes; a longer value is cut.
    pub(crate) fn set(level: i32, number: i32, value: &[u8]) -> OptionStep {
        OptionStep(Step::set(level, number, value))
    }

    /// Gets an option of that length.
    pub(crate) fn get(level: i32, number: i32, length: usize) -> OptionStep {
        OptionStep(Step::get(level, number, length))
    }

    /// Returns what is asked: whether to set, the level, the option, and the value or its room.
    pub(crate) fn request(&self) -> (bool, i32, i32, &[u8]) {
        self.0.request()
    }

    /// Takes the result of a step that another process made: 0 or a negative error number, and the value.
    pub(crate) fn answer(&mut self, result: i32, value: &[u8]) {
        self.0.answer(result, value);
    }

    /// Returns the value, or the error number.
    pub(crate) fn outcome(&self) -> Result<&[u8], i32> {
        self.0.outcome()
    }

    /// What the program of `sys/bpf/subflow_option` is asked to do.
    pub(crate) fn raw(&self) -> Step {
        self.0
    }

    /// The same, with its outcome.
    pub(crate) fn done(raw: Step) -> OptionStep {
        OptionStep(raw)
    }
}
