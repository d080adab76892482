//! Why a door refused an act.

use crate::error::Error;

/// The reasons that make a caller try another way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The local port is in use.
    PortTaken,
    /// The connection accepts no subflow yet, or no longer.
    NotReady,
    /// There is no route to the remote address.
    NoRoute,
    /// The kernel rejected a subflow or an announcement: the address id is in use, the addresses do not suit
    /// the socket, the connection has ended, or the kernel's path manager manages it. The kernel does not
    /// distinguish these.
    Rejected,
    /// The subflow or the address id to act on does not exist, or its connection has ended.
    NotFound,
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
        let why = match (error.raw_os_error(), error.operation()) {
            (Some(libc::EADDRINUSE), _) => Why::PortTaken,
            (Some(libc::ENOTCONN), _) => Why::NotReady,
            (Some(libc::ENETUNREACH), _) => Why::NoRoute,
            // The only thing that can be wrong with these commands is what they name.
            (Some(libc::EINVAL), "SET_FLAGS" | "REMOVE") => Why::NotFound,
            (Some(libc::ESRCH | libc::ENOENT), _) => Why::NotFound,
            (Some(libc::EINVAL), _) => Why::Rejected,
            (Some(libc::EOPNOTSUPP), _) => Why::Unsupported,
            _ => Why::Other,
        };
        Refused { why, error }
    }
}
