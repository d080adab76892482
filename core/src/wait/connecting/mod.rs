//! Connecting, as a wait that the caller steps.

mod options;

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use crate::cause;
use crate::door::common::control::take_control_of_new;
use crate::door::common::peers::Follower;
use crate::door::{self, Door};
use crate::error::{Error, ErrorKind, Result};
use crate::shared::deny_join_id0;
use crate::shared::interface::{agreed, index_of, needs_scope, no_scope};
use crate::shared::network::Way;
use crate::shared::new_socket::{bind, bind_to_interface, new_socket};
use crate::shared::no_mptcp;
use crate::shared::route::{Destination, Owner};
use crate::sys::{fcntl, mptcp, poll, socket};
pub use options::Connect;

const OPERATION: &str = "connect";

/// A connection that is being established, for a caller with an event loop of its own.
///
/// Poll [`fd`](Self::fd) for writability until [`deadline`](Self::deadline), then call
/// [`advance`](Self::advance). Repeat until it returns true, then call [`finish`](Self::finish).
#[derive(Debug)]
pub struct Connecting {
    /// Every address is tried by the same door.
    door: &'static dyn Door,
    options: Connect,
    attempt: Attempt,
    /// The addresses that have not been tried yet.
    others: VecDeque<SocketAddr>,
}

impl Connecting {
    /// Starts to connect to the first of these addresses. Never waits for the network. With control, it
    /// waits at most one second for other processes that take control at the same time, as does
    /// [`advance`](Self::advance) when it tries the next address.
    ///
    /// If an address fails, the next one is tried, with the whole timeout.
    ///
    /// # Errors
    /// As [`connect`](crate::connect) for the last address, if every address fails at once;
    /// `InvalidArgument` if there is no address.
    pub fn begin(remotes: &[SocketAddr], options: &Connect) -> Result<Connecting> {
        Connecting::begin_by(door::choose(), remotes, options)
    }

    fn begin_by(
        door: &'static dyn Door,
        remotes: &[SocketAddr],
        options: &Connect,
    ) -> Result<Connecting> {
        let mut others = remotes.iter().copied().collect();
        let none = Error::argument(OPERATION, "the list of addresses is empty")
            .with_remedy("Pass at least one address.");
        let attempt = Attempt::first(door, &mut others, options, none)?;
        Ok(Connecting { door, options: options.clone(), attempt, others })
    }

