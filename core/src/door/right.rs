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
    /// The row of the table that `cause` begins with, if it is one.
    pub(crate) row: Option<Cause>,
}

impl Missing {
    pub(crate) fn new(cause: impl Into<String>, remedy: impl Into<String>) -> Missing {
        Missing { cause: cause.into(), remedy: remedy.into(), row: None }
    }

    /// A cause of the table, with the system's words for it.
    pub(crate) fn because(cause: Cause, system: impl Display) -> Missing {
        Missing { cause: format!("{} ({system})", cause.what), ..cause.into() }
    }
}

impl From<Cause> for Missing {
    fn from(cause: Cause) -> Missing {
        Missing { row: Some(cause), ..Missing::new(cause.what, cause.remedy) }
    }
}
