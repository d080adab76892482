//! Why a door did not do what it was asked.

use crate::error::Error;

/// What the caller of a door decides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The local port is in use.
    PortTaken,
    /// The connection takes no subflow yet, or no longer.
    NotReady,
    /// Something that was named is not so: the address id is taken, no subflow has these ends, the
    /// connection is over or under the kernel's path manager.
    Invalid,
    /// The subflow is gone.
    Gone,
    /// Anything else: the error says what.
    Other,
}

/// A refusal, and the error to report if the caller has no other way.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) why: Why,
    error: Error,
}

impl Refused {
    /// The error, as one of that verb.
    pub(crate) fn during(self, operation: &'static str) -> Error {
        self.error.during(operation)
    }

    pub(crate) fn map(self, change: impl FnOnce(Error) -> Error) -> Refused {
        Refused { why: self.why, error: change(self.error) }
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        let why = match error.raw_os_error() {
            Some(libc::EADDRINUSE) => Why::PortTaken,
            Some(libc::ENOTCONN) => Why::NotReady,
            Some(libc::EINVAL) => Why::Invalid,
            Some(libc::ESRCH | libc::ENOENT) => Why::Gone,
            _ => Why::Other,
        };
        Refused { why, error }
    }
}
