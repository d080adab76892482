//! Why a Multipath TCP socket cannot be made.

use std::io;

use crate::cause::{self, Cause};

/// The setting of the network namespace. A file also shows that the kernel has Multipath TCP.
const ENABLED: &str = "/proc/sys/net/mptcp/enabled";

/// Returns why socket(2) failed with this error for Multipath TCP, although it makes TCP sockets.
///
/// The error number alone is not enough: a seccomp filter may answer with any, also with the one that
/// a kernel without Multipath TCP has.
pub(crate) fn cause_of(error: &io::Error) -> Cause {
    let enabled = std::fs::read(ENABLED).ok();
    match (enabled.as_deref().map(<[u8]>::trim_ascii), error.raw_os_error()) {
        (Some(b"0"), _) => cause::SWITCHED_OFF,
        (Some(_), _) => cause::MPTCP_DENIED,
        (None, Some(libc::ENOPROTOOPT)) => cause::SWITCHED_OFF,
        (None, Some(libc::EPROTONOSUPPORT | libc::EINVAL)) => cause::NO_MPTCP,
        (None, _) => cause::MPTCP_DENIED,
    }
}

/// Returns why this process gets TCP sockets instead of Multipath TCP ones; `None` if it does not.
pub(crate) fn cause() -> Option<Cause> {
    let made = crate::sys::socket::new(libc::AF_INET, libc::SOCK_STREAM, crate::sys::socket::MPTCP);
    made.err().map(|error| cause_of(&error))
}
