//! Why a call fails.

use std::borrow::Cow;
use std::io;

use subflows::Error;

/// The reason why a call fails.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Core reported an error.
    Core(Error),
    /// An argument is invalid: what is wrong with it, and the remedy.
    Argument(String, Cow<'static, str>),
    /// The system reported an error to this library itself.
    System(io::Error),
    /// The handle is in the wrong state for this call: how, and the remedy.
    State(&'static str, &'static str),
    /// A bug in this library.
    Panic,
}

impl Failure {
    pub(crate) fn argument(
        detail: impl Into<String>,
        remedy: impl Into<Cow<'static, str>>,
    ) -> Failure {
        Failure::Argument(detail.into(), remedy.into())
    }

    /// Rejects a reserved member that is not zero.
    pub(crate) fn unless_zero(bytes: &[u8], name: &str) -> Result<(), Failure> {
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        Err(Failure::argument(
            format!("`{name}` is not zero"),
            "Start every options struct from zero: struct … options = {0};",
        ))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Core(error)
    }
}
