//! A connection that is being made.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::door::control::take_control_fd;
use crate::error::{Error, ErrorKind, Result};
use crate::shared::new_socket::{bind, bind_to_interface, new_socket};
use crate::sys::socket;
use crate::table::options;

options! {
    /// How to connect.
    pub struct Connect {
        maybe {
            /// The local address to connect from; port 0 leaves the port to the kernel.
            local: SocketAddr,
            /// The interface to leave by (SO_BINDTODEVICE).
            interface: String,
            /// How long to try. Without, the kernel decides (about two minutes).
            timeout: Duration,
        }
        set {
            /// Take control of the connection's paths before connecting: see `take_control`. Fails
            /// with the remedy where that is not possible. Not the default, because a connection
            /// under the application's control ignores the endpoints that the administrator or
            /// NetworkManager configured, and would lose the paths that they give.
            control: bool = false,
        }
    }
}

/// A connection that is being made: a wait that the caller steps.
///
/// Poll [`fd`](Self::fd) for writability until [`deadline`](Self::deadline), call
/// [`advance`](Self::advance) until it says true, then [`finish`](Self::finish).
#[derive(Debug)]
pub struct Connecting {
    sock: OwnedFd,
    remote: SocketAddr,
    deadline: Option<Instant>,
    done: bool,
}

impl Connecting {
    /// Starts to connect; never waits for the network.
    ///
    /// # Errors
    /// As [`connect`], for what fails at once.
    pub fn begin(remote: SocketAddr, options: &Connect) -> Result<Connecting> {
        const OPERATION: &str = "connect";
        let sock = new_socket(remote.into(), OPERATION)?;
        if let Some(interface) = &options.interface {
            bind_to_interface(sock.as_fd(), interface, OPERATION)?;
        }
        if let Some(local) = options.local {
            bind(sock.as_fd(), local, OPERATION)?;
        }
        if options.control {
            take_control_fd(sock.as_fd()).map_err(|error| match error.kind() {
                ErrorKind::NotMptcp => Error::new(ErrorKind::Unsupported, OPERATION)
                    .detail("there is no Multipath TCP here to take control of")
                    .with_remedy("sysctl net.mptcp.enabled=1, on a kernel with CONFIG_MPTCP."),
                _ => error.during(OPERATION),
            })?;
        }
        let set = |on| {
            socket::set_nonblocking(sock.as_fd(), on).map_err(|e| Error::from_io(OPERATION, &e))
        };
        set(true)?;
        let deadline = options.timeout.map(socket::deadline_in);
        let done = match socket::connect(sock.as_fd(), remote) {
            Ok(()) => true,
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => false,
            Err(error) => return Err(failed(&error, remote)),
        };
        Ok(Connecting { sock, remote, deadline, done })
    }

    /// The descriptor to poll for writability.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.sock.as_fd()
    }

    /// When to stop waiting.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Looks whether the connection is made, without waiting.
    ///
    /// # Errors
    /// As [`connect`]; the socket is then of no use.
    pub fn advance(&mut self) -> Result<bool> {
        if self.done {
            return Ok(true);
        }
        let sock = self.sock.as_fd();
        let events =
            socket::poll_now(sock, libc::POLLOUT).map_err(|e| Error::from_io("connect", &e))?;
        if events != 0 {
            let error = socket::get_i32(sock, libc::SOL_SOCKET, libc::SO_ERROR);
            match error.map_err(|error| Error::from_io("connect", &error))? {
                0 => self.done = true,
                errno => return Err(failed(&io::Error::from_raw_os_error(errno), self.remote)),
            }
        } else if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(Error::new(ErrorKind::TimedOut, "connect")
                .detail(format!("no answer from {} in time", self.remote)));
        }
        Ok(self.done)
    }

    /// Waits for something to happen, at most until the deadline; a signal ends the wait too.
    ///
    /// # Errors
    /// What poll(2) says.
    pub fn wait(&self) -> Result<()> {
        let deadline =
            self.deadline.unwrap_or_else(|| socket::deadline_in(Duration::from_secs(86_400)));
        match socket::poll(self.sock.as_fd(), libc::POLLOUT, deadline) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                Err(Error::from_io("connect", &error))
            }
            _ => Ok(()),
        }
    }

    /// The connected socket, in blocking mode.
    ///
    /// # Errors
    /// `InvalidState` before [`advance`](Self::advance) said true.
    pub fn finish(self) -> Result<TcpStream> {
        if !self.done {
            return Err(Error::new(ErrorKind::InvalidState, "connect")
                .detail("the connection is still being made")
                .with_remedy("Call `advance` until it says so."));
        }
        socket::set_nonblocking(self.sock.as_fd(), false)
            .map_err(|e| Error::from_io("connect", &e))?;
        Ok(TcpStream::from(self.sock))
    }
}

fn failed(error: &io::Error, remote: SocketAddr) -> Error {
    let error = Error::from_io("connect", error);
    match error.kind() {
        ErrorKind::Refused => error.detail(format!("{remote} refused the connection")),
        ErrorKind::Unreachable => error.detail(format!("{remote} cannot be reached")),
        ErrorKind::TimedOut => error.detail(format!("no answer from {remote}")),
        _ => error,
    }
}
