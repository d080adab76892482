//! What can go wrong, as things that a caller can act on.
//!
//! Every [`Error`] says what was being done (`operation`), what went wrong (`kind`), why (the
//! kernel's own words and number, where it gave some) and what to do about it (`remedy`).

use std::borrow::Cow;
use std::fmt;
use std::io;

/// The result of every call.
pub type Result<T> = std::result::Result<T, Error>;

/// Declares the table of kinds: number, name, what happened, what to do.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $name:ident = $code:literal, $what:literal, $remedy:literal;)*) => {
        /// The kinds of error. A number is never used twice, in any version.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind { $($(#[doc = $doc])* $name = $code),* }

        impl ErrorKind {
            /// Every kind, in order of its number.
            pub const ALL: &'static [ErrorKind] = &[$(ErrorKind::$name),*];
            /// The name, the same in every language.
            pub const fn name(self) -> &'static str {
                match self { $(ErrorKind::$name => stringify!($name)),* }
            }
            /// What happened, in one clause.
            pub const fn what(self) -> &'static str {
                match self { $(ErrorKind::$name => $what),* }
            }
            /// What usually helps, in one sentence.
            pub const fn remedy(self) -> &'static str {
                match self { $(ErrorKind::$name => $remedy),* }
            }
            /// The number: positive, stable.
            pub const fn code(self) -> i32 { self as i32 }
            /// The kind with that number.
            pub const fn from_code(code: i32) -> Option<ErrorKind> {
                match code { $($code => Some(ErrorKind::$name),)* _ => None }
            }
        }
    };
}

kinds! {
    /// The connection is plain TCP: it never was Multipath TCP, or it fell back.
    NotMptcp = 1, "the connection is plain TCP",
        "Ask `status` whether it fell back; such a connection has one path and keeps it.";
    /// The socket has no connection yet.
    NotConnected = 2, "the socket is not connected",
        "Connect it first.";
    /// The peer has not yet shown that it speaks Multipath TCP, and nothing is on its way.
    NotReady = 3, "the connection is not ready for more subflows",
        "Send or receive something first: the first byte acknowledged makes it ready.";
    /// The kernel's own path manager decides about this connection's subflows.
    NotControlled = 4, "the kernel's path manager is in charge of this connection",
        "Take control before connecting (`connect` with control, or `take_control`).";
    /// The process lacks the right to steer connections.
    NotPermitted = 5, "not permitted",
        "Run it with CAP_NET_ADMIN: as root, in a service with AmbientCapabilities=CAP_NET_ADMIN, or \
         by setpriv --inh-caps +net_admin --ambient-caps +net_admin.";
    /// The socket is in a state in which this cannot be done.
    InvalidState = 6, "the socket is in the wrong state for this",
        "Ask `status` for its state.";
    /// An argument cannot be right.
    InvalidArgument = 7, "an argument is not valid",
        "Correct the argument.";
    /// No live subflow has this id.
    NoSuchSubflow = 8, "there is no such subflow",
        "Ask `list` for the live ones.";
    /// The other end refused.
    Refused = 9, "the peer refused",
        "Check that the address and the port are those of the peer's listener.";
    /// No route leads there.
    Unreachable = 10, "the address cannot be reached",
        "Check the routes of the interface: ip route get REMOTE from LOCAL.";
    /// The local address is not ours, or its port is taken.
    AddressNotAvailable = 11, "the local address is not available",
        "Use an address of this host: ip address.";
    /// The other end accepts no further subflow.
    PeerLimit = 12, "the peer accepts no further subflow",
        "Close another subflow, or raise the peer's limit: ip mptcp limits set subflows N.";
    /// The time ran out.
    TimedOut = 13, "the time ran out",
        "Check that packets pass on that path, or allow more time.";
    /// The connection is closed, or one direction of it is.
    Closed = 14, "the connection is closed",
        "Open a new connection.";
    /// This kernel or this build does not have it.
    Unsupported = 15, "not supported here",
        "Ask `capabilities` what this kernel can do.";
    /// Somebody else is holding what is needed.
    Busy = 16, "somebody else is using it",
        "Try again.";
    /// An error of the system that has no kind of its own; see its number.
    Os = 17, "the system reported an error",
        "Look up its number with `errno -l`.";
    /// The socket belongs to another network namespace than the calling thread.
    OtherNamespace = 18, "the socket belongs to another network namespace",
        "Call from a thread in the socket's namespace (setns, or nsenter --net).";
}

