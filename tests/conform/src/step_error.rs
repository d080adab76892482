//! Why a scenario stops before its end.

use std::fmt;
use std::io;

/// Why a scenario stops before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepError {
    /// An expectation does not hold.
    Failed(String),
    /// The driver of this language does not offer the verb.
    NotOffered(String),
    /// The step cannot be tried on this machine.
    Skipped(String),
}

/// The result of a step.
pub type Result<T = ()> = std::result::Result<T, StepError>;

/// Fails with this reason.
pub fn failed<T>(why: impl Into<String>) -> Result<T> {
    Err(StepError::Failed(why.into()))
}

/// Fails with this reason unless the condition holds.
pub fn ensure(holds: bool, why: impl FnOnce() -> String) -> Result {
    if holds { Ok(()) } else { failed(why()) }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StepError::Failed(why) | StepError::Skipped(why) => f.write_str(why),
            StepError::NotOffered(verb) => write!(f, "not offered: {verb}"),
        }
    }
}

impl From<io::Error> for StepError {
    fn from(error: io::Error) -> StepError {
        StepError::Failed(error.to_string())
    }
}
