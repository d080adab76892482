//! Creating a Multipath TCP socket.

use std::os::fd::OwnedFd;

use crate::error::Result;
use crate::shared::new_socket::{Family, new_socket};
use crate::table::{Type, Typed, operation};

operation! {
    /// Creates a Multipath TCP socket, unconnected and unbound.
    ///
    /// If the kernel has no Multipath TCP, or if it is switched off or denied by a security policy, the
    /// socket is a TCP socket: `status` reports which. The socket is closed on exec.
    ///
    /// # Errors
    /// Those of socket(2), for example `Os` if the process has too many open descriptors.
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