    /// Returns the descriptor to poll for writability. It changes when the next address is tried, so get
    /// it again after each [`advance`](Self::advance).
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.attempt.sock.as_fd()
    }

    /// Returns the address that is being tried; once connected, the address of the peer.
    pub fn remote(&self) -> SocketAddr {
        self.attempt.remote
    }

    /// Returns when the timeout of the present address expires; `None` without a timeout.
    pub fn deadline(&self) -> Option<Instant> {
        self.attempt.deadline
    }

    /// Returns true if the connection is established. Never waits, except as [`begin`](Self::begin) when
    /// it tries the next address.
    ///
    /// # Errors
    /// As [`connect`](crate::connect), when the last address has failed. Drop the value then.
    pub fn advance(&mut self) -> Result<bool> {
        match self.attempt.is_connected() {
            Ok(is_connected) => Ok(is_connected),
            Err(error) => {
                if self.options.local.is_some() && !self.others.is_empty() {
                    // Closes the former socket, which holds the local port that the next one needs.
                    self.attempt.sock = new_socket(self.attempt.remote.into(), OPERATION)?;
                }
                self.attempt = Attempt::first(self.door, &mut self.others, &self.options, error)?;
                Ok(self.attempt.is_done)
            }
        }
    }

    /// Waits until [`advance`](Self::advance) has something to do, at most until the deadline. A signal
    /// ends the wait too.
    ///
    /// # Errors
    /// Those of poll(2).
    pub fn wait(&self) -> Result<()> {
        poll::wait(self.fd(), libc::POLLOUT, self.deadline(), OPERATION)
    }

    /// Returns the connected socket, in blocking mode.
    ///
    /// # Errors
    /// `InvalidState` before [`advance`](Self::advance) has returned true.
    pub fn finish(self) -> Result<TcpStream> {
        let Attempt { sock, is_done, .. } = self.attempt;
        if !is_done {
            return Err(Error::new(ErrorKind::InvalidState, OPERATION)
                .detail("the connection is not established yet")
                .with_remedy("Call `advance` until it returns true."));
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
    /// It learns whether the peer accepts further subflows to its initial address. Present while a
    /// connection is established that is to be controlled.
    follower: Option<Follower>,
    is_done: bool,
}

impl Attempt {
    /// Starts with the first address that does not fail at once. `failure` is the error of the address
    /// before.
    fn first(
        door: &dyn Door,
        addresses: &mut VecDeque<SocketAddr>,
        options: &Connect,
        mut failure: Error,
    ) -> Result<Attempt> {
        while let Some(remote) = addresses.pop_front() {
            match Attempt::begin(door, remote, options) {
                Ok(attempt) => return Ok(attempt),
                // Another process holds the lock of the namespace, so that each address would wait for it.
                Err(error) if error.kind() == ErrorKind::Busy => return Err(error),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    fn begin(door: &dyn Door, remote: SocketAddr, options: &Connect) -> Result<Attempt> {
        let remote = match remote {
            SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() => remote,
            // The kernel ignores the scope of any other address, and so do errors.
            _ => SocketAddr::new(remote.ip(), remote.port()),
        };
        let sock = new_socket(remote.into(), OPERATION)?;
        let interface = interface(sock.as_fd(), remote, options)?;
        // A socket that is bound first would have its initial subflow before it is disconnected, and
        // would give it another id.
        if options.control {
            take_control_of_new(door, sock.as_fd()).map_err(|error| match error.kind() {
                ErrorKind::NotMptcp => {
                    no_mptcp::cause().unwrap_or(cause::NO_MPTCP).error(OPERATION)
                }
                _ => error.during(OPERATION),
            })?;
        }
        if interface != 0 {
            let bound = bind_to_interface(sock.as_fd(), interface, OPERATION);
            // Before Linux 5.7 this requires a right, which a local address alone does not.
            if options.interface.is_some() {
                bound?;
            }
        }
        if let Some(local) = options.local {
            bind(sock.as_fd(), in_family_of(remote, local), OPERATION)?;
        }
        fcntl::set_nonblocking(sock.as_fd(), true)
            .map_err(|error| Error::from_io(OPERATION, &error))?;
        let follow = || Follower::begin(door, sock.as_fd(), OPERATION);
        let follower = options.control.then(follow).flatten();
        let deadline = options.timeout.map(poll::deadline_in);
        let is_done = match socket::connect(sock.as_fd(), remote) {
            Ok(()) => true,
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => false,
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(0);
                return Err(Way::of(sock.as_fd(), remote).refused_here(OPERATION, errno));
            }
        };
        let mut attempt = Attempt { sock, remote, deadline, follower, is_done };
        if is_done {
            attempt.ask_follower();
        }
        Ok(attempt)
    }

    fn is_connected(&mut self) -> Result<bool> {
        if self.is_done {
            return Ok(true);
        }
        let sock = self.sock.as_fd();
        let os = |error: io::Error| Error::from_io(OPERATION, &error);
        if poll::now(sock, libc::POLLOUT).map_err(os)? != 0 {
            match socket::get_i32(sock, libc::SOL_SOCKET, libc::SO_ERROR).map_err(os)? {
                0 => {
                    self.is_done = true;
                    self.ask_follower();
                }
                errno => return Err(Way::of(sock, self.remote).error(OPERATION, errno)),
            }
        } else if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(Error::new(ErrorKind::TimedOut, OPERATION)
                .detail(format!("{} did not answer in time", self.remote)));
        }
        Ok(self.is_done)
    }

    /// Remembers whether the peer accepts further subflows to its initial address. The kernel has sent
    /// the event before the connection was established.
    fn ask_follower(&mut self) {
        let Some(follower) = self.follower.take() else { return };
        let sock = self.sock.as_fd();
        let Ok(info) = mptcp::info(sock) else { return };
        let peer = follower.peer(sock, info.raw.mptcpi_token);
        if let Some(peer) = peer {
            deny_join_id0::remember(sock, peer.denies_initial_address);
        }
    }
}

/// Chooses the interface to bind the socket to, as `open` does; 0 for none.
fn interface(sock: BorrowedFd<'_>, remote: SocketAddr, options: &Connect) -> Result<u32> {
    let named = options.interface.as_deref().map(|name| index_of(name, OPERATION)).transpose()?;
    let from = options.local.map(|local| in_family_of(remote, local));
    if let Some(from) = from.filter(|from| from.is_ipv4() != remote.is_ipv4()) {
        let detail = format!("{} and {} are of different families", from.ip(), remote.ip());
        return Err(Error::argument(OPERATION, detail)
            .with_remedy("Pass a local and a remote address of the same family."));
    }
    let given = match from {
        Some(from) => agreed(sock, named, from, OPERATION)?,
        None => named,
    };
    if let Some(index) = agreed(sock, given, remote, OPERATION)? {
        return Ok(index);
    }
    let from = from.map(|from| from.ip().to_canonical()).filter(|ip| !ip.is_unspecified());
    let Some(ip) = from else {
        return if needs_scope(remote.ip()) {
            Err(no_scope(sock, remote, OPERATION))
        } else {
            Ok(0)
        };
    };
    let to = SocketAddr::new(remote.ip().to_canonical(), remote.port());
    let to = Destination::new(sock, to, OPERATION);
    match to.owner_of(ip) {
        Ok(Owner::Interface(index)) => Ok(index),
        Ok(Owner::Several(several)) => Err(to.ambiguous(ip, &several)),
        // A sandbox without netlink: the routing table chooses the interface, as for plain TCP.
        Err(error) if error.kind() != ErrorKind::NotPermitted => Err(error),
        _ if needs_scope(remote.ip()) => Err(no_scope(sock, remote, OPERATION)),
        _ => Ok(0),
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use subflows_lab::{Net, ready};

    use super::*;
    use crate::door::recorder::Recorder;

    /// Also if the first address fails after it has begun.
    #[test]
    fn one_door_does_every_act_for_all_addresses() {
        if !ready() {
            return;
        }
        let net = Net::two_subnets().unwrap();
        let server = net.paths[0].server_v4;
        let (listener, closed) = net.server.run(|| {
            let closed = TcpListener::bind((server, 0)).unwrap().local_addr().unwrap();
            (TcpListener::bind((server, 0)).unwrap(), closed)
        });
        let door = Recorder::new();
        net.client.run(|| {
            let remotes = [closed, listener.local_addr().unwrap()];
            let options = Connect::new().control(true);
            let mut connecting = Connecting::begin_by(door, &remotes, &options).unwrap();
            while !connecting.advance().unwrap() {
                connecting.wait().unwrap();
            }
        });
        assert_eq!(door.acts(), ["take_control", "events", "take_control", "events"]);
    }
}
