//! Why a door refused an act.

use crate::error::Error;

/// The reasons that make a caller try another way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The local port is in use.
    PortTaken,
    /// The connection accepts no subflow yet, or no longer.
    NotReady,
    /// The kernel rejected the arguments: the address id is in use, no subflow has these ends, the
    /// connection has ended, or the kernel's path manager manages it.
    Invalid,
    /// The subflow has ended.
    Gone,
    /// This kernel has no such act.
    Unsupported,
    /// Another reason: see the error.
    Other,
}

/// A refusal, with the error to report if the caller has no other way.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) why: Why,
    error: Error,
}

impl Refused {
    /// Returns the error, as one of that operation.
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
            Some(libc::EOPNOTSUPP) => Why::Unsupported,
            _ => Why::Other,
        };
        Refused { why, error }
    }
}
