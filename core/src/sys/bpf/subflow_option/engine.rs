//! The program and its map, which the process keeps.
//!
//! A call has an engine for itself, because the map holds one request. So a kept one is taken out of the pool
//! and put back afterwards, as a netlink socket is (`sys/cache.rs`, which explains what the checks here are
//! for): a descriptor that the program has closed is neither used nor closed again. If more threads ask at the
//! same time, the others load the program once more.

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};

use super::program::INSTRUCTIONS;
use super::request::{MAX_STEPS, Request, Step};
use super::{Failure, walk};
use crate::sys::bpf::btf;
use crate::sys::bpf::call::{self, Identity, Name};
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

/// Calls `f` with every signal blocked. They are delivered afterwards.
fn without_signals<T>(f: impl FnOnce() -> T) -> T {
    let mut before = SigSet::empty();
    let all = SigSet::all();
    let blocked = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&all), Some(&mut before));
    let result = f();
    if blocked.is_ok() {
        // The mask is the thread's own former one, which the system accepts.
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None);
    }
    result
}

/// A program or a map, and what shows that the descriptor still is one.
struct Object {
    fd: ManuallyDrop<OwnedFd>,
    identity: Option<Identity>,
}

impl Object {
    fn new(fd: OwnedFd) -> Object {
        let identity = call::identity(fd.as_fd());
        Object { fd: ManuallyDrop::new(fd), identity }
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    fn is_still_open(&self) -> bool {
        self.identity == call::identity(self.as_fd())
    }
}

impl Drop for Object {
    /// Closes the descriptor, unless its number now belongs to another file.
    fn drop(&mut self) {
        if self.is_still_open() {
            // SAFETY: this is the one place that drops `fd`, and nothing uses it after this.
            unsafe { ManuallyDrop::drop(&mut self.fd) };
        }
    }
}
