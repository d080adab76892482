//! An examination by `doctor`, as a wait that the caller steps.

use std::mem;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use nix::sys::epoll::{Epoll, EpollCreateFlags};

use super::finding::{Finding, FindingKind, Findings};
use super::path_manager::{self, End};
use super::paths::Paths;
use super::{Doctor, host, remote};
use crate::error::{Error, Result};
use crate::wait::probing::Probing;

const OPERATION: &str = "doctor";

/// An examination by [`doctor`](crate::doctor) that is under way, for a caller with an event loop of its own.
///
/// Poll [`fd`](Self::fd) for readability until [`deadline`](Self::deadline), then call
/// [`advance`](Self::advance). Repeat until it returns the findings or an error. If the value is dropped before
/// that, its connections are closed.
///
/// Keep the deadlines, as for a [`Probing`].
#[derive(Debug)]
pub struct Examining {
    found: Findings,
    step: Step,
    /// Never readable.
    idle: Epoll,
}

#[derive(Debug)]
enum Step {
    /// The remote address has been contacted.
    Remote(Box<Probing>),
    /// What is left does not wait.
    Rest,
    /// Nothing is left.
    Nothing,
}

impl Examining {
    /// Examines this host, and sends the first segment to the remote address. Does not wait for the network.
    ///
    /// # Errors
    /// As [`doctor`](crate::doctor).
    pub fn begin(options: &Doctor) -> Result<Examining> {
        let remote = options.remote.map(remote::checked).transpose()?;
        let idle = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC);
        let idle = idle.map_err(|error| Error::from_io(OPERATION, &error.into()))?;
        let mut found = Findings::default();
        if !host::examine(&mut found) {
            return Ok(Examining { found, step: Step::Nothing, idle });
        }
        if !found.has(FindingKind::NetlinkDenied) {
            let sock = remote::any_socket()?;
            let paths = Paths::find(sock.as_fd(), remote, None)?;
            let end = if remote.is_some() { End::Client } else { End::Either };
            path_manager::examine(&mut found, &paths, end);
            paths.examine(&mut found);
        }
        host::counted(&mut found);
        let step = match remote {
            Some(remote) => remote::begin(&mut found, remote, options.timeout)?,
            None => None,
        };
        let step = step.map_or(Step::Rest, |probing| Step::Remote(Box::new(probing)));
        Ok(Examining { found, step, idle })
    }

    /// Returns the descriptor to poll for readability, the same each time.
    pub fn fd(&self) -> BorrowedFd<'_> {
        match &self.step {
            Step::Remote(probing) => probing.fd(),
            Step::Rest | Step::Nothing => self.idle.0.as_fd(),
        }
    }

    /// Returns when to call [`advance`](Self::advance) at the latest. It changes with each call.
    pub fn deadline(&self) -> Instant {
        match &self.step {
            Step::Remote(probing) => probing.deadline(),
            Step::Rest | Step::Nothing => Instant::now(),
        }
    }

    /// Continues. Returns the findings when the examination has ended, or `None`. Waits for at most a second, and
    /// only if the remote address cannot be reached.
    ///
    /// # Errors
    /// As [`doctor`](crate::doctor).
    pub fn advance(&mut self) -> Result<Option<Vec<Finding>>> {
        match &mut self.step {
            Step::Remote(probing) => {
                match probing.advance() {
                    Ok(None) => return Ok(None),
                    Ok(Some(report)) => remote::examine(&mut self.found, &report),
                    Err(error) => remote::not_tried(&mut self.found, error)?,
                }
                host::rights(&mut self.found);
            }
            Step::Rest => host::rights(&mut self.found),
            Step::Nothing => {}
        }
        self.step = Step::Nothing;
        Ok(Some(mem::take(&mut self.found).sorted()))
    }

    /// Waits until [`advance`](Self::advance) has something to do, at most until the deadline. A signal
    /// ends the wait too.
    ///
    /// # Errors
    /// Those of poll(2).
    pub fn wait(&self) -> Result<()> {
        match &self.step {
            Step::Remote(probing) => probing.wait(),
            Step::Rest | Step::Nothing => Ok(()),
        }
    }
}
