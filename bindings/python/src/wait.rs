//! Waiting with the interpreter released, until a signal or the next step.

use pyo3::prelude::*;
use subflows::Error;

use crate::error::OrRaise;

/// Steps a wait to its end: `advance` checks, `wait` blocks, `check` fails if the wait must end.
pub(crate) fn wait<W: Send, T: Send>(
    py: Python<'_>,
    waiting: &mut W,
    advance: impl Fn(&mut W) -> Result<Option<T>, Error> + Sync,
    wait: impl Fn(&mut W) -> Result<(), Error> + Sync,
    check: impl Fn() -> PyResult<()>,
) -> PyResult<T> {
    loop {
        if let Some(done) = py.detach(|| advance(waiting)).or_raise(py)? {
            return Ok(done);
        }
        py.detach(|| wait(waiting)).or_raise(py)?;
        // A signal ends core's wait, which leaves it to the interpreter.
        py.check_signals()?;
        check()?;
    }
}

/// A step of a wait that has ended.
pub(crate) const FINISHED: &str = "this attempt has already finished: begin a new one";
