//! Why a call fails.

use std::io;

use subflows::Error;

/// The reason why a call fails.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Core reported an error.
    Core(Error),
    /// An argument is invalid; perhaps with a remedy of its own.
    Argument(String, Option<&'static str>),
    /// The system reported an error to this library itself.
    System(io::Error),
    /// The handle is in the wrong state for this call.
    State(&'static str),
    /// A bug in this library.
    Panic,
}

impl Failure {
    pub(crate) fn argument(detail: impl Into<String>) -> Failure {
        Failure::Argument(detail.into(), None)
    }

    pub(crate) fn with_remedy(self, remedy: &'static str) -> Failure {
        match self {
            Failure::Argument(detail, _) => Failure::Argument(detail, Some(remedy)),
            other => other,
        }
    }

    /// Rejects a reserved member that is not zero.
    pub(crate) fn unless_zero(bytes: &[u8], name: &str) -> Result<(), Failure> {
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        Err(Failure::argument(format!("`{name}` is not zero"))
            .with_remedy("Start every options struct from zero: struct … options = {0};"))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Core(error)
    }
}
