//! What went wrong, as the command says it: what happened and why, what to do, and a number.

use serde_json::{Value, json};
use std::fmt;
use std::io;
use subflows::{Error, ErrorKind};

/// How the command ends. The numbers are part of its interface; `--help` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// Done.
    Done = 0,
    /// The verb failed.
    Failed = 1,
    /// The command line, or what it asks for, makes no sense. Also clap's number for it.
    Usage = 2,
    /// The right to do it is missing.
    NotPermitted = 3,
    /// There is no such connection or subflow, or no longer.
    NotThere = 4,
}

impl Exit {
    fn of(kind: ErrorKind) -> Exit {
        match kind {
            ErrorKind::NotPermitted => Exit::NotPermitted,
            ErrorKind::InvalidArgument => Exit::Usage,
            ErrorKind::NoSuchSubflow | ErrorKind::Closed => Exit::NotThere,
            _ => Exit::Failed,
        }
    }
}

impl From<Exit> for u8 {
    fn from(exit: Exit) -> u8 {
        exit as u8
    }
}

/// A verb that did not do what it was asked to.
#[derive(Clone, Debug)]
pub struct Failure {
    kind: ErrorKind,
    text: String,
    remedy: String,
    errno: Option<i32>,
    is_quiet: bool,
}

impl Failure {
    /// A failure of this kind; `text` says what happened and why, without a full stop.
    pub fn new(kind: ErrorKind, text: impl Into<String>) -> Failure {
        Failure {
            kind,
            text: text.into(),
            remedy: kind.remedy().to_owned(),
            errno: None,
            is_quiet: false,
        }
    }

    /// With a better remedy than the kind has; empty where the text says everything.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Failure {
        self.remedy = remedy.into();
        self
    }

    /// Something that the system refused, while `what` was being done.
    pub fn system(what: impl fmt::Display, error: &io::Error) -> Failure {
        let kind = match error.kind() {
            io::ErrorKind::PermissionDenied => ErrorKind::NotPermitted,
            io::ErrorKind::InvalidInput => ErrorKind::InvalidArgument,
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => ErrorKind::TimedOut,
            _ => ErrorKind::Os,
        };
        let errno = error.raw_os_error();
        Failure { errno, ..Failure::new(kind, format!("{what}: {error}")).remedy("") }
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// How the command ends with it.
    pub fn exit(&self) -> Exit {
        Exit::of(self.kind)
    }

    /// Whether nobody is left to be told: the reader of our output has gone away.
    pub fn is_quiet(&self) -> bool {
        self.is_quiet
    }

    /// The failure for programs.
    pub fn json(&self) -> Value {
        json!({ "error": {
            "kind": self.kind.name(),
            "what": self.text,
            "remedy": Some(&self.remedy).filter(|remedy| !remedy.is_empty()),
            "errno": self.errno,
        }})
    }
}

/// What happened and why on the first line, what to do on the second.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        if !self.remedy.is_empty() {
            write!(f, "\n{}", self.remedy)?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure {
            kind: error.kind(),
            // Core says all of it in one line; the remedy has its own here.
            text: format!("{error:#}"),
            remedy: error.remedy().to_owned(),
            errno: error.raw_os_error(),
            is_quiet: false,
        }
    }
}

/// An error of our own output.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        let is_quiet = error.kind() == io::ErrorKind::BrokenPipe;
        Failure { is_quiet, ..Failure::system("cannot write the output", &error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_errors_take_two_lines() {
        let error = subflows::connection(1).unwrap_err();
        let failure = Failure::from(error.clone());
        let text = failure.to_string();
        let (what, remedy) = text.split_once('\n').unwrap();
        assert_eq!(remedy, error.remedy());
        assert_eq!(format!("{what}. {remedy}"), error.to_string());
        assert_eq!(failure.json()["error"]["kind"], error.kind().name());
    }

    #[test]
    fn a_reader_who_left_is_not_told() {
        assert!(Failure::from(io::Error::from(io::ErrorKind::BrokenPipe)).is_quiet());
        assert!(!Failure::from(io::Error::from(io::ErrorKind::StorageFull)).is_quiet());
    }
}
