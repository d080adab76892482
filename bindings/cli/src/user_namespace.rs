//! The privileges to make networks: those of the caller, or those of a new user namespace.

use rustix::process::geteuid;
use subflows::ErrorKind;

use crate::failure::Failure;

/// Where the privileges come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Privileges {
    /// The process was root, or had the capabilities.
    OfCaller,
    /// The process is root in a user namespace that it has made.
    OfNamespace,
}

/// Enters a new user namespace, unless the process may already make networks. Call it while the
/// process has only one thread: the kernel does not move a process with several into a user
/// namespace.
pub(crate) fn enter_if_needed() -> Result<Privileges, Failure> {
    let was = geteuid();
    subflows_lab::become_root_in_user_namespace().map_err(|error| {
        // A privilege is missing, whatever the error number is; the text has the remedy.
        let text = format!("cannot make a network: {error}");
        Failure::new(ErrorKind::NotPermitted, text).remedy("")
    })?;
    // Root without capabilities looks the same before and after; `lab` then prints a shorter hint.
    Ok(if geteuid() == was { Privileges::OfCaller } else { Privileges::OfNamespace })
}
