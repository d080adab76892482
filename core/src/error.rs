//! The errors of this library.
//!
//! An [`Error`] names the call that failed (`operation`), what happened (`kind`), why (the kernel's
//! error number and text, if there are any) and what to do about it (`remedy`).

use std::borrow::Cow;
use std::fmt;
use std::io;

/// The result of every call.
pub type Result<T> = std::result::Result<T, Error>;

/// Declares the table of kinds: number, name, what happened, what to do.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $name:ident = $code:literal, $what:literal, $remedy:literal;)*) => {
        /// The kind of an error. The number of a kind never changes and is never used again.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind { $($(#[doc = $doc])* $name = $code),* }

        impl ErrorKind {
            /// Every kind, in the order of the numbers.
            pub const ALL: &'static [ErrorKind] = &[$(ErrorKind::$name),*];
            /// Returns the name of the kind, in camel case.
            pub const fn name(self) -> &'static str {
                match self { $(ErrorKind::$name => stringify!($name)),* }
            }
            /// Returns what happened, as a clause.
            pub const fn what(self) -> &'static str {
                match self { $(ErrorKind::$name => $what),* }
            }
            /// Returns what usually helps, as a sentence.
            pub const fn remedy(self) -> &'static str {
                match self { $(ErrorKind::$name => $remedy),* }
            }
            /// Returns the number of the kind: positive, and the same in every version.
            pub const fn code(self) -> i32 { self as i32 }
            /// Returns the kind with that number, or `None` if there is none.
            pub const fn from_code(code: i32) -> Option<ErrorKind> {
                match code { $($code => Some(ErrorKind::$name),)* _ => None }
            }
        }
    };
}

kinds! {
    /// The connection is plain TCP: it never was Multipath TCP, or it fell back to TCP.
    NotMptcp = 1, "the connection is plain TCP",
        "Call `status` to see whether it fell back: a plain TCP connection has one path only.";
    /// The socket has no connection yet.
    NotConnected = 2, "the socket is not connected",
        "Connect the socket first: connect(2).";
    /// The peer has not yet confirmed Multipath TCP, and no data is in flight whose acknowledgement
    /// would confirm it.
    NotReady = 3, "the connection is not ready for more subflows",
        "Send or receive data first: the connection is ready when the first byte is acknowledged.";
    /// The kernel's path manager manages the subflows of this connection.
    NotControlled = 4, "the kernel's path manager manages this connection",
        "Take control before connecting: `connect` with control, or `take_control`. For accepted \
         connections, run sysctl net.mptcp.path_manager=userspace before clients connect.";
    /// The process lacks the privilege to change subflows.
    NotPermitted = 5, "not permitted",
        "Start the broker as root (subflows broker), or run the program with CAP_NET_ADMIN: as root, in \
         a service with AmbientCapabilities=CAP_NET_ADMIN, or by \
         setpriv --inh-caps +net_admin --ambient-caps +net_admin.";
    /// The socket is in a state in which the call is not possible.
    InvalidState = 6, "the socket is in the wrong state for this call",
        "Call `status` for the state of the socket.";
    /// An argument is not valid.
    InvalidArgument = 7, "an argument is not valid",
        "See the documentation of the call for the values that it accepts.";
    /// No live subflow has this id.
    NoSuchSubflow = 8, "no live subflow has this id",
        "Call `list` for the ids of the live subflows.";
    /// The peer refused the connection or the subflow.
    Refused = 9, "the peer refused",
        "Check that the address and the port are those of the peer's listener.";
    /// There is no route to the address.
    Unreachable = 10, "the address cannot be reached",
        "Check the routes: ip route get REMOTE from LOCAL oif INTERFACE.";
    /// The local address does not belong to this host, or its port is in use.
    AddressNotAvailable = 11, "the local address is not available",
        "Use an address of this host: ip address.";
    /// The peer accepts no further subflow.
    PeerLimit = 12, "the peer accepts no further subflow",
        "Close another subflow, or raise the peer's limit: ip mptcp limits set subflows N.";
    /// The timeout expired.
    TimedOut = 13, "the timeout expired",
        "Check that packets pass on that path, or use a longer timeout.";
    /// The connection is closed, or one direction of it is.
    Closed = 14, "the connection is closed",
        "Open a new connection: `connect`.";
    /// This kernel does not support the call.
    Unsupported = 15, "not supported by this kernel",
        "Call `capabilities` for what this kernel supports.";
    /// Another process or thread is using what the call needs.
    Busy = 16, "another process or thread is using what the call needs",
        "Call again after a second, or find the process that holds the lock: lslocks.";
    /// The system reported an error that has no kind of its own: see the error number.
    Os = 17, "the system reported an error",
        "Look up the error number: errno -l.";
    /// The socket belongs to another network namespace than the calling thread.
    OtherNamespace = 18, "the socket belongs to another network namespace",
        "Call from a thread in the socket's namespace (setns, or nsenter --net).";
    /// No endpoint of the kernel's path manager has this id.
    NoSuchEndpoint = 19, "no endpoint has this id",
        "Call `endpoints` for the ids, or run ip mptcp endpoint show.";
}

