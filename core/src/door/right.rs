//! What a door may do, and why not.

use std::fmt::Display;

use crate::cause::Cause;

/// A group of acts with the same requirements. The numbers are those of the broker's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// The kernel has a userspace path manager.
    Userspace = 1,
    /// Open subflows, set their priority, announce addresses.
    Steer,
    /// Take control of a socket.
    TakeControl,
    /// Close subflows that the kernel's path manager opened.
    CloseAny,
    /// Follow events.
    Follow,
    /// Set the options of a single subflow, and get those that `sock_diag` does not report.
    Options,
}

impl Right {
    pub(crate) const ALL: [Right; 6] = [
        Right::Userspace,
        Right::Steer,
        Right::TakeControl,
        Right::CloseAny,
        Right::Follow,
        Right::Options,
    ];
}

/// Why an act is not possible, and what to do about it.
#[derive(Clone, Debug)]
pub(crate) struct Missing {
    pub(crate) cause: String,
    pub(crate) remedy: String,
}

impl Missing {
    pub(crate) fn new(cause: impl Into<String>, remedy: impl Into<String>) -> Missing {
        Missing { cause: cause.into(), remedy: remedy.into() }
    }

    /// A cause of the table, with the system's words for it.
    pub(crate) fn because(cause: Cause, system: impl Display) -> Missing {
        Missing::new(format!("{} ({system})", cause.what), cause.remedy)
    }
}

impl From<Cause> for Missing {
    fn from(cause: Cause) -> Missing {
        Missing::new(cause.what, cause.remedy)
    }
}
