//! A connection that is being made.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::door;
use crate::door::control::take_control_fd;
use crate::error::{Error, ErrorKind, Result};
use crate::shared::new_socket::{bind, bind_to_interface, new_socket};
use crate::sys::{fcntl, poll, socket};
use crate::table::options;

const OPERATION: &str = "connect";

options! {
    /// How to connect.
    pub struct Connect {
        maybe {
            /// The local address to connect from; port 0 leaves the port to the kernel. A wildcard
            /// address means every local address of the remote's family.
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
    options: Connect,
    attempt: Attempt,
    /// The addresses that have not been tried.
    others: VecDeque<SocketAddr>,
}

impl Connecting {
    /// Starts to connect to the first of these addresses; never waits for the network.
    ///
    /// An address that fails is followed by the next one, with the whole timeout.
    ///
    /// # Errors
    /// As [`connect`](crate::connect), if every address fails at once: the error of the last one.
    /// `InvalidArgument` if there is no address.
    pub fn begin(remotes: &[SocketAddr], options: &Connect) -> Result<Connecting> {
        let mut others = remotes.iter().copied().collect();
        let none = Error::argument(OPERATION, "there is no address to connect to");
        let attempt = Attempt::first(&mut others, options, none)?;
        Ok(Connecting { options: options.clone(), attempt, others })
    }

    /// The descriptor to poll for writability. It changes when the next address is tried: ask again
    /// after each [`advance`](Self::advance).
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.attempt.sock.as_fd()
    }

    /// The address that is being tried. Once the connection is made, the address of the peer.
    pub fn remote(&self) -> SocketAddr {
        self.attempt.remote
    }

    /// When to stop waiting for the present address.
    pub fn deadline(&self) -> Option<Instant> {
        self.attempt.deadline
    }

    /// Looks whether the connection is made, without waiting.
    ///
    /// # Errors
    /// As [`connect`](crate::connect), when the last address has failed; the wait is then of no use.
    pub fn advance(&mut self) -> Result<bool> {
        match self.attempt.is_connected() {
            Ok(is_connected) => Ok(is_connected),
            Err(error) => {
                self.attempt = Attempt::first(&mut self.others, &self.options, error)?;
                Ok(self.attempt.is_done)
            }
        }
    }

    /// Waits for something to happen, at most until the deadline; a signal ends the wait too.
    ///
    /// # Errors
    /// What poll(2) says.
    pub fn wait(&self) -> Result<()> {
        match poll::until(self.fd(), libc::POLLOUT, self.deadline()) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                Err(Error::from_io(OPERATION, &error))
            }
            _ => Ok(()),
        }
    }

    /// The connected socket, in blocking mode.
    ///
    /// # Errors
    /// `InvalidState` before [`advance`](Self::advance) said true.
    pub fn finish(self) -> Result<TcpStream> {
        let Attempt { sock, is_done, .. } = self.attempt;
        if !is_done {
            return Err(Error::new(ErrorKind::InvalidState, OPERATION)
                .detail("the connection is still being made")
                .with_remedy("Call `advance` until it says so."));
        }
        fcntl::set_nonblocking(sock.as_fd(), false)
            .map_err(|error| Error::from_io(OPERATION, &error))?;
        Ok(TcpStream::from(sock))
    }
}

/// The connection to one address.
#[derive(Debug)]
struct Attempt {
    sock: OwnedFd,
    remote: SocketAddr,
    deadline: Option<Instant>,
    is_done: bool,
}

impl Attempt {
    /// Starts with the first address that does not fail at once. `failure` is why the address before
    /// failed.
    fn first(
        addresses: &mut VecDeque<SocketAddr>,
        options: &Connect,
        mut failure: Error,
    ) -> Result<Attempt> {
        while let Some(remote) = addresses.pop_front() {
            match Attempt::begin(remote, options) {
                Ok(attempt) => return Ok(attempt),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    fn begin(remote: SocketAddr, options: &Connect) -> Result<Attempt> {
        let sock = new_socket(remote.into(), OPERATION)?;
        if let Some(interface) = &options.interface {
            bind_to_interface(sock.as_fd(), interface, OPERATION)?;
        }
        if let Some(local) = options.local {
            bind(sock.as_fd(), in_family_of(remote, local), OPERATION)?;
        }
        if options.control {
            take_control_fd(door::choose(), sock.as_fd()).map_err(|error| match error.kind() {
                ErrorKind::NotMptcp => Error::new(ErrorKind::Unsupported, OPERATION)
                    .detail("there is no Multipath TCP here to take control of")
                    .with_remedy("sysctl net.mptcp.enabled=1, on a kernel with CONFIG_MPTCP."),
                _ => error.during(OPERATION),
            })?;
        }
        fcntl::set_nonblocking(sock.as_fd(), true)
            .map_err(|error| Error::from_io(OPERATION, &error))?;
        let deadline = options.timeout.map(poll::deadline_in);
        let is_done = match socket::connect(sock.as_fd(), remote) {
            Ok(()) => true,
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => false,
            Err(error) => return Err(failed(&error, remote)),
        };
        Ok(Attempt { sock, remote, deadline, is_done })
    }

    fn is_connected(&mut self) -> Result<bool> {
        if self.is_done {
            return Ok(true);
        }
        let sock = self.sock.as_fd();
        let os = |error: io::Error| Error::from_io(OPERATION, &error);
        if poll::now(sock, libc::POLLOUT).map_err(os)? != 0 {
            match socket::get_i32(sock, libc::SOL_SOCKET, libc::SO_ERROR).map_err(os)? {
                0 => self.is_done = true,
                errno => return Err(failed(&io::Error::from_raw_os_error(errno), self.remote)),
            }
        } else if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(Error::new(ErrorKind::TimedOut, OPERATION)
                .detail(format!("no answer from {} in time", self.remote)));
        }
        Ok(self.is_done)
    }
}

/// A wildcard means every local address of the remote's family: a list of addresses may have both
/// families.
fn in_family_of(remote: SocketAddr, local: SocketAddr) -> SocketAddr {
    match (local.ip().is_unspecified(), remote) {
        (false, _) => local,
        (true, SocketAddr::V4(_)) => (Ipv4Addr::UNSPECIFIED, local.port()).into(),
        (true, SocketAddr::V6(_)) => (Ipv6Addr::UNSPECIFIED, local.port()).into(),
    }
}

fn failed(error: &io::Error, remote: SocketAddr) -> Error {
    let error = Error::from_io(OPERATION, error);
    match error.kind() {
        ErrorKind::Refused => error.detail(format!("{remote} refused the connection")),
        ErrorKind::Unreachable => error.detail(format!("{remote} cannot be reached")),
        ErrorKind::TimedOut => error.detail(format!("no answer from {remote}")),
        _ => error,
    }
}
