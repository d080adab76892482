//! Operations that wait, operations that do not block, and the handles that outlive a call.

use subflows::OPERATIONS;
use subflows::table::Operation;

use crate::signature::{self, ResultType};

/// An operation that waits for the network, and the handle by which a program takes its steps.
pub struct Wait {
    /// The operation.
    pub operation: &'static str,
    /// The handle's class.
    pub class: &'static str,
    /// What its constructor does.
    pub constructor: &'static str,
}

/// Every operation that waits for the network.
pub const WAITS: &[Wait] = &[
    Wait {
        operation: "connect",
        class: "Connecting",
        constructor: "Starts to connect; does not wait for the network.",
    },
    Wait {
        operation: "open",
        class: "Opening",
        constructor: "Sends the first segment of one more subflow; does not wait for the network.",
    },
    Wait {
        operation: "probe",
        class: "Probing",
        constructor: "Sends the first segment of a probe; does not wait for the network.",
    },
    Wait {
        operation: "doctor",
        class: "Examining",
        constructor: "Examines this host and sends the first segment to the remote address; does not wait for the network.",
    },
];

/// The wait of an operation, if it has one.
pub fn wait(operation: &Operation) -> Option<&'static Wait> {
    WAITS.iter().find(|wait| wait.operation == operation.name)
}

/// The classes of handles, and the operation that returns each. It is also the name of the module in
/// which the class is written by hand.
pub fn handles() -> Vec<(&'static str, &'static str)> {
    let of = |operation: &Operation| match signature::result(operation) {
        ResultType::Handle(class) => Some((operation.name, class)),
        _ => wait(operation).map(|wait| (operation.name, wait.class)),
    };
    OPERATIONS.iter().filter_map(of).collect()
}

/// Operations that make a few system calls, none of which blocks. Releasing the interpreter's lock
/// would cost about as much as the call itself.
const BRIEF: &[&str] = &[
    "upgrade",
    "status",
    "info",
    "list",
    "details",
    "set_backup",
    "announce",
    "addresses",
    "peer_addresses",
    "events",
    "connection",
    "endpoints",
    "limits",
    "set_limits",
];

/// Whether an interpreter keeps its lock during the call.
pub fn keeps_lock(operation: &Operation) -> bool {
    BRIEF.contains(&operation.name)
}
