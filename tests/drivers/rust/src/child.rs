//! A child of the driver that answers a request instead of the driver.

use std::fs::File;
use std::io::{Read, Write};

use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork, pipe};

use crate::answer::Fault;

/// Calls the function in a child of this process, and returns its result.
pub(crate) fn run(f: impl FnOnce() -> String) -> Result<String, Fault> {
    let (read_end, write_end) = pipe()?;
    // SAFETY: the C library keeps its locks usable in the child of a process with threads, and the
    // child runs only `f`.
    match unsafe { fork() }? {
        ForkResult::Child => {
            drop(read_end);
            let answer = f();
            let _ = File::from(write_end).write_all(answer.as_bytes());
            // SAFETY: the child has nothing left to do.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { child } => {
            drop(write_end);
            let mut answer = String::new();
            File::from(read_end).read_to_string(&mut answer)?;
            waitpid(child, None)?;
            Ok(answer)
        }
    }
}