/// An error: the call that failed, what happened, why, and what to do about it.
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

// What builds an error is not inlined: the library has hundreds of errors, and is to stay small.
impl Error {
    #[cold]
    #[inline(never)]
    pub(crate) fn new(kind: ErrorKind, operation: &'static str) -> Self {
        let inner =
            Inner { kind, operation, errno: None, kernel_text: None, detail: None, remedy: None };
        Error { inner: Box::new(inner) }
    }

    /// As [`os`](Self::os), for an error of the standard library.
    #[cold]
    #[inline(never)]
    pub(crate) fn from_io(operation: &'static str, error: &io::Error) -> Self {
        Error::os(operation, error.raw_os_error().unwrap_or(0))
    }

    /// Returns the error for an error number of the kernel, which decides the kind.
    #[cold]
    #[inline(never)]
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
                "Choose another port, or 0 for a free one: ss -tln lists the ports in use.",
            ),
            libc::ENODEV => error.with_remedy("List the interfaces: ip link."),
            libc::EMFILE => error.with_remedy(
                "Close descriptors, or raise the limit: ulimit -n, LimitNOFILE= in a systemd service.",
            ),
            libc::ENFILE => error.with_remedy("Raise the host's limit: sysctl fs.file-max."),
            _ => error,
        }
    }

    pub(crate) fn argument(operation: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Error::new(ErrorKind::InvalidArgument, operation).detail(detail)
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn errno(mut self, errno: i32) -> Self {
        self.inner.errno = Some(errno);
        self
    }

    pub(crate) fn detail(self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.set_detail(detail.into())
    }

    #[cold]
    #[inline(never)]
    fn set_detail(mut self, detail: Cow<'static, str>) -> Self {
        self.inner.detail = Some(detail);
        self
    }

    pub(crate) fn with_remedy(self, remedy: impl Into<Cow<'static, str>>) -> Self {
        self.set_remedy(remedy.into())
    }

    #[cold]
    #[inline(never)]
    fn set_remedy(mut self, remedy: Cow<'static, str>) -> Self {
        self.inner.remedy = Some(remedy);
        self
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn kernel(mut self, text: Option<Box<str>>) -> Self {
        self.inner.kernel_text = text;
        self
    }

    /// Changes the kind, for a caller that knows more than the error number shows.
    #[cold]
    #[inline(never)]
    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.inner.kind = kind;
        self
    }

    /// Changes the operation to the one that the caller of the library used.
    #[cold]
    #[inline(never)]
    pub(crate) fn during(mut self, operation: &'static str) -> Self {
        self.inner.operation = operation;
        self
    }

    /// Returns the kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Returns the error number (errno) of the system, if it reported one.
    pub fn raw_os_error(&self) -> Option<i32> {
        self.inner.errno
    }

    /// Returns the name of the call that failed.
    pub fn operation(&self) -> &'static str {
        self.inner.operation
    }

    /// Returns the kernel's own message (its extended acknowledgement), if it sent one.
    ///
    /// The message is for people: its wording changes between kernel versions.
    pub fn kernel_text(&self) -> Option<&str> {
        self.inner.kernel_text.as_deref()
    }

    /// Returns what exactly was wrong, if more than the kind is known.
    pub fn detail_text(&self) -> Option<&str> {
        self.inner.detail.as_deref()
    }

    /// Returns what to do about the error, as a sentence.
    pub fn remedy(&self) -> &str {
        self.inner.remedy.as_deref().unwrap_or(self.inner.kind.remedy())
    }
}

/// The call, what happened and why, and the remedy. With `{:#}`, the remedy is left out.
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

/// Has the `io::ErrorKind` that the standard library uses for the same failure of a plain socket. The
/// [`Error`], with the kernel's error number, is inside: see [`io::Error::get_ref`].
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::NotConnected | ErrorKind::NotReady => io::ErrorKind::NotConnected,
            ErrorKind::NotPermitted => io::ErrorKind::PermissionDenied,
            ErrorKind::InvalidArgument | ErrorKind::InvalidState => io::ErrorKind::InvalidInput,
            ErrorKind::NoSuchSubflow | ErrorKind::NoSuchEndpoint => io::ErrorKind::NotFound,
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
    fn display_shows_what_why_and_what_to_do() {
        let error =
            Error::os("open", libc::ECONNREFUSED).kernel(Some("connect error: -111".into()));
        let text = error.to_string();
        assert!(text.starts_with("open: the peer refused (Connection refused; kernel: connect"));
        assert!(text.ends_with("listener."), "{text}");
        assert!(format!("{error:#}").ends_with("error: -111)"), "{error:#}");
    }
}
