//! Failures of the command: what happened and why, what to do, and the exit status.

use serde_json::{Value, json};
use std::fmt;
use std::io;
use subflows::{Error, ErrorKind};

/// The exit status of the command. The numbers are part of its interface; `--help` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// Done.
    Done = 0,
    /// The verb failed.
    Failed = 1,
    /// Usage error: the command line is not valid. clap uses the same number.
    Usage = 2,
    /// Not permitted.
    NotPermitted = 3,
    /// The connection, the subflow or the endpoint does not exist.
    NotFound = 4,
}

impl Exit {
    fn of(kind: ErrorKind) -> Exit {
        match kind {
            ErrorKind::NotPermitted => Exit::NotPermitted,
            ErrorKind::InvalidArgument => Exit::Usage,
            ErrorKind::NoSuchSubflow | ErrorKind::NoSuchEndpoint | ErrorKind::Closed => {
                Exit::NotFound
            }
            _ => Exit::Failed,
        }
    }
}

impl From<Exit> for u8 {
    fn from(exit: Exit) -> u8 {
        exit as u8
    }
}

/// Why a verb failed.
#[derive(Clone, Debug)]
pub struct Failure {
    kind: ErrorKind,
    text: String,
    remedy: String,
    errno: Option<i32>,
    is_quiet: bool,
}

impl Failure {
    /// A failure of this kind. `text` describes what happened and why, without a full stop.
    pub fn new(kind: ErrorKind, text: impl Into<String>) -> Failure {
        Failure {
            kind,
            text: text.into(),
            remedy: kind.remedy().to_owned(),
            errno: None,
            is_quiet: false,
        }
    }

    /// Replaces the remedy of the kind. An empty remedy is not printed.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Failure {
        self.remedy = remedy.into();
        self
    }

    /// A failure of the system while doing `what`.
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

    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The exit status.
    pub fn exit(&self) -> Exit {
        Exit::of(self.kind)
    }

    /// Whether the command ends without a message, because the reader of its output has gone.
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
            // Core writes the remedy on the same line; here it has a line of its own.
            text: format!("{error:#}"),
            remedy: error.remedy().to_owned(),
            errno: error.raw_os_error(),
            is_quiet: false,
        }
    }
}

/// A failure to write the command's own output.
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
    fn a_reader_that_left_gets_no_message() {
        assert!(Failure::from(io::Error::from(io::ErrorKind::BrokenPipe)).is_quiet());
        assert!(!Failure::from(io::Error::from(io::ErrorKind::StorageFull)).is_quiet());
    }
}
