//! The program and its map, which the process keeps.
//!
//! A call has an engine for itself, because the map holds one request. So a kept one is taken out of the pool
//! and put back afterwards, as a netlink socket is (`sys/cache.rs`, which explains what the checks here are
//! for): a descriptor that the program has closed is neither used nor closed again. If more threads ask at the
//! same time, the others load the program once more.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use super::program::INSTRUCTIONS;
use super::request::{MAX_STEPS, Request, Step};
use crate::sys::bpf::call::{self, Name};
use crate::sys::bpf::object::Object;
use crate::sys::bpf::signals::without_signals;
use crate::sys::bpf::{Failure, btf, walk};
use crate::sys::fork;
use crate::sys::pool::Pool;

/// The name of the program and of its map.
const NAME: Name = *b"subflow_option\0\0";

static KEPT: Pool<Engine> = Pool::new();

pub(super) struct Engine {
    map: Object,
    program: Object,
    generation: u64,
}

impl Engine {
    /// Takes a kept engine, or loads the program.
    pub(super) fn take() -> Result<Box<Engine>, Failure> {
        Engine::take_kept().map_or_else(Engine::load, Ok)
    }

    fn take_kept() -> Option<Box<Engine>> {
        // An engine of the parent process may be in use there.
        KEPT.take().filter(|kept| kept.generation == fork::generation() && kept.is_still_open())
    }

    fn load() -> Result<Box<Engine>, Failure> {
        let function = btf::iterator_of_tcp().map_err(Failure::Types)?;
        let function = function.ok_or(Failure::NoIterator)?;
        let map = Object::new(call::map_create(NAME, size_of::<Request>()).map_err(Failure::Map)?);
        // A signal would end the verification of the program, with EAGAIN.
        let program =
            without_signals(|| call::program_load(NAME, INSTRUCTIONS, map.as_fd(), function));
        let program = program.map_err(Failure::Program)?;
        Ok(Box::new(Engine { map, program: Object::new(program), generation: fork::generation() }))
    }

    fn is_still_open(&self) -> bool {
        self.map.is_still_open() && self.program.is_still_open()
    }

    /// Makes the steps on the socket with that cookie. If the walk is abandoned, the engine is not kept: the
    /// child may still use it.
    pub(super) fn run(
        self: Box<Engine>,
        cookie: u64,
        steps: &mut [Step],
        deadline: Instant,
    ) -> Result<(), Failure> {
        assert!(steps.len() <= MAX_STEPS);
        let map = self.map.as_fd();
        write(map, Request::new(cookie, steps)).map_err(Failure::Request)?;
        let mut iterator = call::iterator(self.program.as_fd()).map_err(Failure::Iterator)?;
        let (walked, answer) = loop {
            let walked = walk::walk(iterator, deadline);
            let answer = read(map).map_err(Failure::Request)?;
            match walked {
                Ok(Some(stopped)) if answer.answer(0).is_none() => iterator = stopped,
                walked => break (walked.map(drop), answer),
            }
        };
        let is_abandoned = matches!(walked, Err(Failure::TimedOut | Failure::Child(_)));
        let is_found = match answer.answer(steps.len()) {
            Some(answers) => {
                steps.copy_from_slice(answers);
                true
            }
            None => false,
        };
        if !is_abandoned {
            KEPT.put(self);
        } else if !is_found {
            // Whatever the walk still meets, the program does nothing.
            write(map, Request::NOTHING).map_err(Failure::Request)?;
        }
        if is_found { Ok(()) } else { walked.and(Err(Failure::NotFound)) }
    }

    /// Makes an iterator, and does not run it. A program that was not kept before is not kept: a question
    /// leaves nothing behind.
    pub(super) fn prove() -> Result<(), Failure> {
        let prove = |engine: &Engine| call::iterator(engine.program.as_fd()).map(drop);
        let proved = match Engine::take_kept() {
            Some(kept) => {
                let proved = prove(&kept);
                KEPT.put(kept);
                proved
            }
            None => prove(&*Engine::load()?),
        };
        proved.map_err(Failure::Iterator)
    }
}

fn write(map: BorrowedFd<'_>, request: Request) -> io::Result<()> {
    // SAFETY: the map was made for a `Request`.
    unsafe { call::write(map, request) }
}

fn read(map: BorrowedFd<'_>) -> io::Result<Request> {
    let mut request = Request::NOTHING;
    // SAFETY: the map was made for a `Request`, which has only numbers.
    unsafe { call::read(map, &mut request) }?;
    Ok(request)
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsFd, AsRawFd};

    use super::*;
    use crate::sys::bpf::call::{LOAD_ADDRESS, instructions};

    #[test]
    fn every_address_in_the_program_becomes_that_of_the_map() {
        let stand_in = std::fs::File::open("/dev/null").unwrap();
        let (program, mut loads) = (instructions(INSTRUCTIONS, stand_in.as_fd()), 0);
        let mut rest = program.iter();
        while let Some(instruction) = rest.next() {
            if instruction.operation == LOAD_ADDRESS {
                loads += 1;
                assert_eq!(instruction.immediate, stand_in.as_raw_fd());
                assert_eq!(rest.next().map(|second| second.immediate), Some(0));
            }
        }
        // As many as clang has made: with another program, it may load something else in this way.
        assert_eq!(loads, 4, "objdump: is every one of them the address of the request?");
    }
}
