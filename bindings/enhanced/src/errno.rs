//! The error numbers that programs of that time expect.

use rustix::io::Errno as Number;
use subflows::{Error, ErrorKind};

/// An error number of C.
pub type Errno = i32;

pub(crate) const NOT_MPTCP: Errno = Number::OPNOTSUPP.raw_os_error();
pub(crate) const NO_SUCH_ID: Errno = Number::INVAL.raw_os_error();
pub(crate) const SHORT_BUFFER: Errno = Number::INVAL.raw_os_error();
pub(crate) const NOT_PERMITTED: Errno = Number::PERM.raw_os_error();
pub(crate) const NO_SUCH_NAME: Errno = Number::NOENT.raw_os_error();
pub(crate) const NO_SUCH_OPTION: Errno = Number::NOPROTOOPT.raw_os_error();

/// The number for an error of the library: that of the call of the old kernel which would have failed. Never
/// `EINVAL`, which is for short buffers and unknown ids.
pub(crate) fn errno(error: &Error) -> Errno {
    let kept =
        error.raw_os_error().filter(|number| ![0, Number::INVAL.raw_os_error()].contains(number));
    let number = match error.kind() {
        ErrorKind::NotMptcp | ErrorKind::Closed | ErrorKind::NotConnected => Number::OPNOTSUPP,
        ErrorKind::NoSuchSubflow => Number::INVAL,
        ErrorKind::NotControlled | ErrorKind::NotPermitted | ErrorKind::OtherNamespace => {
            Number::PERM
        }
        ErrorKind::Unsupported => Number::NOPROTOOPT,
        ErrorKind::NotReady | ErrorKind::InvalidState => Number::NOTCONN,
        ErrorKind::Refused => Number::CONNREFUSED,
        ErrorKind::TimedOut => Number::TIMEDOUT,
        ErrorKind::Unreachable => return kept.unwrap_or(Number::NETUNREACH.raw_os_error()),
        ErrorKind::AddressNotAvailable => {
            return kept.unwrap_or(Number::ADDRNOTAVAIL.raw_os_error());
        }
        ErrorKind::PeerLimit | ErrorKind::Busy => Number::AGAIN,
        _ => return kept.unwrap_or(Number::IO.raw_os_error()),
    };
    number.raw_os_error()
}