/// An error: what was done, what happened, why, and what to do.
#[derive(Clone, Debug)]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Clone, Debug)]
struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    errno: Option<i32>,
    kernel_text: Option<Box<str>>,
    detail: Option<Cow<'static, str>>,
    remedy: Option<Cow<'static, str>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, operation: &'static str) -> Self {
        let inner =
            Inner { kind, operation, errno: None, kernel_text: None, detail: None, remedy: None };
        Error { inner: Box::new(inner) }
    }

    /// As [`os`](Self::os), for what the standard library reports.
    pub(crate) fn from_io(operation: &'static str, error: &io::Error) -> Self {
        Error::os(operation, error.raw_os_error().unwrap_or(0))
    }

    /// An error that the kernel reported: the kind follows from the number.
    pub(crate) fn os(operation: &'static str, errno: i32) -> Self {
        let kind = match errno {
            libc::EPERM | libc::EACCES | libc::EROFS => ErrorKind::NotPermitted,
            libc::ECONNREFUSED => ErrorKind::Refused,
            libc::ENETUNREACH | libc::EHOSTUNREACH | libc::ENETDOWN | libc::EHOSTDOWN => {
                ErrorKind::Unreachable
            }
            libc::EADDRNOTAVAIL | libc::EADDRINUSE | libc::ENODEV => ErrorKind::AddressNotAvailable,
            libc::ENOTCONN => ErrorKind::NotConnected,
            libc::ETIMEDOUT => ErrorKind::TimedOut,
            libc::ECONNRESET | libc::ECONNABORTED | libc::EPIPE => ErrorKind::Closed,
            libc::EOPNOTSUPP | libc::ENOPROTOOPT | libc::EPROTONOSUPPORT | libc::ENOSYS => {
                ErrorKind::Unsupported
            }
            libc::EBUSY => ErrorKind::Busy,
            _ => ErrorKind::Os,
        };
        let error = Error::new(kind, operation).errno(errno);
        match errno {
            libc::EADDRINUSE => error.with_remedy(
                "Choose another port, or 0 for a free one: ss -tln shows those taken.",
            ),
            libc::ENODEV => error.with_remedy("List the interfaces: ip link."),
            _ => error,
        }
    }

    pub(crate) fn argument(operation: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Error::new(ErrorKind::InvalidArgument, operation).detail(detail)
    }

    pub(crate) fn errno(mut self, errno: i32) -> Self {
        self.inner.errno = Some(errno);
        self
    }

    pub(crate) fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.inner.detail = Some(detail.into());
        self
    }

    pub(crate) fn with_remedy(mut self, remedy: impl Into<Cow<'static, str>>) -> Self {
        self.inner.remedy = Some(remedy.into());
        self
    }

    pub(crate) fn kernel(mut self, text: Option<Box<str>>) -> Self {
        self.inner.kernel_text = text;
        self
    }

    /// The same cause under another kind, for a caller that knows more than the number says.
    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.inner.kind = kind;
        self
    }

    /// The same error, told by the verb that the caller used.
    pub(crate) fn during(mut self, operation: &'static str) -> Self {
        self.inner.operation = operation;
        self
    }

    /// What kind of error it is.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// The kernel's number, where it gave one.
    pub fn raw_os_error(&self) -> Option<i32> {
        self.inner.errno
    }

    /// Which call failed.
    pub fn operation(&self) -> &'static str {
        self.inner.operation
    }

    /// The kernel's own words (its extended acknowledgement), where it gave some. For people to
    /// read: the wording changes between kernels.
    pub fn kernel_text(&self) -> Option<&str> {
        self.inner.kernel_text.as_deref()
    }

    /// What exactly was wrong, where more is known than the kind says.
    pub fn detail_text(&self) -> Option<&str> {
        self.inner.detail.as_deref()
    }

    /// What to do about it, in one sentence.
    pub fn remedy(&self) -> &str {
        self.inner.remedy.as_deref().unwrap_or(self.inner.kind.remedy())
    }
}

/// What was done, what happened and why, and what to do; by `{:#}` without what to do.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.inner;
        write!(f, "{}: ", inner.operation)?;
        match &inner.detail {
            Some(detail) => f.write_str(detail)?,
            None => f.write_str(inner.kind.what())?,
        }
        let errno = inner.errno.map(nix::errno::Errno::from_raw);
        match (errno, &inner.kernel_text) {
            (Some(errno), Some(text)) => write!(f, " ({}; kernel: {text})", errno.desc())?,
            (Some(errno), None) => write!(f, " ({})", errno.desc())?,
            (None, Some(text)) => write!(f, " (kernel: {text})")?,
            (None, None) => {}
        }
        if f.alternate() { Ok(()) } else { write!(f, ". {}", self.remedy()) }
    }
}

impl std::error::Error for Error {}

/// `io::ErrorKind` then says what it says for the same failure of a plain socket. The error itself,
/// with the kernel's number, is inside ([`io::Error::get_ref`]).
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::NotConnected | ErrorKind::NotReady => io::ErrorKind::NotConnected,
            ErrorKind::NotPermitted => io::ErrorKind::PermissionDenied,
            ErrorKind::InvalidArgument | ErrorKind::InvalidState => io::ErrorKind::InvalidInput,
            ErrorKind::NoSuchSubflow => io::ErrorKind::NotFound,
            ErrorKind::Refused | ErrorKind::PeerLimit => io::ErrorKind::ConnectionRefused,
            ErrorKind::Unreachable => io::ErrorKind::NetworkUnreachable,
            ErrorKind::AddressNotAvailable => io::ErrorKind::AddrNotAvailable,
            ErrorKind::TimedOut => io::ErrorKind::TimedOut,
            ErrorKind::Closed => io::ErrorKind::ConnectionAborted,
            ErrorKind::Unsupported | ErrorKind::NotMptcp => io::ErrorKind::Unsupported,
            ErrorKind::Busy => io::ErrorKind::ResourceBusy,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_lead_back() {
        for kind in ErrorKind::ALL {
            assert_eq!(ErrorKind::from_code(kind.code()), Some(*kind));
            assert!(!kind.what().is_empty() && kind.remedy().ends_with('.'), "{}", kind.name());
        }
    }

    #[test]
    fn display_says_what_why_and_what_to_do() {
        let error =
            Error::os("open", libc::ECONNREFUSED).kernel(Some("connect error: -111".into()));
        let text = error.to_string();
        assert!(text.starts_with("open: the peer refused (Connection refused; kernel: connect"));
        assert!(text.ends_with("listener."), "{text}");
        assert!(format!("{error:#}").ends_with("error: -111)"), "{error:#}");
    }
}
