//! Opening a subflow, as a wait that the caller steps.

mod attempt;
mod ends;
mod join;
mod options;
mod plan;
mod port;
mod rest;

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use crate::door::{self, Door};
use crate::error::{Error, Result};
use crate::shared::subflow::Subflow;
use crate::sys::poll;
use crate::wait::wake_fd::WakeFd;
use attempt::Attempt;
pub use options::Open;

const OPERATION: &str = "open";

/// A subflow that is being opened, for a caller with an event loop of its own.
///
/// Poll [`fd`](Self::fd) for readability until [`deadline`](Self::deadline), then call
/// [`advance`](Self::advance). Repeat until it returns the subflow or an error. If the value is dropped
/// before that, the half-open subflow is closed.
///
/// The value owns `S`: a reference to a socket, or a duplicate of the socket's descriptor if the value
/// is to outlive the socket.
#[derive(Debug)]
pub struct Opening<S: AsFd> {
    sock: S,
    attempt: Attempt,
    wake_fd: Option<WakeFd>,
}

impl<S: AsFd> Opening<S> {
    /// Starts to open a subflow: checks the socket and the options, and sends the first segment. Never
    /// waits.
    ///
    /// # Errors
    /// As [`open`](crate::open), without those that need an answer of the network.
    pub fn begin(sock: S, options: &Open) -> Result<Opening<S>> {
        Opening::begin_by(door::choose(), sock, options)
    }

    fn begin_by(door: &'static dyn Door, sock: S, options: &Open) -> Result<Opening<S>> {
        let attempt = Attempt::begin(door, sock.as_fd(), options)?;
        Ok(Opening { sock, attempt, wake_fd: None })
    }

    /// Returns the socket, as it was passed to [`begin`](Self::begin).
    pub fn socket(&self) -> &S {
        &self.sock
    }

    /// Returns the descriptor to poll for readability. The first call creates it.
    ///
    /// # Errors
    /// `Os` if the process has too many open descriptors.
    pub fn fd(&mut self) -> Result<BorrowedFd<'_>> {
        let wake_fd = match self.wake_fd.take() {
            Some(wake_fd) => wake_fd,
            None => {
                let wake_fd = WakeFd::new(self.attempt.events.as_fd())
                    .map_err(|error| Error::from_io(OPERATION, &error))?;
                // The first wait must also end if its event came before.
                wake_fd
                    .set(self.attempt.pause())
                    .map_err(|error| Error::from_io(OPERATION, &error))?;
                wake_fd
            }
        };
        let wake_fd: &WakeFd = self.wake_fd.insert(wake_fd);
        Ok(wake_fd.as_fd())
    }

    /// Returns when the attempt gives up. That is at most half a second after the timeout, if the subflow
    /// has joined but is still held back.
    pub fn deadline(&self) -> Instant {
        self.attempt.deadline()
    }

    /// Returns the subflow if it is usable, or `None` if it is not yet. Never waits.
    ///
    /// # Errors
    /// As [`open`](crate::open). The half-open subflow is then closed.
    pub fn advance(&mut self) -> Result<Option<Subflow>> {
        if let Some(wake_fd) = &self.wake_fd {
            wake_fd.clear();
        }
        let result = self.attempt.advance(self.sock.as_fd());
        if let (Ok(None), Some(wake_fd)) = (&result, &self.wake_fd) {
            let pause = self.attempt.pause();
            wake_fd.set(pause).map_err(|error| Error::from_io(OPERATION, &error))?;
        }
        result
    }

    /// Waits until [`advance`](Self::advance) has something to do, at most until the deadline. A signal
    /// ends the wait too.
    ///
    /// # Errors
    /// Those of poll(2).
    pub fn wait(&mut self) -> Result<()> {
        let deadline = self.deadline();
        poll::wait(self.fd()?, libc::POLLIN, Some(deadline), OPERATION)
    }

    /// Gives up and closes the half-open subflow. The connection stays open.
    pub fn cancel(self) {
        drop(self);
    }
}

impl<S: AsFd> Drop for Opening<S> {
    fn drop(&mut self) {
        self.attempt.undo(self.sock.as_fd());
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use subflows_lab::{Net, ready};

    use super::*;
    use crate::door::recorder::Recorder;
    use crate::{Connect, Listen};

    /// A connection that accepts further subflows, and its server with the listener that they need.
    fn connected(net: &Net) -> (TcpStream, (TcpStream, TcpListener)) {
        let address = (net.paths[0].server_v4, 0);
        let listener = net.server.run(|| crate::listen(address, &Listen::new())).unwrap();
        let address = listener.local_addr().unwrap();
        let control = Connect::new().control(true);
        let mut client = net.client.run(|| crate::connect(address, &control)).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.write_all(b"?").unwrap();
        server.read_exact(&mut [0]).unwrap();
        server.write_all(b"!").unwrap();
        client.read_exact(&mut [0]).unwrap();
        (client, (server, listener))
    }

    #[test]
    fn one_door_does_every_act_of_an_opening() {
        if !ready() {
            return;
        }
        let net = Net::two_subnets().unwrap();
        let (client, _server) = connected(&net);
        let options = Open::new().interface(&net.paths[1].client_interface);
        let door = Recorder::new();
        net.client.run(|| {
            let mut opening = Opening::begin_by(door, &client, &options).unwrap();
            while opening.advance().unwrap().is_none() {
                opening.wait().unwrap();
            }
        });
        // The subflow is held back until the stream is safe. Old kernels (Linux 6.1) join by
        // a regular one at once.
        let acts = door.acts();
        assert_eq!(acts[..2], ["events", "create"]);
        assert!(acts[2..].iter().all(|act| *act == "set_backup"), "{acts:?}");
    }

    #[test]
    fn the_door_that_began_undoes() {
        if !ready() {
            return;
        }
        let net = Net::two_subnets().unwrap();
        let (client, _server) = connected(&net);
        net.paths[1].pull_cable().unwrap();
        let options = Open::new().interface(&net.paths[1].client_interface);
        let door = Recorder::new();
        net.client.run(|| drop(Opening::begin_by(door, &client, &options).unwrap()));
        assert_eq!(door.acts(), ["events", "create", "destroy"]);
        assert_eq!(net.client.run(|| crate::list(&client)).unwrap().len(), 1);
    }
}
