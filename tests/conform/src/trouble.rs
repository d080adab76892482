//! Why a scenario does not go on.

use std::fmt;
use std::io;

/// Why a scenario does not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// What must hold does not.
    Failed(String),
    /// The driver of this language does not have the verb.
    NotOffered(String),
    /// It cannot be tried here.
    Skipped(String),
}

/// What a step gives.
pub type Result<T = ()> = std::result::Result<T, Trouble>;

/// What must hold does not, for this reason.
pub fn failed<T>(why: impl Into<String>) -> Result<T> {
    Err(Trouble::Failed(why.into()))
}

/// Fails unless it holds.
pub fn ensure(holds: bool, why: impl FnOnce() -> String) -> Result {
    if holds { Ok(()) } else { failed(why()) }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Failed(why) | Trouble::Skipped(why) => f.write_str(why),
            Trouble::NotOffered(verb) => write!(f, "not offered: {verb}"),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        Trouble::Failed(error.to_string())
    }
}
