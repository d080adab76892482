//! Making a Multipath TCP socket.

use std::os::fd::OwnedFd;

use crate::error::Result;
use crate::shared::new_socket::{Family, new_socket};
use crate::table::{Type, Typed, operation};

operation! {
    /// Makes a stream socket, unconnected and unbound: Multipath TCP, or plain TCP where the
    /// kernel has none, or it is switched off or forbidden (`status` then says so).
    ///
    /// It is closed on exec.
    ///
    /// # Errors
    /// What socket(2) says, for example `Os` where the process has too many descriptors.
    ///
    /// ```
    /// let sock = subflows::socket(subflows::Family::V6)?;
    /// assert_eq!(subflows::status(&sock)?.state, subflows::State::Unconnected);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    row SOCKET(family: Family::TYPE) -> Type::NewSocket, requires Nothing, since "5.6", [];
    pub fn socket(family: impl Into<Family>) -> Result<OwnedFd> {
        new_socket(family.into(), "socket")
    }
}
