//! Waiting with the interpreter released, until it is time to look again or a signal came.

use pyo3::prelude::*;
use subflows::Error;

use crate::error::OrRaise;

/// Steps a wait to its end: `advance` looks, `wait` blocks, `meanwhile` says why to give up.
pub(crate) fn wait<W: Send, T: Send>(
    py: Python<'_>,
    waiting: &mut W,
    advance: impl Fn(&mut W) -> Result<Option<T>, Error> + Sync,
    wait: impl Fn(&mut W) -> Result<(), Error> + Sync,
    meanwhile: impl Fn() -> PyResult<()>,
) -> PyResult<T> {
    loop {
        if let Some(done) = py.detach(|| advance(waiting)).or_raise(py)? {
            return Ok(done);
        }
        py.detach(|| wait(waiting)).or_raise(py)?;
        // Core's wait ends when a signal came, and swallows none.
        py.check_signals()?;
        meanwhile()?;
    }
}
