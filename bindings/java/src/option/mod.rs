//! Socket options that the kernel does not have for Multipath TCP sockets.
//!
//! Servers set options on the sockets that they accept, and drop the connection if one fails. An
//! option that makes no difference to a Multipath TCP socket is answered here as TCP would answer it.
//! The others fail as the kernel has it, and are reported once.

mod remembered;
mod report;
mod value;

use std::os::fd::BorrowedFd;

use jni::sys::jint;
use nix::errno::Errno;
use nix::libc::{
    IP_TOS, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPV6_TCLASS, SO_BROADCAST, SO_OOBINLINE,
    SO_REUSEADDR, SO_REUSEPORT, SOL_SOCKET, TCP_QUICKACK, TCP_USER_TIMEOUT,
};

pub(crate) use report::{accepted_without_effect, call, refused, report_to};

/// An option: its level, and its number at this level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SocketOption {
    pub(crate) level: jint,
    pub(crate) number: jint,
}

pub(crate) const REUSE_ADDRESS: SocketOption = option(SOL_SOCKET, SO_REUSEADDR);
pub(crate) const REUSE_PORT: SocketOption = option(SOL_SOCKET, SO_REUSEPORT);
pub(crate) const QUICK_ACK: SocketOption = option(IPPROTO_TCP, TCP_QUICKACK);
pub(crate) const USER_TIMEOUT: SocketOption = option(IPPROTO_TCP, TCP_USER_TIMEOUT);
pub(crate) const TYPE_OF_SERVICE: SocketOption = option(IPPROTO_IP, IP_TOS);
pub(crate) const TRAFFIC_CLASS: SocketOption = option(IPPROTO_IPV6, IPV6_TCLASS);
const OOB_INLINE: SocketOption = option(SOL_SOCKET, SO_OOBINLINE);
const BROADCAST: SocketOption = option(SOL_SOCKET, SO_BROADCAST);

const fn option(level: jint, number: jint) -> SocketOption {
    SocketOption { level, number }
}

/// What replaces an option that the kernel refuses to a Multipath TCP socket.
enum Substitute {
    /// The value is remembered for [`get`], which returns this one if none was set.
    Remembered { default: jint },
    /// Only this value, which is the kernel's for every socket.
    Always(jint),
    /// The option of IPv4. The kernel sends its value to IPv4 hosts, also from an IPv6 socket, and
    /// keeps it for both families.
    Other(SocketOption),
}

impl SocketOption {
    fn substitute(self) -> Option<Substitute> {
        match self {
            // Once a socket is connected, they only matter for other sockets that bind its port. An
            // accepted one has inherited them from its listener.
            REUSE_ADDRESS | REUSE_PORT => Some(Substitute::Remembered { default: 0 }),
            // A hint, for acknowledgements that Multipath TCP sends for each subflow.
            QUICK_ACK => Some(Substitute::Remembered { default: 1 }),
            // Matters, but only to an end whose peer is silent. A program that cannot set it would
            // otherwise have no connection at all.
            USER_TIMEOUT => Some(Substitute::Remembered { default: 0 }),
            // Urgent data cannot be received inline: a socket that has fallen back to TCP drops it.
            OOB_INLINE | BROADCAST => Some(Substitute::Always(0)),
            TRAFFIC_CLASS => Some(Substitute::Other(TYPE_OF_SERVICE)),
            _ => None,
        }
    }

    /// Whether [`set`] and [`get`] treat it other than the kernel does.
    pub(crate) fn is_substituted(self) -> bool {
        self.substitute().is_some()
    }
}

/// Sets an option as TCP would. Fails with the kernel's error if that is not possible.
pub(crate) fn set(sock: BorrowedFd<'_>, option: SocketOption, value: jint) -> nix::Result<()> {
    let refusal = match value::set(sock, option, value) {
        Err(error) if is_refusal(error) && is_mptcp(sock) => error,
        other => return other,
    };
    match option.substitute() {
        Some(Substitute::Remembered { default }) => {
            let kernels = value::get(sock, option).unwrap_or(default);
            remembered::set(sock, option, value, kernels);
            Ok(())
        }
        Some(Substitute::Always(only)) if value == only => Ok(()),
        Some(Substitute::Other(other)) => value::set(sock, other, value),
        Some(Substitute::Always(_)) | None => Err(refusal),
    }
}

/// Reads an option as TCP would report it.
pub(crate) fn get(sock: BorrowedFd<'_>, option: SocketOption) -> nix::Result<jint> {
    if let Some(value) = remembered::get(sock, option) {
        return Ok(value);
    }
    let refusal = match value::get(sock, option) {
        Err(error) if is_refusal(error) && is_mptcp(sock) => error,
        other => return other,
    };
    match option.substitute() {
        Some(Substitute::Remembered { default: value } | Substitute::Always(value)) => Ok(value),
        Some(Substitute::Other(other)) => value::get(sock, other),
        None => Err(refusal),
    }
}

/// Whether the kernel may return this error because the socket is a Multipath TCP socket. EINVAL is
/// its answer to SO_REUSEADDR and SO_REUSEPORT of a connected one.
fn is_refusal(error: Errno) -> bool {
    matches!(error, Errno::EOPNOTSUPP | Errno::ENOPROTOOPT | Errno::EINVAL)
}

/// Whether it is a Multipath TCP socket, also one that has fallen back to TCP.
pub(crate) fn is_mptcp(sock: BorrowedFd<'_>) -> bool {
    value::protocol(sock) == Ok(nix::libc::IPPROTO_MPTCP)
}

/// Calls `call` with the socket of a descriptor that the caller of a replaced function has passed by its
/// number. Fails with EBADF for a number below 0.
pub(crate) fn with_number<T>(
    number: jint,
    call: impl FnOnce(BorrowedFd<'_>) -> nix::Result<T>,
) -> nix::Result<T> {
    if number < 0 {
        return Err(Errno::EBADF);
    }
    // SAFETY: it is not -1, and the JDK or Netty keeps it open during its call.
    call(unsafe { BorrowedFd::borrow_raw(number) })
}
