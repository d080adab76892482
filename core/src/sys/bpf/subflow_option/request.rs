//! What the program is asked to do: the value of its map, as in `subflow_option.bpf.c`.

use std::mem::{offset_of, size_of};

/// The most steps of one request.
pub(crate) const MAX_STEPS: usize = 24;
/// The longest value of an option, in bytes.
pub(crate) const ROOM: usize = 32;

/// One option to set or to get.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    is_set: u32,
    level: i32,
    name: i32,
    length: u32,
    result: i32,
    reserved: u32,
    value: [u8; ROOM],
}

impl Step {
    const EMPTY: Step =
        Step { is_set: 0, level: 0, name: 0, length: 0, result: 0, reserved: 0, value: [0; ROOM] };

    /// Sets an option to at most [`ROOM`] bytes; a longer value is cut.
    pub(crate) fn set(level: i32, name: i32, value: &[u8]) -> Step {
        let mut step = Step { is_set: 1, ..Step::get(level, name, value.len()) };
        let length = value.len().min(ROOM);
        step.value[..length].copy_from_slice(&value[..length]);
        step
    }

    /// Gets an option of that length, of at least one byte.
    pub(crate) fn get(level: i32, name: i32, length: usize) -> Step {
        // A step that the program does not reach keeps this result.
        let result = -libc::ECANCELED;
        Step { level, name, length: length.clamp(1, ROOM) as u32, result, ..Step::EMPTY }
    }

    /// Returns what is asked: whether to set, the level, the option, and the value or its room.
    pub(crate) fn request(&self) -> (bool, i32, i32, &[u8]) {
        let value = &self.value[..(self.length as usize).min(ROOM)];
        (self.is_set != 0, self.level, self.name, value)
    }

    /// Takes the result of a step that another process made.
    pub(crate) fn answer(&mut self, result: i32, value: &[u8]) {
        let length = value.len().min(ROOM);
        (self.result, self.length) = (result, length as u32);
        self.value[..length].copy_from_slice(&value[..length]);
    }

    /// Returns the value, or the error number.
    pub(crate) fn outcome(&self) -> Result<&[u8], i32> {
        match self.result {
            0 => Ok(&self.value[..(self.length as usize).min(ROOM)]),
            negative => Err(-negative),
        }
    }
}

/// The value of the map.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    cookie: u64,
    count: u32,
    is_found: u32,
    steps: [Step; MAX_STEPS],
}

const _: () = assert!(size_of::<Step>() == 56 && offset_of!(Step, value) == 24);
const _: () =
    assert!(size_of::<Request>() == 16 + 56 * MAX_STEPS && offset_of!(Request, steps) == 16);

impl Request {
    /// A request that no socket matches.
    pub(super) const NOTHING: Request =
        Request { cookie: 0, count: 0, is_found: 0, steps: [Step::EMPTY; MAX_STEPS] };

    pub(super) fn new(cookie: u64, steps: &[Step]) -> Request {
        let mut request = Request { cookie, count: steps.len() as u32, ..Request::NOTHING };
        request.steps[..steps.len()].copy_from_slice(steps);
        request
    }

    /// Returns the first steps with their results, or `None` if the program did not find the socket.
    pub(super) fn answer(&self, steps: usize) -> Option<&[Step]> {
        (self.is_found != 0).then(|| &self.steps[..steps])
    }
}
